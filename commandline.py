"""Options as a command that can be pasted into a shell."""

from __future__ import annotations

import re
import shlex
from typing import Any, Dict, List

from .config import AUTO, FIELDS, option_name

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\udc80-\udcff]")


def repeat_command(config: Dict[str, Any], index: int, image: str) -> str:
    """The command that runs one image of a run alone, to see what becomes of it.

    Args:
        config: the run's options, as in `run.json`.
        index: the image's position in the list, which names the output folder.
        image: its path.
    """
    return run_command(dict(config, images=image, out="repeat-{}".format(index), flat=False, metrics_port=""))


def run_command(config: Dict[str, Any]) -> str:
    """`divainfer run` with the options that differ from their defaults.

    Args:
        config: plain values by field name, as `config.to_json` gives them.
    """
    words: List[str] = ["divainfer", "run"]
    for name, field in FIELDS.items():
        value = config.get(name)
        default = AUTO if field.metadata["auto"] else field.default
        if value is None or value == default or value == []:
            continue
        if isinstance(value, bool):
            words.append(option_name(name) if value else "--no-" + option_name(name)[2:])
            continue
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        words += [option_name(name), quoted(text)]
    return " ".join(words)


def quoted(text: str) -> str:
    r"""A word for a shell, on one line; `$'...'` where it has newlines and the like, or bytes that are not UTF-8 (`\udcXX`)."""
    if not _UNPRINTABLE.search(text):
        return shlex.quote(text)
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "$'{}'".format(_UNPRINTABLE.sub(lambda match: "\\x{:02x}".format(ord(match.group()) & 0xFF), escaped))
