"""A checkpoint as a model: the architecture that its variables, its card and the operator tell."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Mapping, NamedTuple

from ..config import suggestion
from ..errors import ConfigError, ModelError
from .architecture import Architecture, check_variables, settle
from .card import Card, card_path
from .checkpoint import Checkpoint, check_dtypes, find_checkpoint
from .words import shown

_DEFAULTS = Architecture().to_json()
_WORDS = {"true": True, "false": False}


class VariableModel(NamedTuple):
    """A checkpoint, and the detector that it belongs to.

    Attributes:
        checkpoint: the values.
        architecture: what to build.
        unused: names of variables that the detector has not, sorted.
        notes: sentences for the operator about what was assumed.
    """

    checkpoint: Checkpoint
    architecture: Architecture
    unused: List[str]
    notes: List[str]


def read_variable_model(path: str, card: Card, options: Mapping[str, str]) -> VariableModel:
    """Finds a checkpoint and settles what its detector is.

    Args:
        path: as `find_checkpoint` takes it.
        card: what it says of the detector wins over defaults. What the variables tell must not be contradicted.
        options: what the operator says: fields of `Architecture` as text; wins over the card.

    Raises:
        ModelError: one sentence, when there is no sound checkpoint, or it is not one of such a detector.
        ConfigError: one sentence, for an option that is none.
    """
    said = parse_options(options)
    checkpoint = find_checkpoint(path)
    architecture, unsaid = settle(path, checkpoint.shapes, {"max_size": card.max_size}, card.detector, said)
    unused = check_variables(path, architecture, checkpoint.shapes)
    check_dtypes(checkpoint, architecture.variables())
    notes = []
    assumed = ["{}={}".format(name, str(getattr(architecture, name)).lower()) for name in unsaid]
    if assumed:
        notes.append(
            "{}: its variables do not tell everything of the detector, so this is taken: {}. If it is otherwise, say so in "
            '{} ("detector": {{...}}) or with --engine tensorflow:{}=...'.format(
                path, ", ".join(assumed), card_path(path), unsaid[0]
            )
        )
    if unused:
        notes.append("{}: {} of its variables are not needed: {}.".format(path, len(unused), shown(unused)))
    return VariableModel(checkpoint, architecture, unused, notes)


def parse_options(options: Mapping[str, str]) -> Dict[str, Any]:
    """The engine's options as fields of an `Architecture`.

    Raises:
        ConfigError: one sentence, when one is unknown or has no usable value.
    """
    parsed: Dict[str, Any] = {}
    for name, text in options.items():
        if name not in _DEFAULTS:
            raise ConfigError(
                "--engine tensorflow: there is no option {!r}{}; for checkpoints there are {}.".format(
                    name, suggestion(name, _DEFAULTS), ", ".join(_DEFAULTS)
                )
            )
        flag = isinstance(_DEFAULTS[name], bool)
        value = _WORDS.get(text.lower()) if flag else int(text) if text.isdigit() else None
        if value is None:
            raise ConfigError(
                "--engine tensorflow: {}={} is not understood; {} is wanted.".format(
                    name, text, "true or false" if flag else "a whole number"
                )
            )
        parsed[name] = value
    try:
        dataclasses.replace(Architecture(), **parsed)
    except ModelError as error:
        raise ConfigError("--engine tensorflow: {}".format(error))
    return parsed
