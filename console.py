"""What the program says to the operator while it works: on standard error, where the progress bar makes room for it."""

from __future__ import annotations

import contextlib
import logging
import re
import sys

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class ConsoleHandler(logging.Handler):
    """Logs by way of `say`."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one record."""
        say(self.format(record))


def say(sentence: str) -> None:
    """Prints a sentence; a run goes on when whoever listened is gone (`2>&1 | head`, a closed terminal)."""
    with contextlib.suppress(OSError):
        # Not click's echo, which would write past the progress bar's own stream and leave pieces of it behind.
        print(sentence.encode("utf-8", "replace").decode("utf-8"), file=sys.stderr, flush=True)


def one_line(path: str) -> str:
    """A path for people: on one line, whatever is in it, and nothing that a terminal would obey."""
    return _CONTROL.sub(
        lambda match: ascii(match.group())[1:-1], path.encode("utf-8", "backslashreplace").decode("utf-8")
    )


def counted(count: int, noun: str) -> str:
    """As "1 image" or "2,000 images"; for nouns that only take an s."""
    return "{:,} {}{}".format(count, noun, "" if count == 1 else "s")
