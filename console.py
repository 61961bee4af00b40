"""What the program says to the operator while it works: on standard error, where the progress bar makes room for it."""

from __future__ import annotations

import contextlib
import logging
import sys


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
    """A path for people: on one line, whatever is in it."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8").replace("\n", "\\n")


def counted(count: int, noun: str) -> str:
    """As "1 image" or "2,000 images"; for nouns that only take an s."""
    return "{:,} {}{}".format(count, noun, "" if count == 1 else "s")
