"""A set of image indices as sorted, disjoint ranges: what is done, in a few bytes however long the list is."""

from __future__ import annotations

import bisect
from typing import Iterator, List, Tuple


class RangeSet:
    """Indices from 0, kept as half-open ranges `[start, stop)`."""

    def __init__(self) -> None:
        self._starts: List[int] = []
        self._stops: List[int] = []

    def __len__(self) -> int:
        return sum(self._stops) - sum(self._starts)

    def __iter__(self) -> Iterator[Tuple[int, int]]:
        return iter(zip(self._starts, self._stops))

    def __contains__(self, index: int) -> bool:
        at = bisect.bisect_right(self._starts, index) - 1
        return at >= 0 and index < self._stops[at]

    def add(self, start: int, stop: int) -> None:
        """Adds `[start, stop)`; what is in already stays in."""
        if start >= stop:
            return
        # Ranges that touch the new one on either side are swallowed by it.
        first = bisect.bisect_left(self._stops, start)
        last = bisect.bisect_right(self._starts, stop)
        if first < last:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]

    def gaps(self, total: int) -> Iterator[Tuple[int, int]]:
        """The ranges of `[0, total)` that are not in, in order."""
        position = 0
        for start, stop in self:
            if position < start:
                yield position, min(start, total)
            position = stop
        if position < total:
            yield position, total
