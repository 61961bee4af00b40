"""Anchors: at each position of each level three boxes of one area, which the proposals are measured from.

The enumeration is that of the original Faster R-CNN (`generate_anchors`), as tensorpack uses it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from .fpn import STRIDES

#: Edge of an anchor of ratio 1, pixels, of p2 to p6.
SIZES = (32, 64, 128, 256, 512)
#: Height over width.
RATIOS = (0.5, 1.0, 2.0)


def base_anchors(stride: int, size: int) -> np.ndarray:
    """The anchors of the first position of a level.

    The window `0..stride-1` is reshaped to each ratio with whole numbers for width and height, then scaled about its centre by
    `size / stride`. The original's last pixel is inclusive; here x2 and y2 are exclusive, so one is added.

    Args:
        stride: of the level, pixels.
        size: of the anchors, pixels.

    Returns:
        float32 `[3, 4]`: x1, y1, x2, y2 in pixels of the image, for each of `RATIOS`.
    """
    ratios = np.array(RATIOS)
    widths = np.round(np.sqrt(stride * stride / ratios))
    heights = np.round(widths * ratios)
    half = np.stack([widths, heights], axis=1) * (size / stride) / 2
    centre = (stride - 1) / 2
    # The original's inclusive corners are centre -+ (edge - 1) / 2.
    return np.concatenate([centre - half + 0.5, centre + half + 0.5], axis=1).astype(np.float32)


def anchors_at(indices: Any, width: Any, level: int) -> Any:
    """The anchors of some positions; all of them would be 15 MB of constants, and bound the image's size.

    Args:
        indices: int32, any shape: (row * width + column) * 3 + ratio.
        width: of the level's map, int32 scalar.
        level: 0 for p2 to 4 for p6.

    Returns:
        float32, one dimension more: x1, y1, x2, y2 in pixels of the image.
    """
    base = tf.constant(base_anchors(STRIDES[level], SIZES[level]))
    position = indices // len(RATIOS)
    corner = tf.stack([position % width, position // width] * 2, axis=-1) * STRIDES[level]
    return tf.cast(corner, tf.float32) + tf.gather(base, indices % len(RATIOS))
