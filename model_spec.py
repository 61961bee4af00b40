"""The model as a run needs it: file, digest, graph and card brought together and checked, before any process starts."""

from __future__ import annotations

import dataclasses
import os
from typing import List, NamedTuple, Optional, Tuple

from .card import CONTRACT_OUTPUTS, OPTIONAL_OUTPUTS, Card, card_path, read_card
from .classes import class_list as read_class_list
from .errors import ModelError
from .graphdef import GraphSkeleton, file_digest, node_name, read_graph

#: `--model demo`. A file of that name is given as `./demo`.
DEMO = "demo"
DEFAULT_SHORT_EDGE_SIZE = 1080
DEFAULT_MAX_SIZE = 1920

_INPUT_DTYPES = ("float32", "uint8")
_VARIABLES = ("Variable", "VariableV2", "VarHandleOp")
_LISTED = 8
_BACKGROUND = ("bg", "background", "__background__", "_background_", "none")


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


class ModelSpec(NamedTuple):
    """A model that can be run.

    Attributes:
        path: the model file.
        digest: its "sha256:...".
        card: complete: tensors, sizes and colour order are set, `batch_size` where the graph has a fixed one; only
            `classes` may be empty.
        graph: the graph without its weights.
        input: what the graph takes.
        notes: sentences for the operator about what was assumed.
    """

    path: str
    digest: str
    card: Card
    graph: GraphSkeleton
    input: GraphInput
    notes: List[str]


def model_path(model: str) -> str:
    """The model file that `--model` means; "demo" is the built-in one."""
    if model == DEMO:
        return os.path.join(os.path.dirname(os.path.abspath(__file__)), "model", "demo", "demo.pb")
    return model


def resolve_model(model: str, class_list: str = "") -> ModelSpec:
    """Finds, reads and checks a model.

    Args:
        model: "demo" or the path of a frozen graph.
        class_list: name or file of class names, as in `--class-list`; wins over the card's. "" takes the card's.

    Raises:
        ModelError: one sentence, when the file, its card, or the two together cannot be used.
        ConfigError: when there is no such class list.
    """
    path = model_path(model)
    graph = read_graph(path)
    card = read_card(path)
    digest = file_digest(path)
    if card.digest is not None and card.digest != digest:
        raise ModelError(
            "{}: this card belongs to another model file (its digest is {}, {} has {}). Bring the two that belong together, or "
            "remove the card's digest.".format(card_path(path), _short(card.digest), path, _short(digest))
        )
    _check_frozen(path, graph)
    card = _with_tensors(path, graph, card)
    taken = graph_input(path, graph, card)
    notes: List[str] = []
    if not card.source:
        notes.append(
            "{}: there is no model card ({}), so the names {} -> {} are taken.".format(
                path, card_path(path), card.image, ", ".join(card.outputs.values())
            )
        )
    classes, note = _class_names(path, card, class_list)
    notes.extend(note)
    if card.short_edge_size is None or card.max_size is None:
        notes.append(
            "{}: the card does not say how large frames are, so a short edge of {} and a long edge of at most {} pixels are "
            "taken, unless --short-edge-size and --max-size say otherwise.".format(
                path, card.short_edge_size or DEFAULT_SHORT_EDGE_SIZE, card.max_size or DEFAULT_MAX_SIZE
            )
        )
    card = dataclasses.replace(
        card,
        batch_size=taken.batch_size,
        short_edge_size=card.short_edge_size or DEFAULT_SHORT_EDGE_SIZE,
        max_size=card.max_size or DEFAULT_MAX_SIZE,
        classes=classes,
    )
    return ModelSpec(path, digest, card, graph, taken, notes)


def graph_input(path: str, graph: GraphSkeleton, card: Card) -> GraphInput:
    """What a graph takes, by its placeholder and its card.

    Args:
        path: the model file, for messages.
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
                path, card.image, _text(shape)
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


def _with_tensors(path: str, graph: GraphSkeleton, card: Card) -> Card:
    """The card with the optional outputs that the graph has; checks that the others are there."""
    if not _has(graph, card.image):
        raise ModelError(_missing(path, "input", [card.image], graph.placeholders, '"inputs": {"image": ...}'))
    outputs = {role: tensor for role, tensor in card.outputs.items() if tensor}
    missing = [outputs.get(role, role) for role in CONTRACT_OUTPUTS if not _has(graph, outputs.get(role, ""))]
    missing += [outputs[role] for role in OPTIONAL_OUTPUTS if role in outputs and not _has(graph, outputs[role])]
    if missing:
        raise ModelError(_missing(path, "output", missing, graph.sinks, '"outputs": {"boxes": ...}'))
    input_shape = graph.nodes[node_name(card.image)].shape
    for role, tensor in OPTIONAL_OUTPUTS.items():
        # A graph for one image has nothing to say about how many rows of each image count.
        fits = role != "valid" or input_shape is None or len(input_shape) == 4
        if role not in card.outputs and fits and _has(graph, tensor):
            outputs[role] = tensor
    return dataclasses.replace(card, outputs=outputs)


def _has(graph: GraphSkeleton, tensor: str) -> bool:
    """Whether a tensor "node:0" can be there; how many outputs a node has, the file does not say."""
    return tensor.partition(":")[2].isdigit() and node_name(tensor) in graph.nodes


def _check_frozen(path: str, graph: GraphSkeleton) -> None:
    variables = sum(graph.ops.get(kind, 0) for kind in _VARIABLES)
    if variables:
        raise ModelError(
            "{}: the graph is not frozen, it has {} variable{} whose values are not in the file. Freeze it first.".format(
                path, variables, "" if variables == 1 else "s"
            )
        )


def _class_names(path: str, card: Card, class_list: str) -> Tuple[Tuple[str, ...], List[str]]:
    if not class_list:
        if card.classes:
            notes = []
            if card.classes[0].lower() not in _BACKGROUND:
                notes.append(
                    "{}: its first class, {!r}, is taken for the background (class 0); add BG in front if it is a class to be "
                    "found.".format(card_path(path), card.classes[0])
                )
            return card.classes, notes
        return (), [
            "{}: the names of its classes are not known, so results name them by number; give --class-list, or write them "
            "into {}.".format(path, card_path(path))
        ]
    classes = read_class_list(class_list)
    if card.classes and card.classes != classes:
        return classes, ["--class-list {} is used instead of the names in {}.".format(class_list, card_path(path))]
    return classes, []


def _missing(path: str, kind: str, missing: List[str], candidates: Tuple[str, ...], key: str) -> str:
    shown = ", ".join(candidates[:_LISTED]) + (", ..." if len(candidates) > _LISTED else "")
    return "{}: the graph has no {} {}. Name the right one in {} ({}); candidates are: {}.".format(
        path, kind, ", ".join(missing), card_path(path), key, shown or "none"
    )


def _text(shape: Tuple[Optional[int], ...]) -> str:
    return "[{}]".format(", ".join("?" if size is None else str(size) for size in shape))


def _short(digest: str) -> str:
    return digest[: len("sha256:") + 12] + "..."
