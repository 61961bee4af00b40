"""An image file as a frame, by OpenCV: what all do that decode in Python."""

from __future__ import annotations

from typing import Tuple

import cv2
import numpy as np

from divainfer.geometry import target_size


def read_frame(path: str, short_edge_size: int, max_size: int) -> Tuple[np.ndarray, Tuple[int, int]]:
    """Reads, decodes and resizes an image.

    Args:
        path: of the image.
        short_edge_size: of the frame, pixels.
        max_size: of the frame, pixels.

    Returns:
        The frame, uint8 `[H, W, 3]`, BGR, and the image's height and width, pixels.
    """
    image = cv2.imread(path, cv2.IMREAD_COLOR)
    size = image.shape[0], image.shape[1]
    height, width = target_size(size[0], size[1], short_edge_size, max_size)
    if size != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return image, size
