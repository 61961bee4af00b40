"""What a graph takes and gives: the tensors of its card, checked against the graph."""

from __future__ import annotations

import dataclasses
from typing import List, NamedTuple, Optional, Tuple

from ..errors import ModelError
from .card import CONTRACT_OUTPUTS, OPTIONAL_OUTPUTS, Card, card_path
from .graphdef import GraphSkeleton, node_name
from .words import shape_text

_INPUT_DTYPES = ("float32", "uint8")
_LISTED = 8


class GraphInput(NamedTuple):
    """What a graph takes.

    Attributes:
        batched: True for `[B, H, W, 3]`, False for `[H, W, 3]`.
        batch_size: the only B it takes; None when any will do, and for one-image graphs.
        frame_height: the only height, pixels; None when any will do.
        frame_width: the only width, pixels; None when any will do.
        dtype: "float32" or "uint8".
    """

    batched: bool
    batch_size: Optional[int]
    frame_height: Optional[int]
    frame_width: Optional[int]
    dtype: str


def with_tensors(path: str, graph: GraphSkeleton, card: Card) -> Card:
    """The card with the optional outputs that the graph has.

    Args:
        path: the model, for messages.
        graph: the graph.
        card: as read.

    Raises:
        ModelError: one sentence with candidates, when one of the card's tensors is not in the graph.
    """
    if not has_tensor(graph, card.image):
        raise ModelError(_missing(path, "input", [card.image], graph.placeholders, '"inputs": {"image": ...}'))
    outputs = {role: tensor for role, tensor in card.outputs.items() if tensor}
    missing = [outputs.get(role, role) for role in CONTRACT_OUTPUTS if not has_tensor(graph, outputs.get(role, ""))]
    missing += [outputs[role] for role in OPTIONAL_OUTPUTS if role in outputs and not has_tensor(graph, outputs[role])]
    if missing:
        raise ModelError(_missing(path, "output", missing, graph.sinks, '"outputs": {"boxes": ...}'))
    input_shape = graph.nodes[node_name(card.image)].shape
    for role, tensor in OPTIONAL_OUTPUTS.items():
        # A graph for one image has nothing to say about how many rows of each image count.
        fits = role != "valid" or input_shape is None or len(input_shape) == 4
        if role not in card.outputs and fits and has_tensor(graph, tensor):
            outputs[role] = tensor
    return dataclasses.replace(card, outputs=outputs)


def has_tensor(graph: GraphSkeleton, tensor: str) -> bool:
    """Whether a tensor "node:0" can be there; how many outputs a node has, the file does not say."""
    return tensor.partition(":")[2].isdigit() and node_name(tensor) in graph.nodes


def graph_input(path: str, graph: GraphSkeleton, card: Card) -> GraphInput:
    """What a graph takes, by its placeholder and its card.

    Args:
        path: the model, for messages.
        graph: the graph.
        card: with the tensors the graph has.

    Raises:
        ModelError: when that is not a frame or a batch of frames, or card and graph contradict each other.
    """
    node = graph.nodes[node_name(card.image)]
    valid = bool(card.outputs.get("valid"))
    # A tensor in the middle of the graph may be fed as well; it does not say what it is, and the contract has float32.
    dtype = node.dtype or "float32"
    if dtype not in _INPUT_DTYPES:
        raise ModelError("{}: the input {} is {}; float32 or uint8 is wanted.".format(path, card.image, dtype))
    shape = node.shape
    if shape is None:
        batched = valid or card.batch_size is not None
        return GraphInput(batched, card.batch_size, None, None, dtype)
    if len(shape) not in (3, 4) or shape[-1] not in (3, None):
        raise ModelError(
            "{}: the input {} has the shape {}; [H, W, 3] or [B, H, W, 3] is wanted.".format(
                path, card.image, shape_text(shape)
            )
        )
    height, width = shape[-3], shape[-2]
    if len(shape) == 3:
        if valid or card.batch_size is not None:
            raise ModelError(
                "{}: the card describes a batched graph ({}), but the input {} takes one image. Mend the card.".format(
                    card_path(path), "valid" if valid else "batch_size", card.image
                )
            )
        return GraphInput(False, None, height, width, dtype)
    fixed = shape[0]
    if fixed is not None and card.batch_size not in (None, fixed):
        raise ModelError(
            "{}: the card's batch_size is {}, but the graph takes batches of {}. Mend the card.".format(
                card_path(path), card.batch_size, fixed
            )
        )
    return GraphInput(True, fixed or card.batch_size, height, width, dtype)


def _missing(path: str, kind: str, missing: List[str], candidates: Tuple[str, ...], key: str) -> str:
    shown = ", ".join(candidates[:_LISTED]) + (", ..." if len(candidates) > _LISTED else "")
    return "{}: the graph has no {} {}. Name the right one in {} ({}); candidates are: {}.".format(
        path, kind, ", ".join(missing), card_path(path), key, shown or "none"
    )
