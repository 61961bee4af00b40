"""The steady state of a trial: what its workers did between two of their reports, without the beginning and the end."""

from __future__ import annotations

import statistics
from typing import List, NamedTuple, Optional, Sequence, Tuple

from ..messages import WorkerStats

#: A frame is counted when its whole batch is written; so many batches make that of no account.
_BATCHES = 40
#: They need not be waited for longer than so many times the usual; but for so few even then.
_LONGEST, _LEAST_BATCHES = 3, 3
#: The first batches load kernels and choose algorithms.
_WARM_UP_BATCHES = 2


class Figures(NamedTuple):
    """What the workers of a trial did in their steady state.

    Attributes:
        frames_per_second: of all workers together.
        busy: share of the time in which a device computes, 0 to 1; mean over the workers.
        starved: share in which it waits for frames.
        blocked: share in which it waits for the writer.
        cpu_ms: CPU time a frame costs, worker and loaders together, milliseconds.
        batch: frames of a batch, mean.
        frames: how many frames were counted.
        seconds: how long they took; mean over the workers.
    """

    frames_per_second: float
    busy: float
    starved: float
    blocked: float
    cpu_ms: float
    batch: float
    frames: int
    seconds: float


class Window:
    """One worker's steady state.

    Args:
        warm_up: seconds from the first batch on that do not count.
        seconds: how long the window should be.
    """

    def __init__(self, warm_up: float, seconds: float) -> None:
        self._warm_up = warm_up
        self._seconds = seconds
        self._begin: Optional[WorkerStats] = None
        self._end = WorkerStats()

    def note(self, stats: WorkerStats) -> None:
        """Takes a worker's report; the same one may come again."""
        if stats.images <= self._end.images:
            return  # With slow batches, a window has to begin and end where one of them does.
        self._end = stats
        if self._begin is None and stats.working >= self._warm_up and stats.batches >= _WARM_UP_BATCHES:
            self._begin = stats

    @property
    def complete(self) -> bool:
        """Whether it is long enough."""
        if self._begin is None:
            return False
        seconds = self._end.working - self._begin.working
        batches = self._end.batches - self._begin.batches
        if seconds < self._seconds or batches < _LEAST_BATCHES:
            return False
        return batches >= _BATCHES or seconds >= _LONGEST * self._seconds

    def between(self) -> Optional[Tuple[WorkerStats, WorkerStats]]:
        """The reports at its beginning and end; from the first batch on where there was no more. None without any frame."""
        if self._begin is not None and _seconds_between(self._begin, self._end) > 0:
            return self._begin, self._end
        return (WorkerStats(), self._end) if self._end.working > 0 else None


def figures(windows: Sequence[Window]) -> Optional[Figures]:
    """The figures of a trial.

    Args:
        windows: one a worker.

    Returns:
        None when no worker computed anything.
    """
    pairs = [pair for pair in (window.between() for window in windows) if pair is not None]
    if not pairs:
        return None
    frames = sum(end.images - begin.images for begin, end in pairs)
    batches = sum(end.batches - begin.batches for begin, end in pairs)
    cpu = sum(_cpu(end) - _cpu(begin) for begin, end in pairs)
    return Figures(
        frames_per_second=sum((end.images - begin.images) / _seconds_between(begin, end) for begin, end in pairs),
        busy=statistics.mean(_shares(pairs, "busy")),
        starved=statistics.mean(_shares(pairs, "starved")),
        blocked=statistics.mean(_shares(pairs, "blocked")),
        cpu_ms=1e3 * cpu / frames,
        batch=frames / max(1, batches),
        frames=frames,
        seconds=statistics.mean(_seconds_between(begin, end) for begin, end in pairs),
    )


def _seconds_between(begin: WorkerStats, end: WorkerStats) -> float:
    return end.working - begin.working


def _cpu(stats: WorkerStats) -> float:
    return stats.cpu + stats.decoding_cpu


def _shares(pairs: List[Tuple[WorkerStats, WorkerStats]], state: str) -> List[float]:
    return [(getattr(end, state) - getattr(begin, state)) / _seconds_between(begin, end) for begin, end in pairs]
