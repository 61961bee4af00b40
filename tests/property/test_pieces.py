"""Random histories of what loaders take: each image once, each run in order, and nobody waits for nothing."""

from __future__ import annotations

import collections

from hypothesis import given, settings
from hypothesis import strategies as st

from divainfer.worker.pieces import SHORTEST_SPLIT, Pieces


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=8), st.integers(1, 4), st.data())
def test_every_image_is_taken_once_and_runs_in_order(lengths, loaders, data):
    pieces, runs, end = Pieces(), {}, 0
    for block, (length, run) in enumerate(lengths):
        pieces.add(block, end, end + length, [(end, end + length)] if run else [])
        if run:
            runs.update((index, block) for index in range(end, end + length))
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
            assert position and name not in position, "all that is left belongs to others, who can go on"
            continue
        taken[found.index] += 1
        if found.index not in runs:
            assert name not in position, "a run is finished before anything else"
            continue
        if name in position:
            assert found.index == position[name] + 1, "a run is decoded in order"
        position[name] = found.index
        begun.add(found.index)
        block_end = max(index for index in runs if runs[index] == runs[found.index])
        if found.index == block_end or found.index + 1 in begun:
            del position[name]
    assert taken == collections.Counter(range(end))


def test_a_hungry_engine_gets_the_longest_run_split():
    pieces = Pieces()
    pieces.add(0, 0, 64, [(0, 20), (20, 64)])
    assert pieces.take("a", False).index == 0 and pieces.take("b", False).index == 20
    assert pieces.take("c", False) is None
    assert pieces.take("c", True).index == 43
    taken = {pieces.take(loader, True).index for loader in ("d", "e", "f", "g")}
    assert len(taken) == 4 and SHORTEST_SPLIT == 16
