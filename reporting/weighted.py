"""Means and medians of what was seen over time: each value counts as long as it stands for."""

from __future__ import annotations

from typing import Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ..monitor.sample import Sample


class Weighted(NamedTuple):
    """A value, or None where there was none, and the seconds it stands for."""

    value: Optional[float]
    seconds: float


def mean(values: Iterable[Weighted]) -> Optional[float]:
    """None when nothing is known."""
    known = _known(values)
    total = sum(seconds for _, seconds in known)
    return sum(value * seconds for value, seconds in known) / total if total else None


def median(values: Iterable[Weighted]) -> Optional[float]:
    """The value below which half of the time lies; None when nothing is known."""
    known = sorted(_known(values))
    half = sum(seconds for _, seconds in known) / 2
    passed = 0.0
    for value, seconds in known:
        passed += seconds
        if passed >= half:
            return value
    return None


def with_seconds(samples: Sequence[Sample]) -> Iterator[Tuple[Sample, float]]:
    """The samples of a start, in order, each with the seconds since the one before or the start's begin."""
    before = 0.0
    for sample in samples:
        yield sample, max(0.0, sample.seconds - before)
        before = sample.seconds


def _known(values: Iterable[Weighted]) -> List[Tuple[float, float]]:
    return [(value, seconds) for value, seconds in values if value is not None and seconds > 0]
