"""Counts of durations: what is counted is found again, within a bucket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from divainfer.histogram import BOUNDS, Histogram, Times, bucket_of, sum_of

durations = st.floats(0, 200)


@given(st.lists(durations))
def test_nothing_is_lost_and_counts_are_short(seconds):
    histogram = Histogram()
    for one in seconds:
        histogram.add(one)
    assert histogram.total == len(seconds) == sum(histogram.counts)
    assert not histogram.counts or histogram.counts[-1] > 0
    assert Histogram(histogram.counts).counts == histogram.counts


@given(st.lists(durations), st.lists(durations))
def test_together_they_are_what_one_had_counted(some, others):
    first, second, both = Histogram(), Histogram(), Histogram()
    for histogram, seconds in ((first, some), (second, others), (both, some + others)):
        histogram.add_buckets(bytes(bucket_of(one) for one in seconds))
    assert sum_of([first.counts, second.counts]) == both.counts
    assert Times(first.counts, [], [1]).plus(Times(second.counts)) == Times(both.counts, [], [1])


@given(st.lists(st.floats(1e-4, 100), min_size=1), st.floats(0, 1))
def test_a_quantile_is_too_long_by_less_than_a_bucket(seconds, share):
    histogram = Histogram()
    for one in seconds:
        histogram.add(one)
    within = sorted(seconds)[max(0, -int(-share * len(seconds) // 1) - 1)]
    assert within * (1 - 1e-9) <= histogram.quantile(share) <= within * 2**0.5 * (1 + 1e-9)


def test_without_any_there_is_no_quantile():
    assert Histogram().quantile(0.5) is None and Histogram().counts == []


@pytest.mark.parametrize("seconds,bucket", [(0.0, 0), (1e-4, 0), (1.01e-4, 1), (1e9, len(BOUNDS))])
def test_the_first_and_the_last_bucket_take_what_is_beyond(seconds, bucket):
    assert bucket_of(seconds) == bucket
    histogram = Histogram()
    histogram.add(seconds, 3)
    assert histogram.counts[bucket] == 3 and histogram.quantile(1.0) == BOUNDS[min(bucket, len(BOUNDS) - 1)]
