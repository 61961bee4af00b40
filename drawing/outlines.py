"""The outline of a mask, out of its run-length code as results have it. pycocotools trusts such a code; this does not."""

from __future__ import annotations

from typing import Any, List, Sequence, Tuple

import cv2
import numpy as np


def outlines(code: Any, image_size: Tuple[float, float], slack: float = 1.0) -> List[np.ndarray]:
    """The outlines of a mask; none for a code that is damaged, or of another image.

    Args:
        code: `segmentation` of a detection: `{"size": [height, width], "counts": ...}`, COCO's run-length code, as text or as
            a list of numbers; or None.
        image_size: height and width of the image, pixels.
        slack: by so many pixels they may be wrong, as a shrunk copy tells them.

    Returns:
        Closed polygons, int32 `[N, 2]`, x and y in pixels of the original image.
    """
    try:
        height, width = (int(edge) for edge in code["size"])
        if max(abs(height - image_size[0]), abs(width - image_size[1])) > slack:
            return []
        counts = code["counts"]
        mask = _mask(_counts(counts) if isinstance(counts, str) else counts, height, width)
    except (TypeError, KeyError, ValueError, OverflowError):
        return []
    # A frame of nothing around it: a mask that touches the image's edge has its outline there.
    found = cv2.findContours(np.pad(mask, 1, "constant"), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    return [polygon.reshape(-1, 2) - 1 for polygon in found[-2]]


def _counts(text: str) -> List[int]:
    """The lengths of the runs. Each number is written in groups of five bits, the lowest first, in characters from "0" on; one
    more bit says that another group follows, and the last group's highest bit is the sign. From the third number on each is
    the difference to the one two before.

    The format is that of `rleToString` in pycocotools.
    """  # noqa: D205
    counts: List[int] = []
    number = shift = 0
    for character in text:
        group = ord(character) - 48
        if not 0 <= group < 64 or shift > 60:
            raise ValueError("no run-length code")
        number |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            number -= 1 << shift
        counts.append(number + counts[-2] if len(counts) > 2 else number)
        number = shift = 0
    if shift:
        raise ValueError("the run-length code is cut short")
    return counts


def _mask(counts: Sequence[int], height: int, width: int) -> np.ndarray:
    """uint8 `[height, width]` of 0 and 1; runs go down the columns and begin with one of 0."""
    lengths = np.array(counts, np.int64)
    if lengths.ndim != 1 or (lengths < 0).any() or int(lengths.sum()) != height * width:
        raise ValueError("the runs do not add up to the image")
    values = np.arange(len(lengths), dtype=np.uint8) & 1
    return np.ascontiguousarray(np.repeat(values, lengths).reshape(width, height).T)
