"""How long something took, many times: counts by duration, small enough to be sent and kept every second."""

from __future__ import annotations

import bisect
from typing import Any, Iterable, List, NamedTuple, Optional, Sequence

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
        self._counts[bucket_of(seconds)] += times

    def add_buckets(self, buckets: Iterable[int]) -> None:
        """Durations by their buckets, as `bucket_of` gives them."""
        for bucket in buckets:
            self._counts[bucket] += 1

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
        """The duration, seconds, that this share of all (0 to 1) stays within, as the upper bound of its bucket.

        None without any duration. Of those longer than all bounds the last bound, which is too little.
        """
        wanted = share * self.total
        seen = 0
        for bound, count in zip(BOUNDS + BOUNDS[-1:], self._counts):
            seen += count
            if seen >= wanted and seen:
                return bound
        return None


class Times(NamedTuple):
    """What a worker and its loaders took, each the counts of a histogram.

    Attributes:
        decode: an image's reading, decoding and resizing in a loader; once more where its frame did not fit into its place.
        compute: a batch in the engine.
        write: an image's result in the writer.
    """

    decode: List[int] = []
    compute: List[int] = []
    write: List[int] = []

    def plus(self, other: "Times") -> "Times":
        """Both together."""
        sums: List[Any] = [sum_of(pair) for pair in zip(self, other)]
        return Times(*sums)


def bucket_of(seconds: float) -> int:
    """Which bucket a duration belongs to."""
    return bisect.bisect_left(BOUNDS, seconds)


def sum_of(histograms: Iterable[Sequence[int]]) -> List[int]:
    """The counts of several histograms together."""
    together = Histogram()
    for counts in histograms:
        together.add_all(counts)
    return together.counts
