"""Non-maximum suppression by class and the best of all classes, for a batch, in one operation without a loop."""

from __future__ import annotations

from typing import Any, NamedTuple

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


def suppress(boxes: Any, scores: Any, overlap: float, most_by_class: int, most: int, above: float) -> Kept:
    """Keeps the best boxes of each class that do not overlap a better one of their class.

    Args:
        boxes: float32 `[B, N, Q, 4]`: x1, y1, x2, y2 in pixels; Q is 1 when all classes share them, else C.
        scores: float32 `[B, N, C]`.
        overlap: a box goes when its intersection with a better one is more than this part of their union.
        most_by_class: boxes kept of each class.
        most: K, boxes kept in all.
        above: only scores above this are kept; at least 0, since TensorFlow 2 on a CPU takes lower ones for none.
    """
    # Areas and overlaps do not care which axis comes first, so the corners need not be turned to y, x.
    kept = tf.image.combined_non_max_suppression(
        boxes,
        scores,
        max_output_size_per_class=most_by_class,
        max_total_size=most,
        iou_threshold=overlap,
        score_threshold=above,
        clip_boxes=False,
    )
    return Kept(*kept)


def ranks(scores: Any) -> Any:
    """Scores of any sign as what `suppress` can take: the same order, above 0, with no two equal.

    Args:
        scores: float32 `[B, N, C]`.

    Returns:
        float32 `[B, N, C]`: for each image the worst is 1, the next 2, and so on; 0 for -inf.
    """
    shape = tf.shape(scores)
    flat = tf.reshape(scores, [shape[0], -1])
    count = tf.shape(flat)[1]
    best_first = tf.nn.top_k(flat, count).indices
    # Sorting a permutation inverts it: where in that order each one stands.
    place = tf.nn.top_k(-tf.cast(best_first, tf.float32), count).indices
    rank = tf.where(tf.equal(flat, float("-inf")), tf.zeros_like(flat), tf.cast(count - place, tf.float32))
    return tf.reshape(rank, shape)
