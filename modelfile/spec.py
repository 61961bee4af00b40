"""The model as a run needs it: files, digest, graph and card brought together and checked, before any process starts."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from typing import List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..errors import ConfigError, ModelError
from .card import Card, card_path, read_card
from .checkpoint import CHECKPOINT
from .classes import class_list as read_class_list
from .form import SAVED_MODEL, SAVED_MODEL_FILE, model_form
from .graphdef import VARIABLE_OPS, GraphSkeleton, file_digest, read_graph
from .graphinput import GraphInput, graph_input, with_tensors
from .savedmodel import read_saved_model, with_signature
from .variable import read_variable_model

#: `--model demo`. A file of that name is given as `./demo`.
DEMO = "demo"
DEFAULT_SHORT_EDGE_SIZE = 1080
DEFAULT_MAX_SIZE = 1920

_BACKGROUND = ("bg", "background", "__background__", "_background_", "none")


class ModelSpec(NamedTuple):
    """A model that can be run.

    Attributes:
        path: the model's file or folder, or a checkpoint's prefix.
        form: FROZEN, CHECKPOINT or SAVED_MODEL.
        digest: "sha256:..." of all its files.
        card: complete: tensors, sizes and colour order are set, `batch_size` where the graph has a fixed one, `detector` for
            checkpoints; only `classes` may be empty.
        input: what the graph takes.
        notes: sentences for the operator about what was assumed.
    """

    path: str
    form: str
    digest: str
    card: Card
    input: GraphInput
    notes: List[str]


class _Content(NamedTuple):
    """What one of the forms says: its path, the card with what it adds, what it takes, its files, notes."""

    path: str
    card: Card
    input: GraphInput
    files: Sequence[str]
    notes: List[str]


def model_path(model: str) -> str:
    """The model that `--model` means; "demo" is the built-in one."""
    if model == DEMO:
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        return os.path.join(package, "model", "demo", "demo.pb")
    if os.path.basename(model) == SAVED_MODEL_FILE:
        return os.path.dirname(model) or "."
    return model


def resolve_model(model: str, class_list: str = "", options: Optional[Mapping[str, str]] = None) -> ModelSpec:
    """Finds, reads and checks a model.

    Args:
        model: "demo", or the path of a frozen graph, a checkpoint (training folder, prefix or `.npz`) or a SavedModel.
        class_list: name or file of class names, as in `--class-list`; wins over the card's. "" takes the card's.
        options: what `--engine tensorflow:...` says of a checkpoint's detector.

    Raises:
        ModelError: one sentence, when the model, its card, or the two together cannot be used.
        ConfigError: when there is no such class list or option.
    """
    path = model_path(model)
    form = model_form(path)
    card = read_card(path)
    options = options or {}
    if form == CHECKPOINT:
        content = _checkpoint(path, card, options)
    else:
        if options:
            raise ConfigError(
                "--engine tensorflow: {} says something of a checkpoint's detector, but {} is a {}, which has all that in it. "
                "Leave it out.".format(", ".join(sorted(options)), path, form)
            )
        content = _saved_model(path, card) if form == SAVED_MODEL else _frozen(path, card)
    digest = checked_digest(path, card, content.files)
    notes = list(content.notes)
    classes, note = _class_names(path, card, class_list)
    notes.extend(note)
    if form == CHECKPOINT:
        check_classes(path, content.card.detector["num_class"], classes, class_list)
    if card.short_edge_size is None or card.max_size is None:
        notes.append(
            "{}: the card does not say how large frames are, so a short edge of {} and a long edge of at most {} pixels are "
            "taken, unless --short-edge-size and --max-size say otherwise.".format(
                path, card.short_edge_size or DEFAULT_SHORT_EDGE_SIZE, card.max_size or DEFAULT_MAX_SIZE
            )
        )
    card = dataclasses.replace(
        content.card,
        batch_size=content.input.batch_size,
        short_edge_size=card.short_edge_size or DEFAULT_SHORT_EDGE_SIZE,
        max_size=card.max_size or DEFAULT_MAX_SIZE,
        classes=classes,
    )
    return ModelSpec(content.path, form, digest, card, content.input, notes)


def check_classes(path: str, wanted: int, classes: Sequence[str], class_list: str) -> None:
    """Compares class names, where there are any, with a checkpoint's number of classes.

    Args:
        path: the checkpoint, for messages.
        wanted: its number of classes, the background included.
        classes: the names.
        class_list: where they are from; "" for the card.

    Raises:
        ModelError: when they are more or less.
    """
    if classes and len(classes) != wanted:
        raise ModelError(
            "{}: the detector has {} classes, the background included, but {} names {}.".format(
                path, wanted, "--class-list " + class_list if class_list else card_path(path), len(classes)
            )
        )


def checked_digest(path: str, card: Card, files: Sequence[str]) -> str:
    """A model's digest, which is its card's if that has one.

    Args:
        path: the model, for messages.
        card: its card.
        files: all its files.

    Raises:
        ModelError: when the card belongs to another model, or a file cannot be read.
    """
    digest = model_digest(files)
    if card.digest is not None and card.digest != digest:
        raise ModelError(
            "{}: this card belongs to another model file (its digest is {}, {} has {}). Bring the two that belong together, or "
            "remove the card's digest.".format(card_path(path), _short(card.digest), path, _short(digest))
        )
    return digest


def model_digest(files: Sequence[str]) -> str:
    """The "sha256:..." digest of a model: its file's, or one over the names and digests of its files.

    Raises:
        ModelError: when one cannot be read.
    """
    if len(files) == 1:
        return file_digest(files[0])
    top = os.path.commonpath([os.path.dirname(os.path.abspath(file)) for file in files])
    digest = hashlib.sha256()
    for file in files:
        line = "{} {}\n".format(os.path.relpath(file, top), file_digest(file))
        digest.update(os.fsencode(line))
    return "sha256:" + digest.hexdigest()


def _frozen(path: str, card: Card) -> _Content:
    graph = read_graph(path)
    _check_frozen(path, graph)
    full = with_tensors(path, graph, card)
    notes = [] if card.source else [_taken_names(path, full)]
    # What a frozen graph's card says of the detector is in the graph.
    full = dataclasses.replace(full, detector={})
    return _Content(path, full, graph_input(path, graph, full), [path], notes)


def _saved_model(path: str, card: Card) -> _Content:
    saved = read_saved_model(path)
    full = with_tensors(path, saved.graph, with_signature(path, saved, card))
    full = dataclasses.replace(full, detector={})
    notes = [] if card.source else [_taken_names(path, full)]
    return _Content(path, full, graph_input(path, saved.graph, full), saved.files, notes)


def _checkpoint(path: str, card: Card, options: Mapping[str, str]) -> _Content:
    found = read_variable_model(path, card, options)
    # The graph is built here, so its tensors have the contract's names and any number of frames will do.
    full = dataclasses.replace(
        card,
        image=Card().image,
        outputs=Card().outputs,
        detector=found.architecture.to_json(),
    )
    taken = GraphInput(True, None, None, None, "float32")
    # Its prefix, not its folder: a training that goes on would give later workers another one.
    return _Content(found.checkpoint.prefix, full, taken, found.checkpoint.files, found.notes)


def _taken_names(path: str, card: Card) -> str:
    return "{}: there is no model card ({}), so the names {} -> {} are taken.".format(
        path, card_path(path), card.image, ", ".join(name for name in card.outputs.values() if name)
    )


def _check_frozen(path: str, graph: GraphSkeleton) -> None:
    variables = sum(graph.ops.get(kind, 0) for kind in VARIABLE_OPS)
    if variables:
        raise ModelError(
            "{}: the graph is not frozen, it has {} variable{} whose values are not in the file. Freeze it first, or give "
            "its checkpoint.".format(path, variables, "" if variables == 1 else "s")
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


def _short(digest: str) -> str:
    return digest[: len("sha256:") + 12] + "..."
