"""What happened between two samples of one start."""

from __future__ import annotations

import bisect
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

from ..messages import WorkerStats
from .sample import Sample

#: Fields of `WorkerStats` that are no sums: they tell of a moment.
_MOMENTS = ("queued", "slots", "loaders")
_NOTHING = WorkerStats()
#: Lengths that people can read off an axis, seconds.
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


class Shares(NamedTuple):
    """What a worker's time went into, from its first batch on: shares of it, 0 to 1, one together."""

    busy: float
    starved: float
    blocked: float
    idle: float


class Change(NamedTuple):
    """From one sample to a later one of the same start.

    Attributes:
        before: the earlier sample; None for the begin of the start, when nothing was done.
        after: the later one.
    """

    before: Optional[Sample]
    after: Sample

    @property
    def seconds(self) -> float:
        """How long that was."""
        return self.after.seconds - (self.before.seconds if self.before is not None else 0.0)

    def stats(self, number: int) -> WorkerStats:
        """What a worker did meanwhile; what is no sum is as it was in the end."""
        now = _stats(self.after, number)
        then = _stats(self.before, number) if self.before is not None else _NOTHING
        # Not below 0, for the same reason as in `_shares`.
        sums: List[Any] = [max(0, a - b) for a, b in zip(now, then)]
        return WorkerStats(*sums)._replace(**{name: getattr(now, name) for name in _MOMENTS})

    def shares(self, number: int) -> Optional[Shares]:
        """Where a worker's time went meanwhile; None when none of it is known."""
        now = _stats(self.after, number)
        then = _stats(self.before, number) if self.before is not None else _NOTHING
        return _shares(
            now.busy - then.busy, now.starved - then.starved, now.blocked - then.blocked, now.idle - then.idle
        )

    @property
    def pool_shares(self) -> Optional[Shares]:
        """The same of all workers together."""
        split = [0.0, 0.0, 0.0, 0.0]
        for sample, sign in ((self.after, 1), (self.before, -1)):
            for worker in sample.workers if sample is not None else ():
                stats = worker.stats
                for place, seconds in enumerate((stats.busy, stats.starved, stats.blocked, stats.idle)):
                    split[place] += sign * seconds
        return _shares(*split)

    @property
    def images(self) -> int:
        """Images that workers were through with meanwhile, failed ones included."""
        return sum(_through(worker.stats) for worker in self.after.workers) - (
            sum(_through(worker.stats) for worker in self.before.workers) if self.before is not None else 0
        )

    @property
    def images_per_second(self) -> Optional[float]:
        """None until there was any."""
        return self.images / self.seconds if self.images > 0 and self.seconds > 0 else None


def frames_per_second(stats: WorkerStats) -> Optional[float]:
    """Results a second of the time in which the worker was there; None when it was not."""
    # By the worker's own clock: its figures come once a second, not when the sample was taken.
    there = stats.span + stats.warm_up
    return stats.images / there if there > 0 else None


def bridged(values: Sequence[Optional[float]]) -> List[Optional[float]]:
    """A worker's values in equal steps, None where it said nothing: a single such step gets the value of the next.

    A worker tells its figures as often as samples are taken, so a step may go by without, and the next one's are of both.
    """
    found = list(values)
    for place in range(1, len(found) - 1):
        if values[place] is None and values[place - 1] is not None:
            found[place] = values[place + 1]
    return found


def last_seconds(samples: Sequence[Sample], seconds: float) -> Change:
    """What happened in so many seconds before the last sample, or since the first one.

    Args:
        samples: of one start, at least one, the oldest first. A single one tells of all the start.
        seconds: how long.
    """
    latest = samples[-1]
    found = sample_at(samples, latest.seconds - seconds)
    if found is None and len(samples) > 1:
        found = samples[0]
    return Change(found, latest)


def sample_at(samples: Sequence[Sample], seconds: float) -> Optional[Sample]:
    """The last one that is not later than that; None when all are. `seconds`: since the start began."""
    index = bisect.bisect_right([sample.seconds for sample in samples], seconds)
    return samples[index - 1] if index else None


def steps(samples: Sequence[Sample], span: float, points: int) -> Tuple[float, List[Optional[Change]]]:
    """The last part of a start in equal steps, which lie on a fixed grid, so that they do not flicker while time goes on.

    Args:
        samples: of one start, at least one, the oldest first.
        span: length of that part, seconds.
        points: steps at most; a few fewer, since a step has a length that people can read.

    Returns:
        A step's length in seconds, and what happened in each, in order; the last one may not be over. None where no sample
        tells.
    """
    latest = samples[-1].seconds
    begin = max(0.0, latest - span)
    if len(samples) > 1 and samples[0].seconds > begin:
        # Those that were forgotten; but the very first sample is a moment after the start's begin.
        begin = samples[0].seconds if samples[0].seconds > 2 * _spacing(samples) else 0.0
    step = _step(max((latest - begin) / max(1, points - 1), 0.9 * _spacing(samples)))
    times = [sample.seconds for sample in samples]
    found: List[Optional[Change]] = []
    for edge in range(int(begin // step), int(latest // step) + 1):
        before = bisect.bisect_right(times, edge * step)
        after = bisect.bisect_right(times, (edge + 1) * step)
        if before == after or (not before and edge * step > 0) or times[after - 1] <= 0:
            found.append(None)
        else:
            found.append(Change(samples[before - 1] if before else None, samples[after - 1]))
    return step, found


def _step(seconds: float) -> float:
    """The first step of `_STEPS` that is not shorter."""
    return float(next((step for step in _STEPS if step >= seconds), _STEPS[-1]))


def _spacing(samples: Sequence[Sample]) -> float:
    """Seconds from sample to sample."""
    return (samples[-1].seconds - samples[0].seconds) / (len(samples) - 1) if len(samples) > 1 else 0.0


def _stats(sample: Sample, number: int) -> WorkerStats:
    workers = sample.workers
    if number < len(workers) and workers[number].number == number:
        return workers[number].stats
    return next((worker.stats for worker in workers if worker.number == number), _NOTHING)


def _shares(*seconds: float) -> Optional[Shares]:
    # Below 0 nothing is right: the file was written by two programs at once.
    total = sum(seconds)
    return Shares(*[part / total for part in seconds]) if total > 0 and min(seconds) >= 0 else None


def _through(stats: WorkerStats) -> int:
    return stats.images + stats.failures
