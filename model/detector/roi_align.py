"""RoIAlign: the features of a box, in a grid of one size whatever the size of the box (He et al., Mask R-CNN, section 3)."""

from __future__ import annotations

import math
from typing import Any, List

import tensorflow.compat.v1 as tf

from ...modelfile.architecture import FPN_CHANNELS, POOLED
from .fpn import STRIDES

#: Edge of the box that is looked up on level 4; pixels (Lin et al., Feature Pyramid Networks, equation 1).
_CANONICAL = 224.0
_CANONICAL_LEVEL = 4
_FINEST, _COARSEST = 2, 5


def roi_align(maps: List[Any], boxes: Any, images: Any) -> Any:
    """The features of boxes, each from the level of its size.

    A box is divided into 14 x 14 cells, whose centres are sampled (bilinear; what lies outside of the map is zero); the means
    of 2 x 2 samples are the result. A pixel's value sits at its centre.

    Args:
        maps: p2 to p5, float32 `[B, H/stride, W/stride, 256]`.
        boxes: float32 `[N, 4]`: x1, y1, x2, y2 in pixels of the frame.
        images: int32 `[N]`: which image of the batch a box belongs to.

    Returns:
        float32 `[N, 7, 7, 256]`, in the order of the boxes.
    """
    level = levels(boxes)
    places, features = [], []
    for index, x in enumerate(maps):
        place = tf.reshape(tf.where(tf.equal(level, index + _FINEST)), [-1])
        sampled = _sample(x, tf.gather(boxes, place) / STRIDES[index], tf.gather(images, place))
        places.append(tf.cast(place, tf.int32))
        features.append(tf.nn.avg_pool(sampled, [1, 2, 2, 1], [1, 2, 2, 1], "VALID"))
    # Level by level is another order than the boxes'.
    back = tf.invert_permutation(tf.concat(places, axis=0))
    aligned = tf.gather(tf.concat(features, axis=0), back)
    aligned.set_shape([None, POOLED, POOLED, FPN_CHANNELS])
    return aligned


def levels(boxes: Any) -> Any:
    """The level of each box: int32 `[N]`, 2 to 5: `floor(4 + log2(sqrt(area) / 224))`.

    Args:
        boxes: float32 `[N, 4]`, pixels of the frame.
    """
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    exact = _CANONICAL_LEVEL + tf.log(tf.sqrt(area) / _CANONICAL + 1e-6) * (1.0 / math.log(2))
    return tf.cast(tf.clip_by_value(tf.floor(exact), _FINEST, _COARSEST), tf.int32)


def _sample(x: Any, boxes: Any, images: Any) -> Any:
    """The centres of a box's 14 x 14 cells: `[n, 14, 14, C]`.

    Args:
        x: a map, `[B, h, w, C]`.
        boxes: `[n, 4]`, in pixels of the map.
        images: `[n]`.
    """
    samples = 2 * POOLED
    # `crop_and_resize` wants the first and the last sample, as parts of the way from the first pixel's centre to the last's.
    cell = (boxes[:, 2:] - boxes[:, :2]) / samples
    first = boxes[:, :2] + cell / 2 - 0.5
    last = first + cell * (samples - 1)
    size = tf.cast(tf.shape(x)[1:3], tf.float32)
    way = tf.reverse(size, [0]) - 1.0
    corners = tf.concat([tf.reverse(first / way, [1]), tf.reverse(last / way, [1])], axis=1)
    return tf.image.crop_and_resize(x, corners, images, [samples, samples])
