"""Boxes on an image."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import cv2
import numpy as np

#: BGR, of the palette of Okabe and Ito, by class id in turn.
_COLOURS = ((178, 114, 0), (0, 94, 213), (115, 158, 0), (167, 121, 204), (0, 159, 230), (233, 180, 86))


def draw_detections(
    image: np.ndarray, rows: Sequence[Mapping[str, Any]], scale: float = 1.0, names: bool = True
) -> np.ndarray:
    """An image with its detections drawn.

    Args:
        image: uint8 `[H, W, 3]`, BGR: the original image, or a smaller copy of it; it stays as it is.
        rows: detections as a result file has them.
        scale: pixels of `image` for one of the original.
        names: whether each gets its name.

    Returns:
        uint8 `[H, W, 3]`.
    """
    drawn = image.copy()
    height, width = drawn.shape[:2]
    for row in rows:
        x, y, w, h = (value * scale for value in row["bbox"])
        low = min(width - 1, max(0, int(x))), min(height - 1, max(0, int(y)))
        high = min(width - 1, max(0, int(x + w))), min(height - 1, max(0, int(y + h)))
        colour = _COLOURS[row["category_id"] % len(_COLOURS)]
        cv2.rectangle(drawn, low, high, colour, 1, cv2.LINE_AA)
        if names:
            cv2.putText(
                drawn, ascii(row["cat_name"])[1:-1], low, cv2.FONT_HERSHEY_SIMPLEX, 0.35, colour, 1, cv2.LINE_AA
            )
    return drawn
