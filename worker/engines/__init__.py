"""The engines' classes by name: the built-in ones, and those that installed packages bring."""

from __future__ import annotations

import importlib
from typing import Any, Type

from ...engines import EMULATED, TENSORFLOW, check_engine, entry_points, parse_engine
from ...errors import ConfigError
from .base import Engine

__all__ = ["engine_class", "parse_engine"]

# They are entry points of this package too; naming them here keeps them when it runs from a checkout.
_BUILT_IN = {EMULATED: "EmulatedEngine", TENSORFLOW: "TensorFlowEngine"}


def engine_class(name: str) -> Type[Engine]:
    """The engine of a name; imports its module.

    Raises:
        ConfigError: when there is no such engine, or the package that brings it is broken.
    """
    check_engine(name)
    found: Any
    if name in _BUILT_IN:
        found = getattr(importlib.import_module("." + name, __name__), _BUILT_IN[name])
    else:
        point = next(point for point in entry_points() if point.name == name)
        try:
            found = point.load()
        except Exception as error:  # Another package's code may fail in any way.
            raise ConfigError("--engine {}: {} cannot be loaded ({!r}).".format(name, point.value, error))
    if not (isinstance(found, type) and issubclass(found, Engine)):
        raise ConfigError("--engine {}: {!r} is not a subclass of {}.Engine.".format(name, found, Engine.__module__))
    return found
