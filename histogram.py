"""How long something took, many times: counts by duration, small enough to be sent and kept every second."""

from __future__ import annotations

import bisect
from typing import Iterable, List, Optional, Sequence

#: Upper bounds of the buckets, seconds: 0.1 ms to 105 s in steps of the square root of two. What took longer has a bucket too.
BOUNDS: List[float] = [1e-4 * 2 ** (step / 2) for step in range(41)]


class Histogram:
    """Counts of durations.

    Args:
        counts: one a bucket, as `counts` gives them; those that are missing at the end are 0.
    """

    def __init__(self, counts: Sequence[int] = ()) -> None:
        self._counts = list(counts) + [0] * (len(BOUNDS) + 1 - len(counts))

    def add(self, seconds: float, times: int = 1) -> None:
        """Something took that long, so many times."""
        self._counts[bisect.bisect_left(BOUNDS, seconds)] += times

    def add_all(self, counts: Sequence[int]) -> None:
        """All that another one has counted."""
        for bucket, count in enumerate(counts):
            self._counts[bucket] += count

    @property
    def counts(self) -> List[int]:
        """One count a bucket, without the zeros at the end."""
        last = max((bucket for bucket, count in enumerate(self._counts) if count), default=-1)
        return self._counts[: last + 1]

    @property
    def total(self) -> int:
        """How many durations there are."""
        return sum(self._counts)

    def quantile(self, share: float) -> Optional[float]:
        """The duration, seconds, that this share of all (0 to 1) stays within: the upper bound of its bucket; None without any."""
        wanted = share * self.total
        seen = 0
        for bound, count in zip(BOUNDS + BOUNDS[-1:], self._counts):
            seen += count
            if seen >= wanted and seen:
                return bound
        return None


def sum_of(histograms: Iterable[Sequence[int]]) -> List[int]:
    """The counts of several histograms together."""
    together = Histogram()
    for counts in histograms:
        together.add_all(counts)
    return together.counts
