"""An image file as a frame, by OpenCV: what all contestants do that decode in Python."""

from __future__ import annotations

from typing import Tuple

import cv2
import numpy as np

from divainfer.geometry import target_size

from .task import Task


def read_frame(path: str, task: Task) -> Tuple[np.ndarray, Tuple[int, int]]:
    """Reads, decodes and resizes an image.

    Args:
        path: of the image.
        task: tells the frame's sizes.

    Returns:
        The frame, uint8 `[H, W, 3]`, BGR, and the image's height and width, pixels.
    """
    image = cv2.imread(path, cv2.IMREAD_COLOR)
    size = image.shape[0], image.shape[1]
    height, width = target_size(size[0], size[1], task.short_edge_size, task.max_size)
    if size != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return image, size
