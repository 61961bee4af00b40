"""Lines that stay at the bottom of a terminal and change, while sentences go by above them."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from typing import Callable, List, TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment
from rich.style import Style

from .terminal import Line

log = logging.getLogger("dispatcher")

#: How often it is drawn: samples come once a second, and the dispatcher has other work.
_A_SECOND = 1.0
#: Many workers take longer to draw, and are then drawn less often: of the time, drawing may take this share.
_SHARE = 0.02

#: Makes the lines for so many columns and lines; the last argument asks for ASCII.
Draw = Callable[[int, int, bool], List[Line]]


class LiveScreen:
    """Draws about once a second, by a thread of its own.

    So a terminal that takes nothing for a while keeps nobody waiting; and one that is gone is no error.

    Args:
        stream: the terminal.
        draw: makes the lines; called by that thread.
    """

    def __init__(self, stream: TextIO, draw: Draw) -> None:
        self._console = Console(file=stream)
        self._draw = draw
        self._size = self._console.size
        self._shown = Lines([])
        self._again_at = 0.0
        self._broken = False
        self._live = Live(
            console=self._console, get_renderable=self._drawn, transient=True, refresh_per_second=_A_SECOND
        )

    def start(self) -> None:
        """Shows the lines."""
        with contextlib.suppress(OSError):
            self._live.start(refresh=True)

    def stop(self) -> None:
        """Takes them away."""
        with contextlib.suppress(OSError):
            self._live.stop()

    def _drawn(self) -> "Lines":
        size = self._console.size
        if size.width < self._shown.width:
            self._take_away_wrapped(size.width)
        if size != self._size or time.monotonic() >= self._again_at:
            self._size = size
            began = time.thread_time()
            self._shown = Lines(self._draw_unless_broken())
            self._again_at = time.monotonic() + (time.thread_time() - began) / _SHARE
        return self._shown

    def _draw_unless_broken(self) -> List[Line]:
        if self._broken:
            return []
        try:
            return self._draw(*self._size, not self._console.encoding.startswith("utf"))
        except Exception:
            # What only shows must not cost the run.
            self._broken = True
            log.exception("the view cannot be drawn; the run goes on without")
            return []

    def _take_away_wrapped(self, width: int) -> None:
        """Removes the lines that have become two or more because the terminal is narrower now; rich counts them as one."""
        if not _wraps_again():
            return
        more = sum(max(0, -(-length // width) - 1) for length in self._shown.lengths)
        up = [(ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)]
        self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *(up * more)))


class Lines:
    """Lines as rich prints them.

    Args:
        lines: each not wider than the terminal.

    Attributes:
        width: the terminal's when they were printed last; 0 before.
    """

    def __init__(self, lines: List[Line]) -> None:
        self._lines = lines
        self.width = 0

    @property
    def lengths(self) -> List[int]:
        """Columns that each took when they were printed last."""
        return [min(self.width, sum(len(text) for text, _ in line)) for line in self._lines]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Their pieces; parsing them as rich's own texts and tables would take ten times as long."""
        self.width = options.max_width
        for line in self._lines:
            for text, style in line:
                yield Segment(text, Style.parse(style) if style else None)
            yield Segment.line()


def can_be_live(stream: TextIO) -> bool:
    """Whether that is a terminal on which lines can be changed."""
    with contextlib.suppress(ValueError, OSError):
        return stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
    return False


def _wraps_again() -> bool:
    """Whether this terminal wraps its lines anew when it becomes narrower: all but these do."""
    return not os.environ.get("XTERM_VERSION") and not (os.environ.get("STY") and not os.environ.get("TMUX"))
