"""Detections drawn on an image: boxes in their class's colour, outlines of masks, names and scores where they hide nothing."""

from __future__ import annotations

from typing import Any, List, Mapping, NamedTuple, Sequence, Tuple

import cv2
import numpy as np

from .colours import DARK, Colour, colour_of, ink_on
from .outlines import outlines

FONT = cv2.FONT_HERSHEY_SIMPLEX
#: Pixels of an image's short edge for each pixel of a line's width, and for text of size 1.
_EDGE_A_LINE, _EDGE_A_LETTER = 500, 1900
#: Text is no smaller than this.
_SMALLEST = 0.34
#: A name may cover this share of its own area of other objects; in a crowd, the colours must do.
_COVERED = 0.1
#: An object of which so much lies in another one is inside it.
_INSIDE = 0.9
#: A name inside its own box takes at most this share of it.
_SHARE_INSIDE = 0.1

Detection = Mapping[str, Any]


class Style(NamedTuple):
    """How wide lines and how large letters are.

    Attributes:
        line: pixels.
        text: OpenCV's font scale.
        stroke: width of a letter's lines, pixels.
    """

    line: int
    text: float
    stroke: int


class _Drawn(NamedTuple):
    """A detection on the picture: `left`, `top`, `right`, `bottom` are its outermost pixels."""

    row: Detection
    left: int
    top: int
    right: int
    bottom: int


def style_for(height: int, width: int) -> Style:
    """The style that suits an image of that size, pixels."""
    edge = min(height, width)
    text = max(_SMALLEST, edge / _EDGE_A_LETTER)
    return Style(max(1, round(edge / _EDGE_A_LINE)), text, max(1, round(1.7 * text)))


def draw_detections(image: np.ndarray, rows: Sequence[Detection], scale: float = 1.0, names: bool = True) -> np.ndarray:
    """Draws detections on a copy of an image. What lies outside of it is left out.

    Args:
        image: uint8 `[H, W, 3]`, BGR: the original image, or a smaller or larger copy of it.
        rows: detections as a result file has them: `category_id`, `cat_name`, `score`, `bbox` `[x, y, w, h]` in pixels of the
            original image, and `segmentation`, whose outline is drawn where there is one.
        scale: pixels of `image` for one of the original.
        names: whether each gets its name and score, where these hide nothing.

    Returns:
        uint8 `[H, W, 3]`, BGR, new memory.
    """
    picture = np.array(image, np.uint8, order="C")
    height, width = picture.shape[:2]
    style = style_for(height, width)
    drawn = [one for one in (_placed(row, scale, height, width) for row in rows) if one is not None]
    # The likeliest last, so that it lies on top.
    drawn.sort(key=lambda one: float(one.row["score"]))
    for one in drawn:
        _draw_outlines(picture, one.row, scale, style)
        _draw_box(picture, one, style)
    if names:
        _draw_names(picture, drawn[::-1], style)
    return picture


def chosen(rows: Sequence[Detection], min_score: float, classes: Sequence[str] = ()) -> List[Detection]:
    """The detections that are to be drawn.

    Args:
        rows: detections as a result file has them.
        min_score: those below are left out.
        classes: names or ids of classes; empty for all.
    """
    return [
        row
        for row in rows
        if row["score"] >= min_score
        and (not classes or row["cat_name"] in classes or str(row["category_id"]) in classes)
    ]


def name_of(row: Detection) -> str:
    """A class's name as OpenCV's font can write it: by number where it has letters beyond ASCII."""
    name = str(row["cat_name"])
    return name if name.isascii() and name.isprintable() else "class {}".format(row["category_id"])


def _placed(row: Detection, scale: float, height: int, width: int) -> Any:
    x, y, w, h = (float(value) * scale for value in row["bbox"])
    if not (x < width and y < height and x + w >= 0 and y + h >= 0):
        return None
    corners = np.clip([x, y, x + w, y + h], 0, [width - 1, height - 1, width - 1, height - 1])
    return _Drawn(row, *(int(corner + 0.5) for corner in corners))


def _draw_box(picture: np.ndarray, one: _Drawn, style: Style) -> None:
    low, high = (one.left, one.top), (one.right, one.bottom)
    # A dark casing, so that the colour shows on any ground; of thin lines only around the box.
    if style.line > 1:
        cv2.rectangle(picture, low, high, DARK, style.line + 2)
    else:
        cv2.rectangle(picture, (one.left - 1, one.top - 1), (one.right + 1, one.bottom + 1), DARK)
    cv2.rectangle(picture, low, high, colour_of(one.row["category_id"]), style.line)


def _draw_outlines(picture: np.ndarray, row: Detection, scale: float, style: Style) -> None:
    code = row.get("segmentation")
    if code is None:
        return
    height, width = picture.shape[:2]
    polygons = outlines(code, (height / scale, width / scale), max(1.0, 1 / scale))
    points = [np.round(polygon * scale).astype(np.int32) for polygon in polygons]
    if style.line > 1:
        cv2.polylines(picture, points, True, DARK, style.line + 2, cv2.LINE_AA)
    cv2.polylines(picture, points, True, colour_of(row["category_id"]), style.line, cv2.LINE_AA)


def _draw_names(picture: np.ndarray, drawn: List[_Drawn], style: Style) -> None:
    """Writes the names, those of the first detections first; where one has no place it is left out."""
    boxes = np.array([one[1:] for one in drawn], float).reshape(-1, 4)
    written = np.zeros((0, 4))
    for number, one in enumerate(drawn):
        text = "{} {:.2f}".format(name_of(one.row), one.row["score"])
        (width, height), below = cv2.getTextSize(text, FONT, style.text, style.stroke)
        size = width + 2 * style.stroke + 2, height + below + 2
        others = np.delete(boxes, number, 0)
        # What this object lies in is not hidden by its name.
        others = others[_common(boxes[number], others) < _INSIDE * _area(boxes[number])]
        for place in _places(one, size, style, picture.shape):
            label = np.array([place[0], place[1], place[0] + size[0] - 1, place[1] + size[1] - 1], float)
            if _common(label, written).any() or _common(label, others).sum() > _COVERED * _area(label):
                continue
            written = np.vstack([written, label])
            _write(picture, text, place, size, below, colour_of(one.row["category_id"]), style)
            break


def _places(one: _Drawn, size: Tuple[int, int], style: Style, shape: Tuple[int, ...]) -> List[Tuple[int, int]]:
    """Where a name of that width and height may stand, left and top, the best first: above, below, or inside a large box."""
    width, height = size
    half = style.line // 2 + (style.line > 1)
    left, right = one.left - half, one.right + half - width + 1
    above, below = one.top - half - height, one.bottom + half + 1
    places = [(left, above), (right, above), (left, below), (right, below)]
    inside = (one.right - one.left) * (one.bottom - one.top)
    if width * height <= _SHARE_INSIDE * inside:
        places.append((one.left + half + 1, one.top + half + 1))
    moved = [(max(0, min(x, shape[1] - width)), y) for x, y in places]
    return [(x, y) for x, y in moved if y >= 0 and y + height <= shape[0] and x + width <= shape[1]]


def _write(
    picture: np.ndarray, text: str, place: Tuple[int, int], size: Tuple[int, int], below: int, colour: Colour, style: Style
) -> None:  # fmt: skip
    left, top = place
    picture[top : top + size[1], left : left + size[0]] = colour
    start = left + style.stroke + 1, top + size[1] - 1 - below
    cv2.putText(picture, text, start, FONT, style.text, ink_on(colour), style.stroke, cv2.LINE_AA)


def _common(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How many pixels a box has in common with each other one; `[4]` and `[N, 4]` to `[N]`."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    return np.clip(high - low + 1, 0, None).prod(1)  # type: ignore[no-any-return]


def _area(box: np.ndarray) -> float:
    return float((box[2] - box[0] + 1) * (box[3] - box[1] + 1))
