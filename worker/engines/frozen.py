"""A frozen graph, ready for a session."""

from __future__ import annotations

from typing import Any

from ...modelfile.graphdef import read_graph
from ...modelfile.graphinput import graph_input
from .base import EngineSpec
from .layout import describe
from .prepared import Prepared, fetched, input_tensors, suit_device


def prepare_frozen(tf: Any, spec: EngineSpec) -> Prepared:
    """Reads a `.pb` and, for the CPU, rewrites what was made for GPUs.

    Args:
        tf: the module.
        spec: with the file's path and its complete card.

    Raises:
        ModelError: when it is no graph.
        EngineBootError: when a CPU cannot run it.
    """
    path, card = spec.model, spec.card
    skeleton = read_graph(path)
    taken = graph_input(path, skeleton, card)
    graph_def = tf.compat.v1.GraphDef()
    with open(path, "rb") as file:
        graph_def.ParseFromString(file.read())
    rewritten = suit_device(spec, graph_def)
    graph = tf.Graph()
    with graph.as_default():
        frames, image = input_tensors(tf, spec, taken)
        # One import with an empty prefix: under a prefix or a second time, loops of either kind break.
        tf.import_graph_def(graph_def, name="", input_map={card.image: image})
    return Prepared(graph, frames, fetched(graph, card), taken, describe(skeleton, rewritten), lambda session: None)
