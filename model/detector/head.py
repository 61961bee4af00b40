"""The head: what lies in each proposal, and where exactly."""

from __future__ import annotations

from typing import Any, List

import tensorflow.compat.v1 as tf

from ...modelfile.architecture import FPN_CHANNELS, POOLED, Architecture
from .boxes import clip, decode, growth_limit
from .nms import Kept, suppress
from .parameters import Parameters
from .proposals import Proposals
from .roi_align import roi_align

#: The network predicts deltas times these, so that they are about as large as the logits.
_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
#: Detections with a lower score are left out.
_LEAST_SCORE = 1e-4
_OVERLAP = 0.5
#: Detections of a frame; of a class as well.
DETECTIONS = 100


def detections(
    parameters: Parameters, maps: List[Any], found: Proposals, architecture: Architecture, height: Any, width: Any
) -> Kept:
    """Classifies proposals, moves their boxes, and keeps the best that do not overlap a better one of their class.

    Args:
        parameters: the weights.
        maps: p2 to p5, `[B, H/stride, W/stride, 256]`.
        found: the proposals.
        architecture: classes, and how far a box may grow.
        height: of the frame, pixels, int32 scalar.
        width: of the frame, pixels.

    Returns:
        At most 100 a frame; class 0 is the first after the background.
    """
    batch, count = tf.shape(found.boxes)[0], tf.shape(found.boxes)[1]
    features = box_features(maps, found.boxes)
    hidden = tf.reshape(features, [-1, FPN_CHANNELS * POOLED * POOLED])
    for name in ("fastrcnn/fc6", "fastrcnn/fc7"):
        hidden = tf.nn.relu(_connected(parameters, hidden, name))
    scores = tf.nn.softmax(_connected(parameters, hidden, "fastrcnn/outputs/class"))
    scores = tf.reshape(scores, [batch, count, architecture.num_class])[:, :, 1:]
    # Rows that only fill the batch up must not be found.
    counts = tf.sequence_mask(found.count, count)
    scores *= tf.cast(counts, tf.float32)[:, :, tf.newaxis]
    deltas = _connected(parameters, hidden, "fastrcnn/outputs/box")
    if architecture.class_agnostic:
        deltas = tf.reshape(deltas, [batch, count, 1, 4])
    else:
        # The background has a box as well, which means nothing.
        deltas = tf.reshape(deltas, [batch, count, architecture.num_class, 4])[:, :, 1:]
    boxes = decode(deltas / tf.constant(_WEIGHTS), found.boxes[:, :, tf.newaxis], growth_limit(architecture))
    return suppress(clip(boxes, height, width), scores, _OVERLAP, DETECTIONS, DETECTIONS, above=_LEAST_SCORE)


def box_features(maps: List[Any], boxes: Any) -> Any:
    """The features of the boxes of all images.

    Args:
        maps: p2 to p5, `[B, H/stride, W/stride, 256]`.
        boxes: float32 `[B, K, 4]`, pixels of the frame.

    Returns:
        float32 `[B * K, 256, 7, 7]`, whatever the layout of the graph: the order in which `fc6` takes them.
    """
    shape = tf.shape(boxes)
    images = tf.reshape(tf.tile(tf.range(shape[0])[:, tf.newaxis], [1, shape[1]]), [-1])
    return tf.transpose(roi_align(maps, tf.reshape(boxes, [-1, 4]), images), [0, 3, 1, 2])


def _connected(parameters: Parameters, x: Any, name: str) -> Any:
    """A fully connected layer, `[N, in]` -> `[N, out]`."""
    y = tf.matmul(x, parameters.get(name + "/W"), name=name)
    return tf.nn.bias_add(y, parameters.get(name + "/b"))
