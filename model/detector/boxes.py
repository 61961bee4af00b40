"""Boxes: x1, y1, x2, y2 in pixels of the frame, x2 and y2 exclusive; float32, in the last axis."""

from __future__ import annotations

import math
from typing import Any

import tensorflow.compat.v1 as tf

from ...modelfile.architecture import COARSEST, Architecture

_SMALLEST = 16.0


def growth_limit(architecture: Architecture) -> float:
    """The most that the logarithm of an edge may grow: `log(max_size / 16)`, `max_size` rounded up to a multiple of 32."""
    return math.log(-(-architecture.max_size // COARSEST) * COARSEST / _SMALLEST)


def decode(deltas: Any, anchors: Any, limit: float) -> Any:
    """Boxes from what the network predicts: `centre + t * edge` and `edge * exp(t)` (Girshick et al., R-CNN, appendix C).

    Args:
        deltas: `[..., 4]`: tx, ty, tw, th.
        anchors: boxes they are relative to, `[..., 4]`; may be broadcast.
        limit: tw and th are cut to at most this.

    Returns:
        Boxes, `[..., 4]`.
    """
    edge = anchors[..., 2:] - anchors[..., :2]
    centre = (anchors[..., 2:] + anchors[..., :2]) * 0.5
    centre = deltas[..., :2] * edge + centre
    half = tf.exp(tf.minimum(deltas[..., 2:], limit)) * edge * 0.5
    return tf.concat([centre - half, centre + half], axis=-1)


def clip(boxes: Any, height: Any, width: Any) -> Any:
    """Boxes cut off at the borders of the frame.

    Args:
        boxes: `[..., 4]`.
        height: of the frame, pixels, int32 scalar.
        width: of the frame, pixels.
    """
    limits = tf.cast(tf.stack([width, height, width, height]), tf.float32)
    return tf.minimum(tf.maximum(boxes, 0.0), limits)


def empty(boxes: Any) -> Any:
    """Whether a box has no area: bool, one dimension less."""
    return tf.reduce_any(boxes[..., 2:] <= boxes[..., :2], axis=-1)
