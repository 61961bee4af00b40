"""Any ledger, cut anywhere, with anything behind the cut, carries on to the same final set; short or long, it says the same."""

from __future__ import annotations

import os
import tempfile

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from divainfer.dispatcher.compaction import compact
from divainfer.ledger import (
    FAILED,
    MAGIC,
    OPEN,
    RESULT,
    DoneRecord,
    Ledger,
    Progress,
    read_records,
    replay,
    standing_failures,
)
from divainfer.messages import Failure

TOTAL = 40


def checksum(index, failed):
    return 0 if failed else 1000 + index


@st.composite
def histories(draw):
    """Steps as a run takes them: blocks of images still to do with some failures, and failures or lost results opened again."""
    plain = ["open"] * TOTAL
    steps = []
    for number in range(draw(st.integers(0, 12))):
        if draw(st.integers(0, 5)) == 5:
            which = draw(st.sampled_from(["failed", "result"]))
            steps.append((which, 0, TOTAL, []))
            plain = ["open" if state == which else state for state in plain]
            continue
        free = [index for index in range(TOTAL) if plain[index] == "open"]
        if not free:
            continue
        start = draw(st.sampled_from(free))
        stop = start + 1
        while stop < TOTAL and plain[stop] == "open" and draw(st.booleans()):
            stop += 1
        lost = draw(st.sets(st.integers(start, stop - 1)))
        steps.append(("done", start, stop, [Failure(i, "kind", "step {}".format(number)) for i in sorted(lost)]))
        plain[start:stop] = ["failed" if index in lost else "result" for index in range(start, stop)]
    return steps


def write(path, size, steps):
    ledger = Ledger(path, size)
    for what, start, stop, failures in steps:
        if what != "done":
            ledger.open_again(start, stop - start, FAILED if what == "failed" else RESULT)
        else:
            lost = {failure.index for failure in failures}
            sums = np.array([checksum(index, index in lost) for index in range(start, stop)], "<u4")
            ledger.add(start, stop - start, failures, sums.tobytes())
    ledger.commit()
    ledger.close()


def finish(path, progress):
    """What a resume does: everything still open becomes a result."""
    ledger = Ledger(path, progress.size)
    for start, stop in progress.ranges(OPEN):
        sums = np.array([checksum(index, False) for index in range(start, stop)], "<u4")
        ledger.add(start, stop - start, [], sums.tobytes())
    ledger.commit()
    ledger.close()


def known_checksums(path):
    sums = np.zeros(TOTAL, "<u4")
    for record in read_records(path, replay(path, TOTAL)):
        if isinstance(record, DoneRecord):
            sums[record.start : record.start + record.count] = np.frombuffer(record.checksums, "<u4")
    return sums


@settings(max_examples=300, deadline=None)
@given(histories(), st.floats(0, 1), st.binary(max_size=40), st.booleans())
def test_any_prefix_with_any_torn_tail_resumes_to_the_same_set(steps, cut, tail, short):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "ledger")
        write(path, 0, steps)
        with open(path, "rb") as file:
            whole = file.read()
        before = replay(path, TOTAL)
        with open(path, "wb") as file:
            # The head is there from the start: the file is made beside its place.
            file.write(whole[: max(len(MAGIC), int(cut * len(whole)))] + tail)
        progress = replay(path, TOTAL)
        if tail == b"" and cut == 1:
            assert (progress.states == before.states).all()
        # A cut ledger knows less, never something else: each of its records was in the whole one.
        sound = Progress(TOTAL)
        whole_path = os.path.join(folder, "whole")
        with open(whole_path, "wb") as file:
            file.write(whole)
        for number, record in enumerate(read_records(whole_path, before)):
            if number < progress.records:
                sound.apply(record)
        assert (sound.states == progress.states).all()
        if short:
            progress = compact(path, progress)
            assert (progress.states == sound.states).all()
        failures = {failure.index for failure in standing_failures(path, progress)}
        assert failures == {index for index in range(TOTAL) if progress.states[index] == FAILED}
        finish(path, progress)
        after = replay(path, TOTAL)
        assert after.count(OPEN) == 0 and after.size == os.path.getsize(path)
        assert {index for index in range(TOTAL) if after.states[index] == FAILED} == failures
        expected = [checksum(index, after.states[index] != RESULT) for index in range(TOTAL)]
        assert known_checksums(path).tolist() == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([OPEN, RESULT, FAILED]), max_size=60), st.sets(st.sampled_from([OPEN, RESULT, FAILED])))
def test_ranges_are_those_of_a_plain_list(states, wanted):
    progress = Progress(len(states))
    progress.states[:] = states
    ranges = list(progress.ranges(*wanted))
    assert [i for a, b in ranges for i in range(a, b)] == [i for i, state in enumerate(states) if state in wanted]
    assert all(one[1] < other[0] for one, other in zip(ranges, ranges[1:])) and all(a < b for a, b in ranges)
