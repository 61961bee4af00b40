"""Where an engine's time goes: busy, starved, blocked, idle."""

from __future__ import annotations

import threading
import time
from typing import Callable, Dict, Optional, Tuple

WARM_UP, BUSY, BLOCKED, STARVED, IDLE = "warm_up", "busy", "blocked", "starved", "idle"


class TimeSplit:
    """Adds up seconds by what the engine does, over all its streams.

    busy: at least one stream computes. blocked: none computes, and at least one waits for the writer, or nothing but writing is
    left to do. starved: neither, though images are on their way. idle: neither, and there is no image. warm_up: the time
    before the first batch.

    Args:
        clock: seconds; it is handed in so that tests need not wait.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._computing = 0
        self._waiting = 0
        self._fed = self._writing = False
        self._warm = False
        self._since = clock()
        self._seconds: Dict[str, float] = dict.fromkeys((WARM_UP, BUSY, BLOCKED, STARVED, IDLE), 0.0)

    def restart(self) -> None:
        """Forgets everything; the engine has just become ready."""
        with self._lock:
            self._since = self._clock()
            self._seconds = dict.fromkeys(self._seconds, 0.0)

    def begin_computing(self) -> None:
        """A stream begins a batch."""
        self._change(computing=1)

    def end_computing(self) -> None:
        """A stream has computed its batch."""
        self._change(computing=-1)

    def begin_waiting(self) -> None:
        """A stream begins to wait until the writer takes its batch."""
        self._change(waiting=1)

    def end_waiting(self) -> None:
        """The writer has taken its batch."""
        self._change(waiting=-1)

    def set_work(self, fed: bool, writing: bool) -> None:
        """What there is to do.

        Args:
            fed: whether any image is on its way to the engine.
            writing: whether any is computed and its result not written yet.
        """
        if (fed, writing) != (self._fed, self._writing):
            self._change(work=(fed, writing))

    def seconds(self) -> Dict[str, float]:
        """The sums so far, seconds, by state."""
        self._change()
        with self._lock:
            return dict(self._seconds)

    def _change(self, computing: int = 0, waiting: int = 0, work: Optional[Tuple[bool, bool]] = None) -> None:
        with self._lock:
            now = self._clock()
            self._seconds[self._state()] += now - self._since
            self._since = now
            self._computing += computing
            self._waiting += waiting
            self._warm = self._warm or self._computing > 0
            if work is not None:
                self._fed, self._writing = work

    def _state(self) -> str:
        if self._computing:
            return BUSY
        if not self._warm:
            return WARM_UP
        if self._waiting or (self._writing and not self._fed):
            return BLOCKED
        return STARVED if self._fed else IDLE
