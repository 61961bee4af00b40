"""Random histories of what loaders take: each image once, each run in order, and nobody waits for nothing."""

from __future__ import annotations

import collections

from hypothesis import given, settings
from hypothesis import strategies as st

from divainfer.worker.pieces import Pieces


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=8), st.integers(1, 4), st.data())
def test_every_image_is_taken_once_and_runs_in_order(lengths, loaders, data):
    # `runs`: frame to the last one of its run.
    pieces, runs, end = Pieces(), {}, 0
    for block, (length, run) in enumerate(lengths):
        pieces.add(block, end, end + length, [(end, end + length)] if run else [])
        if run:
            runs.update((index, end + length - 1) for index in range(end, end + length))
        end += length
    names = ["l{}".format(number) for number in range(loaders)]
    # `position`: the last frame of the run that a loader has not finished.
    taken, position, begun = collections.Counter(), {}, set()
    while len(pieces):
        name, hungry = data.draw(st.sampled_from(names)), data.draw(st.booleans())
        if data.draw(st.integers(0, 9)) == 9:
            pieces.release(name)
            position.pop(name, None)
            continue
        found = pieces.take(name, hungry)
        if found is None:
            assert name not in position, "who has a run can go on with it"
            assert not hungry or position, "all that is left belongs to others, who can go on"
            continue
        taken[found.index] += 1
        if found.index not in runs:
            assert name not in position, "a run is finished before anything else"
            continue
        if name in position:
            assert found.index == position[name] + 1, "a run is decoded in order"
        position[name] = found.index
        begun.add(found.index)
        if found.index == runs[found.index] or found.index + 1 in begun:
            del position[name]
    assert taken == collections.Counter(range(end))


def test_a_run_that_follows_is_left_to_the_loader_of_the_one_before_while_the_engine_has_work():
    pieces = Pieces()
    pieces.add(0, 0, 10, [(0, 10)])
    assert pieces.take("a", False).index == 0
    pieces.add(1, 10, 30, [(10, 20), (20, 29)])
    assert pieces.take("b", False).index == 20, "the one after does not follow on anything that is taken"
    for index in range(1, 20):
        assert pieces.take("a", False).index == index
    assert pieces.take("a", False).index == 29, "an image"
    pieces.add(2, 30, 40, [(30, 40)])
    for index in range(21, 29):
        assert pieces.take("b", False).index == index
    pieces.add(3, 29, 30, [])
    pieces.add(4, 40, 60, [(40, 60)])
    assert pieces.take("b", False).index == 30, "nobody is there"
    assert pieces.take("a", False).index == 29 and pieces.take("a", False) is None
    assert pieces.take("a", True).index == 40, "the engine waits"


def test_a_hungry_engine_gets_the_longest_run_split():
    pieces = Pieces()
    pieces.add(0, 0, 64, [(0, 20), (20, 64)])
    assert pieces.take("a", False).index == 0 and pieces.take("b", False).index == 20
    assert pieces.take("c", False) is None
    assert pieces.take("c", True).index == 43
    taken = [pieces.take(loader, True).index for loader in ("d", "e", "f")]
    assert taken == [32, 54, 11], "each the half of what was the longest then"
    assert pieces.take("g", True) is None, "now all are short"
