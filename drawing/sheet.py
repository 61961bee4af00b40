"""A contact sheet: many images side by side, small, with what was found on them."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

import cv2
import numpy as np

from .boxes import FONT, Detection, draw_detections, name_of
from .colours import Colour, colour_of

#: Width and height of a picture on the sheet, the gap around it, the strip below it; pixels.
CELL, GAP, STRIP = (720, 405), 10, 28
#: Images on one sheet.
MOST = 32
PAPER: Colour = (32, 30, 28)
INK: Colour = (214, 212, 208)
_TEXT, _TEXT_LEFT, _TEXT_BASE, _TEXT_GAP = 0.44, 4, 18, 18


def cell(image: np.ndarray, rows: Sequence[Detection], caption: str) -> np.ndarray:
    """One image of a sheet.

    Args:
        image: uint8 `[H, W, 3]`, BGR.
        rows: the detections to be drawn on it.
        caption: what is written below it.

    Returns:
        uint8 `[CELL height + STRIP, CELL width, 3]`: the image shrunk to fit, in the middle; boxes and names are drawn after
        that, so that they are equally fine on every image. Below it how many there are of each class, in its colour.
    """
    height, width = image.shape[:2]
    scale = min(CELL[0] / width, CELL[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    shrinking = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    picture = draw_detections(cv2.resize(image, size, interpolation=shrinking), rows, scale)
    whole = np.full((CELL[1] + STRIP, CELL[0], 3), PAPER, np.uint8)
    left, top = (CELL[0] - size[0]) // 2, (CELL[1] - size[1]) // 2
    whole[top : top + size[1], left : left + size[0]] = picture
    _write_below(whole[CELL[1] :], "{}  {} x {}".format(caption, width, height), rows)
    return whole


def sheet(cells: Sequence[np.ndarray]) -> np.ndarray:
    """Some cells as one picture, in rows.

    Args:
        cells: as `cell` gives them, one at least.

    Returns:
        uint8 `[H, W, 3]`, BGR.
    """
    columns = _columns(len(cells))
    framed = [cv2.copyMakeBorder(one, GAP, 0, GAP, 0, cv2.BORDER_CONSTANT, value=PAPER) for one in cells]
    framed += [np.full_like(framed[0], PAPER)] * (-len(framed) % columns)
    rows = [np.concatenate(framed[at : at + columns], axis=1) for at in range(0, len(framed), columns)]
    whole: np.ndarray = cv2.copyMakeBorder(np.concatenate(rows), 0, GAP // 2, 0, GAP, cv2.BORDER_CONSTANT, value=PAPER)
    return whole


def _columns(count: int) -> int:
    if count in (1, 2, 4):
        return min(2, count)
    return 3 if count <= 12 else 4


def _write_below(strip: np.ndarray, caption: str, rows: Sequence[Detection]) -> None:
    """The caption, cut at its beginning where it is too long, and the counts; both in letters that the font has."""
    seen: Dict[int, List[Any]] = {}
    for row in rows:
        seen.setdefault(int(row["category_id"]), []).append(row)
    counts = [("{} {}".format(name_of(of[0]), len(of)), colour_of(number)) for number, of in sorted(seen.items())]
    room = strip.shape[1] - 2 * _TEXT_LEFT - sum(_width(text) + _TEXT_GAP for text, _ in counts)
    first = caption.encode("ascii", "replace").decode("ascii")
    while _width(first) > max(room, strip.shape[1] // 2) and len(first) > 4:
        first = "..." + first[4:]
    left = _TEXT_LEFT
    for text, colour in [(first, INK), *counts]:
        cv2.putText(strip, text, (left, _TEXT_BASE), FONT, _TEXT, colour, 1, cv2.LINE_AA)
        left += _width(text) + _TEXT_GAP


def _width(text: str) -> int:
    return int(cv2.getTextSize(text, FONT, _TEXT, 1)[0][0])
