"""How one value of an option is read, from a command line, an environment or a TOML file alike.

Each function takes what was given, or makes one that does; it returns the value, or raises a ValueError that says what is
wanted.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Tuple

from .address import parse_address

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def text(value: Any) -> str:
    """Text as it is."""
    if not isinstance(value, str):
        raise ValueError("text is wanted, as on the command line")
    return value


def flag(value: Any) -> bool:
    """True or false, or one of the words for them."""
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if not isinstance(value, str) or value.lower() not in words:
        raise ValueError("true or false is wanted")
    return words[value.lower()]


def whole(least: int, most: int = 2**31) -> Callable[[Any], int]:
    """Takes whole numbers between two."""

    def parse(value: Any) -> int:
        try:
            number = int(value, 10) if isinstance(value, str) else value
        except ValueError:
            number = None
        if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
            limit = " and at most {}".format(most) if most < 2**31 else ""
            raise ValueError("a whole number of at least {}{} is wanted".format(least, limit))
        return number

    return parse


def number(least: float, most: float) -> Callable[[Any], float]:
    """Takes numbers between two."""

    def parse(value: Any) -> float:
        try:
            number = None if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = None
        if number is None or not least <= number <= most:
            raise ValueError("a number from {:g} to {:g} is wanted".format(least, most))
        return number

    return parse


def number_or_0(least: float, most: float) -> Callable[[Any], float]:
    """Takes 0 and numbers between two."""
    parse = number(0, most)

    def parse_or_0(value: Any) -> float:
        number = parse(value)
        if 0 < number < least:
            raise ValueError("0, or a number from {:g} to {:g} is wanted".format(least, most))
        return number

    return parse_or_0


def names(value: Any) -> Tuple[str, ...]:
    """Names out of a list, or joined by commas."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, (str, int)) for item in value):
        raise ValueError("a list of names is wanted")
    return tuple(str(item).strip() for item in value if str(item).strip())


def one_of(*words: str) -> Callable[[Any], str]:
    """Takes one of some words."""

    def parse(value: Any) -> str:
        if value not in words:
            raise ValueError("one of {} is wanted".format(", ".join(words)))
        return str(value)

    return parse


def parse_size(value: Any) -> int:
    """Bytes out of "4GiB", "512MB", "800m" or a plain number.

    Raises:
        ValueError: when it is none of these.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = re.match(r"^\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?\s*$", value.lower()) if isinstance(value, str) else None
    if match is None or match.group(2) not in _UNITS or float(match.group(1)) <= 0:
        raise ValueError("a size such as 4GiB or 512MB is wanted")
    return int(float(match.group(1)) * _UNITS[match.group(2)])


def address(value: Any) -> str:
    """Where something listens, or nothing: a port such as 9400, or HOST:PORT."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError("a port such as 9400, or HOST:PORT, is wanted")
    if value != "":
        parse_address(str(value))
    return str(value)
