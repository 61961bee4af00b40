"""Freezing: a detector's graph with its weights as constants, and the card that goes with it."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Union

import numpy as np

from ..architecture import Architecture
from .tensorflow1 import import_tensorflow

#: Instead of a batch size: any number of frames at a time.
ANY = "any"


def frozen_graph(
    architecture: Architecture,
    values: Mapping[str, np.ndarray],
    layout: str,
    batch_size: Union[int, str, None] = None,
    features: bool = False,
) -> bytes:
    """A detector as a binary GraphDef, with the names of the 2019 contract.

    It holds no attribute that says what is said without it, so that an older TensorFlow reads what a newer one wrote.

    Args:
        architecture: what to build.
        values: variable name to float32 array.
        layout: "NCHW" or "NHWC".
        batch_size: None for a graph that takes one frame, `[H, W, 3]`; a number for batches of just so many, or "any".
        features: whether `fpn_box_feat` is among the outputs.

    Returns:
        The same bytes for the same weights, with one version of TensorFlow.

    Raises:
        EngineBootError: when TensorFlow cannot be imported.
    """
    tf = import_tensorflow(quiet=True).compat.v1
    from .detector.graph import build_detector
    from .detector.parameters import Constants

    shape: List[Optional[int]] = [None, None, 3]
    if batch_size is not None:
        shape.insert(0, None if batch_size == ANY else int(batch_size))
    with tf.Graph().as_default() as graph:
        image = tf.placeholder(tf.float32, shape, "image")
        outputs = build_detector(architecture, Constants(values), image, layout, features)
        names = [tensor.op.name for tensor in outputs.values()]
        graph_def = tf.train.export_meta_graph(graph=graph, clear_devices=True, strip_default_attrs=True).graph_def
    pruned: Any = tf.graph_util.extract_sub_graph(graph_def, names)
    return bytes(pruned.SerializeToString(deterministic=True))
