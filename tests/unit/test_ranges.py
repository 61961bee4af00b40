"""Range sets against Python's own sets."""

from __future__ import annotations

from divainfer.dispatcher.ranges import RangeSet


def made(*ranges):
    done = RangeSet()
    for start, stop in ranges:
        done.add(start, stop)
    return done


def test_neighbours_become_one():
    assert list(made((0, 5), (10, 15), (5, 10))) == [(0, 15)]


def test_overlaps_become_one():
    assert list(made((0, 5), (10, 15), (3, 12))) == [(0, 15)]


def test_gaps():
    assert list(made((2, 4), (6, 8)).gaps(10)) == [(0, 2), (4, 6), (8, 10)]
    assert list(made((0, 10)).gaps(10)) == []
    assert list(made().gaps(3)) == [(0, 3)]


def test_length_and_membership():
    done = made((2, 4), (6, 8))
    assert len(done) == 4
    assert [index for index in range(10) if index in done] == [2, 3, 6, 7]


def test_an_empty_range_adds_nothing():
    assert list(made((5, 5))) == []
