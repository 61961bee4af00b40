"""Engines by name: which there are, and what `--engine` says. Imports none of them, so parents may ask."""

from __future__ import annotations

import importlib
import re
from typing import Any, Dict, Iterable, Tuple

from .errors import ConfigError

ENTRY_POINTS = "divainfer.engines"
TENSORFLOW, EMULATED = "tensorflow", "emulated"
_WORD = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]*$")


def parse_engine(text: str) -> Tuple[str, Dict[str, str]]:
    """Takes `--engine` apart: "emulated:busy_ms=160,cpu_ms=5" -> ("emulated", {"busy_ms": "160", "cpu_ms": "5"}).

    Raises:
        ConfigError: one sentence, when it does not read `name` or `name:key=value,...`.
    """
    name, colon, rest = text.partition(":")
    if not _WORD.match(name):
        raise ConfigError("--engine {!r}: a name is wanted, such as tensorflow or emulated:busy_ms=160.".format(text))
    options: Dict[str, str] = {}
    for part in rest.split(",") if colon else []:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value or not _WORD.match(key):
            raise ConfigError(
                "--engine {!r}: {!r} is not an option; write key=value, joined by commas.".format(text, part)
            )
        if key in options:
            raise ConfigError("--engine {!r}: the option {} is given twice.".format(text, key))
        options[key] = value
    return name, options


def check_engine(name: str) -> None:
    """Checks that there is an engine of that name.

    Raises:
        ConfigError: when there is none.
    """
    known = {TENSORFLOW, EMULATED} | {point.name for point in entry_points()}
    if name not in known:
        raise ConfigError("--engine {}: there is no such engine; known are {}.".format(name, ", ".join(sorted(known))))


def entry_points() -> Iterable[Any]:
    """The engines that installed packages bring."""
    try:
        metadata: Any = importlib.import_module("importlib.metadata")
    except ImportError:  # Python 3.7 has only the backport.
        metadata = importlib.import_module("importlib_metadata")
    try:
        found: Iterable[Any] = metadata.entry_points(group=ENTRY_POINTS)
    except TypeError:  # Before Python 3.10 it takes no argument and returns a dict.
        found = metadata.entry_points().get(ENTRY_POINTS, ())
    return found
