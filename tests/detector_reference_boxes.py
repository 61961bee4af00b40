"""The boxes of `detector_reference`: anchors, their coding, and what puts out what.

Boxes are `[N, 4]`, `x1, y1, x2, y2` in pixels of the image, `x2` and `y2` exclusive.
"""

from __future__ import annotations

import math
from typing import List

import numpy as np

RATIOS = (0.5, 1.0, 2.0)


def round_up(max_size: int) -> int:
    """The size that anchors and the limit of a box's growth go by: a multiple of 32."""
    return -(-max_size // 32) * 32


def decode_limit(max_size: int) -> float:
    """Of the logarithm of a box's growth against its anchor."""
    return math.log(round_up(max_size) / 16)


def anchors(stride: int, size: int, max_size: int) -> np.ndarray:
    """`[F, F, 3, 4]`: row, column, ratio, box, for the largest image there is.

    The original Faster R-CNN made them from the window `0..stride-1`, both ends included: for each ratio a width
    and height, rounded, of about the window's area, then scaled. The pyramid's authors count the end exclusively: plus 1.
    """
    field = -(-round_up(max_size) // stride)
    out = np.zeros((field, field, len(RATIOS), 4))
    middle = (stride - 1) / 2
    shifts = np.arange(field) * stride
    for index, ratio in enumerate(RATIOS):
        narrow = np.round(math.sqrt(stride * stride / ratio))
        across, down = narrow * size / stride, np.round(narrow * ratio) * size / stride
        out[:, :, index, 0] = (middle - (across - 1) / 2 + shifts)[None, :]
        out[:, :, index, 1] = (middle - (down - 1) / 2 + shifts)[:, None]
        out[:, :, index, 2] = (middle + (across - 1) / 2 + 1 + shifts)[None, :]
        out[:, :, index, 3] = (middle + (down - 1) / 2 + 1 + shifts)[:, None]
    return out


def decode(deltas: np.ndarray, references: np.ndarray, limit: float) -> np.ndarray:
    """Boxes of `tx, ty, tw, th` against anchors or proposals, both `[..., 4]`."""
    size = references[..., 2:] - references[..., :2]
    middle = (references[..., 2:] + references[..., :2]) / 2 + deltas[..., :2] * size
    half = np.exp(np.minimum(deltas[..., 2:], limit)) * size / 2
    return np.concatenate([middle - half, middle + half], axis=-1)


def clip(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.clip(boxes, 0, [width, height, width, height])


def overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box `[4]` with others `[N, 4]`; 0 where one is empty."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.maximum(sides, 0).prod(axis=1)
    areas = np.maximum(others[:, 2:] - others[:, :2], 0).prod(axis=1)
    union = areas + np.maximum(box[2:] - box[:2], 0).prod() - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)


def best_first(scores: np.ndarray) -> np.ndarray:
    """Indices; of equals the first comes first."""
    return np.argsort(-scores, kind="stable")


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float, most: int) -> np.ndarray:
    """Indices of the boxes that stay, the best first: each one puts out those that overlap it by more than `threshold`."""
    kept: List[int] = []
    waiting = best_first(scores)
    while len(waiting) and len(kept) < most:
        kept.append(int(waiting[0]))
        waiting = waiting[1:]
        waiting = waiting[overlap(boxes[kept[-1]], boxes[waiting]) <= threshold]
    return np.array(kept, int)
