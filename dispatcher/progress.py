"""How far the run is, while it runs: a bar in a terminal, a line every 30 s elsewhere."""

from __future__ import annotations

import collections
import datetime
import sys
import time
from typing import Deque, Optional, TextIO, Tuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn

LIVE, LINES, NONE, AUTO = "live", "lines", "none", "auto"
_LINE_SECONDS = 30.0
_RATE_SECONDS = 60.0


class Rate:
    """Images a second over the last minute, which is what tells when the run will end."""

    def __init__(self) -> None:
        self._points: Deque[Tuple[float, int]] = collections.deque()

    def note(self, now: float, done: int) -> None:
        """So many were done by then."""
        if self._points and now - self._points[-1][0] < 0.5:
            return
        self._points.append((now, done))
        while now - self._points[0][0] > _RATE_SECONDS:
            self._points.popleft()

    def per_second(self) -> Optional[float]:
        """None until something has been done."""
        if len(self._points) < 2:
            return None
        (first, before), (last, done) = self._points[0], self._points[-1]
        return (done - before) / (last - first) if done > before else None

    def left(self, images: int) -> str:
        """Time for that many more images: "1:02:03", or "-:--:--" when unknown."""
        rate = self.per_second()
        return str(datetime.timedelta(seconds=int(images / rate))) if rate else "-:--:--"


class ProgressDisplay:
    """Shows progress on the standard error stream.

    Args:
        mode: LIVE, LINES, NONE or AUTO.
        total: images in the list.
        earlier: images that were done before this start.
        stream: where it goes; None for standard error.
    """

    def __init__(self, mode: str, total: int, earlier: int, stream: Optional[TextIO] = None) -> None:
        self._stream = stream or sys.stderr
        if mode == AUTO:
            mode = LIVE if self._stream.isatty() else LINES
        self._mode = mode
        self._total = total
        self._earlier = earlier
        self._rate = Rate()
        self._line_at = time.monotonic() + _LINE_SECONDS
        self._bar: Optional[Progress] = None
        if mode == LINES:
            self._print("starting: {:,} of {:,} images are to do".format(total - earlier, total))
        if mode == LIVE:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                TaskProgressColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[speed]}"),
                console=Console(file=self._stream),
                transient=True,
                refresh_per_second=4,
            )
            self._task = self._bar.add_task("starting", total=total, completed=earlier, speed="")
            self._bar.start()

    def update(self, done: int, failures: int, workers_up: int, workers: int) -> None:
        """Shows the present state.

        Args:
            done: images done by this start.
            failures: how many of them failed.
            workers_up: workers whose engine is ready.
            workers: workers there should be.
        """
        now = time.monotonic()
        self._rate.note(now, done)
        if self._bar is not None:
            self._bar.update(
                self._task,
                completed=self._earlier + done,
                description="starting" if not workers_up and not done else "{}/{} workers".format(workers_up, workers),
                speed=self._speed(done, failures),
            )
        elif self._mode == LINES and now >= self._line_at:
            self._line_at = now + _LINE_SECONDS
            all_done = self._earlier + done
            self._print(
                "{:,} of {:,} images ({:.1f}%), {}, {}/{} workers".format(
                    all_done,
                    self._total,
                    100 * all_done / self._total,
                    self._speed(done, failures),
                    workers_up,
                    workers,
                )
            )

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def _speed(self, done: int, failures: int) -> str:
        rate = self._rate.per_second()
        return "{} images/s, {} failures, {} left".format(
            "-" if rate is None else "{:.1f}".format(rate),
            failures,
            self._rate.left(self._total - self._earlier - done),
        )

    def _print(self, text: str) -> None:
        try:
            self._stream.write(time.strftime("%H:%M:%S ") + text + "\n")
            self._stream.flush()
        except OSError:
            # Whoever listened is gone (`| head`, a closed terminal, a full disk); the run goes on without.
            self._mode = NONE
