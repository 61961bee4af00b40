"""A model's graph, ready for a session: what all forms of models come to."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from ...modelfile.card import Card
from ...modelfile.graphinput import GraphInput
from .base import EngineSpec
from .layout import to_nhwc

_SCOPE = "divainfer"


class Prepared(NamedTuple):
    """A graph before its session.

    Attributes:
        graph: a `tf.Graph`.
        frames: its placeholder, uint8 `[H, W, 3]` or `[B, H, W, 3]`, BGR.
        fetches: role to tensor.
        input: what it takes.
        layout: of its feature maps, for the engine's description.
        fill: called with the session once it is open: gives variables their values.
    """

    graph: Any
    frames: Any
    fetches: Dict[str, Any]
    input: GraphInput
    layout: str
    fill: Callable[[Any], None]


def input_tensors(tf: Any, spec: EngineSpec, taken: GraphInput) -> Tuple[Any, Any]:
    """A uint8 placeholder, and the tensor made from it that the model gets as its image; both in the default graph.

    Args:
        tf: the module.
        spec: tells the order of colours, and where to compute.
        taken: what the model takes.
    """
    shape: List[Optional[int]] = [taken.frame_height, taken.frame_width, 3]
    if taken.batched:
        shape.insert(0, taken.batch_size)
    # In a scope of their own, since a model's nodes of the same names would get others.
    with tf.name_scope(_SCOPE):
        frames = tf.compat.v1.placeholder(tf.uint8, shape, "frames")
        image = frames
        # Pixels travel as bytes and become numbers on the device: a quarter of the copy.
        with tf.device("/gpu:0" if spec.on_gpu else None):
            if spec.card.colour_order == "RGB":
                image = tf.reverse(image, [len(shape) - 1])
            if taken.dtype != "uint8":
                image = tf.cast(image, taken.dtype)
    return frames, image


def fetched(graph: Any, card: Card) -> Dict[str, Any]:
    """Role to tensor of a graph whose tensors have the card's names."""
    return {role: graph.get_tensor_by_name(name) for role, name in card.outputs.items() if name}


def suit_device(spec: EngineSpec, graph_def: Any) -> int:
    """Rewrites in place, for a CPU, what was made for GPUs; returns the number of rewritten operations.

    Raises:
        EngineBootError: when that cannot be done.
    """
    if spec.on_gpu:
        return 0
    rewritten = to_nhwc(graph_def)
    _unpin(graph_def)
    return rewritten


def _unpin(graph_def: Any) -> None:
    """Forgets devices: on a CPU there is one, and soft placement does not reach into functions on each version."""
    for node in graph_def.node:
        node.device = ""
    for function in graph_def.library.function:
        for node in function.node_def:
            node.device = ""
