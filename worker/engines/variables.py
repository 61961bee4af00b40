"""A checkpoint's detector, built anew and ready for a session."""

from __future__ import annotations

from typing import Any

from ...model.weights import read_weights
from ...modelfile.graphinput import GraphInput
from ...modelfile.variable import read_variable_model
from .base import EngineSpec
from .prepared import Prepared, input_tensors


def prepare_variables(tf: Any, spec: EngineSpec) -> Prepared:
    """Builds the detector in the layout that suits the device, with variables for the checkpoint's values.

    Args:
        tf: the module.
        spec: with the checkpoint's path, its card, and options that say what the detector is.

    Raises:
        ModelError: when checkpoint, card and options do not fit together, or values cannot be read.
    """
    from ...model.detector.graph import build_detector
    from ...model.detector.layers import NCHW, NHWC
    from ...model.detector.parameters import Variables

    model = read_variable_model(spec.model, spec.card, spec.options)
    layout = NCHW if spec.on_gpu else NHWC
    # A graph for one frame need not fill up with rows that do not count.
    taken = GraphInput(spec.batch_size > 1, None, None, None, "float32")
    variables = Variables(model.architecture)
    graph = tf.Graph()
    with graph.as_default():
        frames, image = input_tensors(tf, spec, taken)
        fetches = build_detector(model.architecture, variables, image, layout)

    def fill(session: Any) -> None:
        variables.load(session, read_weights(model.checkpoint, model.architecture.variables()))

    return Prepared(graph, frames, fetches, taken, "{}, variables".format(layout), fill)
