"""Random histories of blocks, retries and repairs: the shards there should be always hold each result exactly once."""

from __future__ import annotations

import os
import tempfile

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from divainfer.ledger import FAILED, OPEN, RESULT, Ledger, read_records, replay
from divainfer.messages import Failure
from divainfer.output.repair import closed, joined
from divainfer.output.shards import known_shards

TOTAL = 24


def covered(path, progress):
    """How often each image is in a shard that there should be."""
    seen = np.zeros(TOTAL, int)
    known = known_shards(path, progress)
    for number, record in enumerate(read_records(path, progress)):
        start, stop = record.start, record.start + record.count
        if known.get((start, stop)) == number:
            seen[start:stop] += 1
            seen[[failure.index for failure in record.failures]] -= 1
    return seen


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_each_result_is_in_exactly_one_shard(data):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "ledger")
        Ledger(path, 0).close()
        for _ in range(data.draw(st.integers(1, 14))):
            progress = replay(path, TOTAL)
            ledger = Ledger(path, progress.size)
            states = progress.states
            step = data.draw(st.sampled_from(["block", "block", "block", "retry", "repair"]))
            if step == "block" and (states == OPEN).any():
                start = data.draw(st.sampled_from(np.flatnonzero(states == OPEN).tolist()))
                stop = start + 1
                while stop < TOTAL and states[stop] == OPEN and data.draw(st.booleans()):
                    stop += 1
                failed = data.draw(st.sets(st.integers(start, stop - 1)))
                ledger.add(start, stop - start, [Failure(i, "kind", "why") for i in sorted(failed)], b"sums")
            elif step == "retry":
                for start, stop in progress.ranges(FAILED):
                    ledger.open_again(start, stop - start, FAILED)
            elif step == "repair":
                known = known_shards(path, progress)
                lost = data.draw(st.lists(st.sampled_from(sorted(known)), max_size=2)) if known else []
                for start, stop in closed(joined(lost), known):
                    ledger.open_again(start, stop - start, RESULT)
            ledger.commit()
            ledger.close()
            after = replay(path, TOTAL)
            assert covered(path, after).tolist() == (after.states == RESULT).astype(int).tolist()


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30))))
def test_joined_ranges_are_the_same_indices(ranges):
    found = joined(ranges)
    assert [i for a, b in found for i in range(a, b)] == sorted({i for a, b in ranges for i in range(a, b)})
    assert all(one[1] < other[0] for one, other in zip(found, found[1:]))
