"""Half-open ranges of image indices."""

from __future__ import annotations

from typing import Iterable, Iterator, Tuple


def between(start: int, stop: int, left_out: Iterable[int]) -> Iterator[Tuple[int, int]]:
    """The ranges of `[start, stop)` between some indices."""
    for index in sorted(left_out):
        if start < index:
            yield start, index
        start = index + 1
    if start < stop:
        yield start, stop
