"""The whole detector, from a frame or a batch of frames to detections, with the 2019 program's names for what comes out."""

from __future__ import annotations

from typing import Any, Dict

import tensorflow.compat.v1 as tf

from ...modelfile.architecture import Architecture
from .fpn import pyramid
from .head import box_features, detections
from .layers import NHWC, Layers
from .parameters import Parameters
from .proposals import Proposals, proposals
from .resnet import backbone

#: Of ImageNet, in the order blue, green, red, for pixels from 0 to 1.
_MEAN = (0.406, 0.456, 0.485)
_DEVIATION = (0.225, 0.224, 0.229)


def build_detector(
    architecture: Architecture, parameters: Parameters, image: Any, layout: str = NHWC, features: bool = False
) -> Dict[str, Any]:
    """Adds the detector to the default graph.

    Args:
        architecture: what to build.
        parameters: its weights.
        image: float32 `[H, W, 3]` or `[B, H, W, 3]` (B may be unknown), BGR, 0 to 255.
        layout: of the feature maps, NHWC or NCHW.
        features: whether the features of the final boxes are wanted.

    Returns:
        Role to tensor. Boxes are x1, y1, x2, y2 in pixels of the frame; labels are from 1; the best come first.

        For one frame: boxes float32 `[R, 4]`, labels int64 `[R]`, scores float32 `[R]`, R at most 100; features float32
        `[R, 256, 7, 7]`.

        For a batch: boxes `[B, 100, 4]`, labels float32 `[B, 100]`, scores `[B, 100]`, valid int32 `[B]`: how many of the 100
        count; features `[B, 100, 256, 7, 7]`.
    """
    batched = len(image.shape) == 4
    frames = image if batched else image[tf.newaxis]
    height, width = tf.shape(frames)[1], tf.shape(frames)[2]
    layers = Layers(parameters, layout)
    normalised = (frames / 255.0 - _MEAN) / _DEVIATION
    maps = pyramid(layers, backbone(layers, layers.from_nhwc(normalised), architecture), height, width)
    found = proposals(layers, maps, architecture, height, width)
    if not batched:
        # Alone, a frame need not fill up with empty rows.
        found = Proposals(found.boxes[:, : found.count[0]], found.count)
    pooled = [layers.to_nhwc(x) for x in maps[:4]]
    kept = detections(parameters, pooled, found, architecture, height, width)
    if batched:
        return _batch(kept, pooled, features)
    return _one(kept, pooled, features)


def _one(kept: Any, maps: Any, features: bool) -> Dict[str, Any]:
    count = kept.count[0]
    outputs = {
        "boxes": tf.identity(kept.boxes[0, :count], "final_boxes"),
        "labels": tf.cast(kept.classes[0, :count] + 1.0, tf.int64, "final_labels"),
        "scores": tf.identity(kept.scores[0, :count], "final_probs"),
    }
    if features:
        outputs["features"] = tf.identity(box_features(maps, outputs["boxes"][tf.newaxis]), "fpn_box_feat")
    return outputs


def _batch(kept: Any, maps: Any, features: bool) -> Dict[str, Any]:
    outputs = {
        "boxes": tf.identity(kept.boxes, "final_boxes"),
        "labels": tf.add(kept.classes, 1.0, "final_labels"),
        "scores": tf.identity(kept.scores, "final_probs"),
        "valid": tf.identity(kept.count, "final_valid_indices"),
    }
    if features:
        flat = box_features(maps, kept.boxes)
        shape = tf.concat([tf.shape(kept.boxes)[:2], tf.shape(flat)[1:]], axis=0)
        outputs["features"] = tf.reshape(flat, shape, "fpn_box_feat")
    return outputs
