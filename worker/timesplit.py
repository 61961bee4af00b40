"""Where an engine's time goes: busy, starved, blocked, idle."""

from __future__ import annotations

import collections
import time
from typing import Callable, Deque, Dict, NamedTuple, Tuple

WARM_UP, BUSY, BLOCKED, STARVED, IDLE = "warm_up", "busy", "blocked", "starved", "idle"


class _Change(NamedTuple):
    """What a stream has begun or ended; `ready` forgets all that was before."""

    computing: int = 0
    waiting: int = 0
    ready: bool = False


_READY = _Change(ready=True)
_BEGIN_COMPUTING, _END_COMPUTING = _Change(computing=1), _Change(computing=-1)
_BEGIN_WAITING, _END_WAITING = _Change(waiting=1), _Change(waiting=-1)


class TimeSplit:
    """Adds up seconds by what the engine does, over all its streams.

    busy: at least one stream computes. blocked: none computes, and at least one waits for the writer, or nothing but writing is
    left to do. starved: neither, though images are on their way. idle: neither, and there is no image. warm_up: the time
    before the first batch.

    The streams' threads only note what changes, since the device waits while they do. It is added up by the thread that calls
    `set_work` and `seconds`.

    Args:
        clock: seconds; it is handed in so that tests need not wait.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noted: Deque[Tuple[float, _Change]] = collections.deque()
        self._computing = 0
        self._waiting = 0
        self._fed = self._writing = False
        self._warm = False
        self._since = clock()
        self._seconds = _nothing()

    def restart(self) -> None:
        """Forgets everything; the engine has just become ready."""
        self._note(_READY)

    def begin_computing(self) -> float:
        """A stream begins a batch. Returns when."""
        return self._note(_BEGIN_COMPUTING)

    def end_computing(self) -> float:
        """A stream has computed its batch. Returns when."""
        return self._note(_END_COMPUTING)

    def begin_waiting(self) -> None:
        """A stream begins to wait until the writer takes its batch."""
        self._note(_BEGIN_WAITING)

    def end_waiting(self) -> None:
        """The writer has taken its batch."""
        self._note(_END_WAITING)

    def set_work(self, fed: bool, writing: bool) -> None:
        """What there is to do.

        Args:
            fed: whether any image is on its way to the engine.
            writing: whether any is computed and its result not written yet.
        """
        if (fed, writing) != (self._fed, self._writing):
            self._add_up()
            self._fed, self._writing = fed, writing

    def seconds(self) -> Dict[str, float]:
        """The sums so far, seconds, by state."""
        self._add_up()
        return dict(self._seconds)

    def _note(self, change: _Change) -> float:
        now = self._clock()
        self._noted.append((now, change))
        return now

    def _add_up(self) -> None:
        now = self._clock()
        while self._noted:
            at, change = self._noted.popleft()
            self._pass(at)
            if change.ready:
                self._seconds = _nothing()
            self._computing += change.computing
            self._waiting += change.waiting
            self._warm = self._warm or self._computing > 0
        self._pass(now)

    def _pass(self, until: float) -> None:
        # Two threads may note out of order, by as long as one of them was held up between clock and note.
        self._seconds[self._state()] += max(0.0, until - self._since)
        self._since = max(until, self._since)

    def _state(self) -> str:
        if self._computing:
            return BUSY
        if not self._warm:
            return WARM_UP
        if self._waiting or (self._writing and not self._fed):
            return BLOCKED
        return STARVED if self._fed else IDLE


def _nothing() -> Dict[str, float]:
    return dict.fromkeys((WARM_UP, BUSY, BLOCKED, STARVED, IDLE), 0.0)
