"""How far the run is, while it runs: a view of all workers in a terminal, a line every 30 s elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from typing import Callable, List, Optional, Sequence, TextIO

from ..console import counted
from .livescreen import LiveScreen, can_be_live
from .sample import Sample
from .terminal import Line, render
from .view import Standing, View, make_view
from .words import duration, percent_done, rate

log = logging.getLogger("dispatcher")

LIVE, LINES, NONE, AUTO = "live", "lines", "none", "auto"
_LINE_SECONDS = 30.0
#: Steps of the history: as many as a sparkline has blocks at most.
_POINTS = 24


class ProgressDisplay:
    """Shows a run's progress on the standard error stream.

    Args:
        mode: LIVE, LINES, NONE or AUTO; without a terminal LIVE is LINES.
        standing: how the run stands; its `done` and `failures` are those before this start.
        samples: gives the last samples of this start, the oldest first; called by another thread.
        stream: where it goes; None for standard error.
    """

    def __init__(
        self,
        mode: str,
        standing: Standing,
        samples: Callable[[], Sequence[Sample]],
        stream: Optional[TextIO] = None,
    ) -> None:
        self._stream = stream or sys.stderr
        if mode in (AUTO, LIVE):
            mode = LIVE if can_be_live(self._stream) else LINES
        self._mode = mode
        self._standing = standing
        self._samples = samples
        self._line_at = time.monotonic() + _LINE_SECONDS
        self._screen: Optional[LiveScreen] = None
        if mode == LINES:
            done = standing.done or 0
            self._print("starting: {:,} of {} to do".format(standing.images - done, counted(standing.images, "image")))
        if mode == LIVE:
            self._screen = LiveScreen(self._stream, self._draw)
            self._screen.start()

    def update(self) -> None:
        """To be called several times a second: prints a line when it is time."""
        if self._mode == LINES and time.monotonic() >= self._line_at:
            # Not those that were missed: the program may have been stopped for an hour.
            self._line_at = time.monotonic() + _LINE_SECONDS
            self._print_progress()

    def close(self) -> None:
        """Takes the view away."""
        if self._screen is not None:
            self._screen.stop()

    def _view(self, points: int) -> View:
        samples = self._samples()
        standing = self._standing._replace(done=None, failures=None) if samples else self._standing
        return make_view(samples, standing, points)

    def _draw(self, width: int, height: int, plain: bool) -> List[Line]:
        return render(self._view(_POINTS), width, height, plain)

    def _print_progress(self) -> None:
        try:
            line = progress_line(self._view(0))
        except Exception:
            # What only shows must not cost the run.
            self._mode = NONE
            log.exception("the progress cannot be shown; the run goes on without")
        else:
            self._print(line)

    def _print(self, text: str) -> None:
        try:
            print_line(self._stream, text)
        except OSError:
            # Whoever listened is gone (`| head`, a closed terminal, a full disk); the run goes on without.
            self._mode = NONE


def progress_line(view: View) -> str:
    """How far a run is, or came, in a line."""
    line = "{:,} of {} ({:.1f}%), {} images/s, {}".format(
        view.done,
        counted(view.images, "image"),
        percent_done(view.done, view.images),
        rate(view.images_per_second),
        counted(view.failures, "failure"),
    )
    if not view.at_work:
        return "{}, this start took {}".format(line, duration(view.seconds))
    return "{}, {} left, {}/{} workers".format(line, duration(view.seconds_left), view.workers_up, len(view.workers))


def print_line(stream: TextIO, text: str) -> None:
    """Prints a line with the time before it.

    Raises:
        OSError: when whoever listened is gone.
    """
    stream.write(time.strftime("%H:%M:%S ") + text + "\n")
    stream.flush()
