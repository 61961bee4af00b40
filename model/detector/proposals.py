"""The region proposal network: where something may be, whatever it is."""

from __future__ import annotations

from typing import Any, List, NamedTuple

import tensorflow.compat.v1 as tf

from ...modelfile.architecture import Architecture
from .anchors import anchors_at
from .boxes import clip, decode, empty, growth_limit
from .layers import Layers
from .nms import ranks, suppress

_OVERLAP = 0.7


class Proposals(NamedTuple):
    """Boxes of each image, the best first.

    Attributes:
        boxes: float32 `[B, K, 4]`: x1, y1, x2, y2 in pixels of the frame, within it; zeros from `count` on.
        count: int32 `[B]`: rows that count.
    """

    boxes: Any
    count: Any


def proposals(layers: Layers, maps: List[Any], architecture: Architecture, height: Any, width: Any) -> Proposals:
    """The best boxes of all levels that do not overlap a better one of their level.

    Args:
        layers: makes the layers; the levels share them.
        maps: p2 to p6, 256 channels.
        architecture: how many, and how far a box may grow.
        height: of the frame, pixels, int32 scalar.
        width: of the frame, pixels.
    """
    most = architecture.rpn_test_post_nms_topk
    boxes, scores = [], []
    for level, x in enumerate(maps):
        hidden = layers.convolution(x, "rpn/conv0", relu=True)
        logits = layers.to_nhwc(layers.convolution(hidden, "rpn/class"))
        deltas = layers.to_nhwc(layers.convolution(hidden, "rpn/box"))
        batch, map_width = tf.shape(logits)[0], tf.shape(logits)[2]
        logits = tf.reshape(logits, [batch, -1])
        deltas = tf.reshape(deltas, [batch, -1, 4])
        best, indices = tf.nn.top_k(logits, tf.minimum(most, tf.shape(logits)[1]))
        found = decode(rows(deltas, indices), anchors_at(indices, map_width, level), growth_limit(architecture))
        found = clip(found, height, width)
        best = tf.where(empty(found), tf.fill(tf.shape(best), float("-inf")), best)
        boxes.append(_fill(found, most, 0.0))
        scores.append(_fill(best, most, float("-inf")))
    # To the suppression each level is a class: boxes are compared within it, and the best of all levels are kept.
    kept = suppress(tf.stack(boxes, axis=2), ranks(tf.stack(scores, axis=2)), _OVERLAP, most, most, above=0.0)
    return Proposals(kept.boxes, kept.count)


def rows(values: Any, indices: Any) -> Any:
    """Rows of each image.

    Args:
        values: `[B, N, D]`.
        indices: int32 `[B, K]`, below N.

    Returns:
        `[B, K, D]`.
    """
    shape = tf.shape(values)
    first = tf.range(shape[0])[:, tf.newaxis] * shape[1]
    return tf.gather(tf.reshape(values, [-1, values.shape.as_list()[2]]), indices + first)


def _fill(values: Any, count: int, filler: float) -> Any:
    """Adds rows at the end of axis 1 until there are `count`."""
    rank = len(values.shape)
    padding = [[0, 0], [0, count - tf.shape(values)[1]]] + [[0, 0]] * (rank - 2)
    filled = tf.pad(values, padding, constant_values=filler)
    filled.set_shape([None, count] + values.shape.as_list()[2:])
    return filled
