"""Non-maximum suppression by class and the best of all classes, for a batch, in one operation without a loop."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import tensorflow.compat.v1 as tf


class Kept(NamedTuple):
    """What is left of each image, the best first; rows from `count` on are zeros.

    Attributes:
        boxes: float32 `[B, K, 4]`: x1, y1, x2, y2 in pixels.
        scores: float32 `[B, K]`.
        classes: float32 `[B, K]`: from 0, the class's place in the input.
        count: int32 `[B]`: rows that count.
    """

    boxes: Any
    scores: Any
    classes: Any
    count: Any


def suppress(
    boxes: Any, scores: Any, overlap: float, most_by_class: int, most: int, above: Optional[float] = None
) -> Kept:
    """Keeps the best boxes of each class that do not overlap a better one of their class.

    Args:
        boxes: float32 `[B, N, Q, 4]`: x1, y1, x2, y2 in pixels; Q is 1 when all classes share them, else C.
        scores: float32 `[B, N, C]`; -inf for what must not be kept.
        overlap: a box goes when its intersection with a better one is more than this part of their union.
        most_by_class: boxes kept of each class.
        most: K, boxes kept in all.
        above: only scores above this are kept; None keeps all.
    """
    # Areas and overlaps do not care which axis comes first, so the corners need not be turned to y, x.
    kept = tf.image.combined_non_max_suppression(
        boxes,
        scores,
        max_output_size_per_class=most_by_class,
        max_total_size=most,
        iou_threshold=overlap,
        score_threshold=float("-inf") if above is None else above,
        clip_boxes=False,
    )
    return Kept(*kept)
