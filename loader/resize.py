"""Resizing a decoded image to a frame, into memory that the caller owns."""

from __future__ import annotations

from typing import Optional

import cv2
import numpy as np


def resize(image: np.ndarray, new_height: int, new_width: int, out: Optional[np.ndarray] = None) -> np.ndarray:
    """Resizes as the program of 2019 did (`INTER_LINEAR` on uint8), and not at all when the size is right.

    Args:
        image: uint8 `[H, W, 3]`, C-contiguous. It may lie in the memory of `out` (an image decoded in place).
        new_height: pixels, at least 1.
        new_width: pixels, at least 1.
        out: uint8 `[new_height, new_width, 3]`, writable and C-contiguous, which gets the frame; None for new memory.

    Returns:
        uint8 `[new_height, new_width, 3]`: `out`, where it was given; without it `image` itself when the size was right.

    Raises:
        ValueError: when `out` has not the frame's shape, type or layout.
    """
    if out is not None:
        _check(out, new_height, new_width)
    if image.shape[:2] == (new_height, new_width):
        if out is None:
            return image
        if not _same_memory(image, out):
            np.copyto(out, image)
        return out
    if out is not None and np.may_share_memory(image, out):
        # OpenCV reads the image while it writes the frame.
        image = image.copy()
    frame: np.ndarray = cv2.resize(image, (new_width, new_height), dst=out, interpolation=cv2.INTER_LINEAR)
    if out is None:
        return frame
    if not _same_memory(frame, out):
        # `dst` is only a wish: OpenCV takes other memory when something about it does not suit.
        np.copyto(out, frame)
    return out


def _check(out: np.ndarray, new_height: int, new_width: int) -> None:
    suits = out.dtype == np.uint8 and out.flags.c_contiguous and out.flags.writeable
    if not suits or out.shape != (new_height, new_width, 3):
        raise ValueError(
            "the frame's memory must be writable, C-contiguous uint8 of shape {}; it is {} of shape {}".format(
                (new_height, new_width, 3), out.dtype, out.shape
            )
        )


def _same_memory(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two C-contiguous arrays of one shape are the same bytes."""
    return bool(one.__array_interface__["data"] == other.__array_interface__["data"])
