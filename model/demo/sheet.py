"""A contact sheet: some images of a list with what a run found on them.

    python -m divainfer.model.demo.sheet --images frames.lst --results OUT_DIR --out sheet.jpg [--count 12]

Names and scores are left out where they would cover other objects; the colours and the counts below each image remain.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any, Dict, List, Sequence, Tuple

import cv2
import numpy as np

from .evaluate import EvaluationError, read_json, result_path

#: Width and height of a picture on the sheet, the gap around it, the strip below it; pixels.
CELL, GAP, STRIP = (720, 405), 10, 28
#: Only what is this likely is drawn.
LEAST_SCORE = 0.5
#: A name may cover this share of its own area of other objects; in a crowd, the colours must do.
COVERED = 0.3
#: Bytes that a sheet keeps below.
LARGEST = 1000 * 1000
#: BGR by class id, in turn.
COLOURS = ((70, 200, 255), (120, 230, 110), (255, 170, 80), (200, 120, 255), (240, 240, 120), (130, 130, 255))
PAPER, INK = (32, 30, 28), (214, 212, 208)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def read_list(path: str) -> List[str]:
    """The paths of an image list, as they stand in it; empty lines are left out.

    Raises:
        EvaluationError: when the list cannot be read or is empty.
    """
    try:
        with open(path, encoding="utf-8") as file:
            names = [line.strip() for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError("{}: cannot be read ({}).".format(path, error))
    if not names:
        raise EvaluationError("{}: the list is empty.".format(path))
    return names


def chosen(count: int, wanted: int) -> List[int]:
    """Which images of `count` to show: spread evenly, the first one among them."""
    return sorted({int(place) for place in np.linspace(0, count, min(count, wanted), endpoint=False)})


def annotated(image: np.ndarray, found: Sequence[Dict[str, Any]]) -> np.ndarray:
    """One cell of the sheet.

    Args:
        image: uint8 `[H, W, 3]`, BGR.
        found: detections, `bbox` `[x, y, w, h]` in pixels of `image`.

    Returns:
        uint8 `[CELL height, CELL width, 3]`: the image shrunk to fit, in the middle, boxes and names drawn after that,
        so that they are equally fine on every image.
    """
    height, width = image.shape[:2]
    scale = min(CELL[0] / width, CELL[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    cell = np.full((CELL[1], CELL[0], 3), PAPER, np.uint8)
    left, top = (CELL[0] - size[0]) // 2, (CELL[1] - size[1]) // 2
    picture = cell[top : top + size[1], left : left + size[0]]
    picture[:] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    shown = [item for item in found if item["score"] >= LEAST_SCORE]
    corners = [_corners(item["bbox"], scale, size) for item in shown]
    for item, (low, high) in zip(shown, corners):
        cv2.rectangle(picture, low, high, _colour(item), 1, cv2.LINE_AA)
    objects = np.zeros(picture.shape[:2], bool)
    for (left, top), (right, bottom) in corners:
        objects[top : bottom + 1, left : right + 1] = True
    names = np.zeros_like(objects)
    # The likeliest first: where names would cover one another, the others go without.
    for item, (low, high) in sorted(zip(shown, corners), key=lambda pair: -pair[0]["score"]):
        _label(picture, objects, names, item, low, high)
    return cell


def _corners(box: Sequence[float], scale: float, size: Tuple[int, int]) -> Tuple[Tuple[int, int], Tuple[int, int]]:
    x, y, w, h = (value * scale for value in box)
    low = max(0, int(x + 0.5)), max(0, int(y + 0.5))
    return low, (min(size[0] - 1, int(x + w + 0.5)), min(size[1] - 1, int(y + h + 0.5)))


def _colour(item: Dict[str, Any]) -> Tuple[int, int, int]:
    return COLOURS[(int(item["category_id"]) - 1) % len(COLOURS)]


def _label(
    picture: np.ndarray, objects: np.ndarray, names: np.ndarray, item: Dict[str, Any],
    low: Tuple[int, int], high: Tuple[int, int],
) -> None:  # fmt: skip
    """Writes name and score on a box, above it or else below, where there is room; bool maps say where there is none."""
    text = "{} {:.2f}".format(item["cat_name"], item["score"])
    (width, height), _ = cv2.getTextSize(text, _FONT, 0.31, 1)
    left = max(0, min(low[0], picture.shape[1] - width - 3))
    for top in (low[1] - height - 5, high[1] + 1):
        if top < 0 or top + height + 5 > picture.shape[0]:
            continue
        place = (slice(top, top + height + 5), slice(left, left + width + 3))
        if names[place].any() or objects[place].mean() > COVERED:
            continue
        names[place] = True
        picture[place] = _colour(item)
        cv2.putText(picture, text, (left + 1, top + height + 2), _FONT, 0.31, (20, 20, 20), 1, cv2.LINE_AA)
        return


def _caption(name: str, image: np.ndarray, found: Sequence[Dict[str, Any]]) -> np.ndarray:
    """The strip below a cell: the image's name and size, and how many of each class were found, in its colour."""
    strip = np.full((STRIP, CELL[0], 3), PAPER, np.uint8)
    texts = [("{}  {} x {}".format(name, image.shape[1], image.shape[0]), INK)]
    seen: Dict[int, List[Dict[str, Any]]] = {}
    for item in found:
        if item["score"] >= LEAST_SCORE:
            seen.setdefault(int(item["category_id"]), []).append(item)
    for _, items in sorted(seen.items()):
        texts.append(("{} {}".format(items[0]["cat_name"], len(items)), _colour(items[0])))
    left = 4
    for text, colour in texts:
        cv2.putText(strip, text, (left, 18), _FONT, 0.44, colour, 1, cv2.LINE_AA)
        left += cv2.getTextSize(text, _FONT, 0.44, 1)[0][0] + 18
    return strip


def sheet(images: str, results: str, count: int) -> np.ndarray:
    """The whole sheet, uint8 `[H, W, 3]`.

    Args:
        images: an image list; relative paths count from its folder.
        results: the run's output folder.
        count: images to show.

    Raises:
        EvaluationError: a sentence about a file that is missing.
    """
    folder = os.path.dirname(os.path.abspath(images))
    names = read_list(images)
    paths = [os.path.join(folder, name) for name in names]
    # A run counts its results' paths from the folder that all its images share.
    root = os.path.commonpath([os.path.dirname(path) for path in paths])
    cells = []
    for index in chosen(len(paths), count):
        image = cv2.imread(paths[index], cv2.IMREAD_COLOR)
        if image is None:
            raise EvaluationError("{}: cannot be read as an image.".format(paths[index]))
        name = os.path.relpath(paths[index], root)
        found = read_json(result_path(results, name))
        cell = np.concatenate([annotated(image, found), _caption(name, image, found)])
        cells.append(cv2.copyMakeBorder(cell, GAP, 0, GAP, 0, cv2.BORDER_CONSTANT, value=PAPER))
    columns = 2 if len(cells) in (2, 4) else min(3, len(cells))
    cells += [np.full_like(cells[0], PAPER)] * (-len(cells) % columns)
    rows = [np.concatenate(cells[i : i + columns], axis=1) for i in range(0, len(cells), columns)]
    whole: np.ndarray = cv2.copyMakeBorder(np.concatenate(rows), 0, GAP // 2, 0, GAP, cv2.BORDER_CONSTANT, value=PAPER)
    return whole


def write_sheet(picture: np.ndarray, path: str) -> None:
    """Writes a JPEG as good as its largest size allows."""
    for quality in (92, 88, 84, 78, 70, 60, 45, 30):
        done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if done and len(data) < LARGEST:
            break
    with open(path, "wb") as file:
        file.write(data.tobytes())


def main() -> int:
    """Writes the sheet; returns the exit status."""
    parser = argparse.ArgumentParser(description="Draw a run's detections on some of its images.")
    parser.add_argument("--images", required=True, help="the image list of the run")
    parser.add_argument("--results", required=True, help="the run's output folder")
    parser.add_argument("--out", required=True, help="the JPEG to write")
    parser.add_argument("--count", type=int, default=12, help="images to show (12)")
    options = parser.parse_args()
    if options.count < 1:
        parser.error("--count must be above 0.")
    try:
        write_sheet(sheet(options.images, options.results, options.count), options.out)
    except EvaluationError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
