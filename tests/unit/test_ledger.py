"""The ledger: what is in comes back, what is torn is cut off, a later record counts."""

from __future__ import annotations

import os

import numpy as np
import pytest

from divainfer.dispatcher.compaction import compact, worth_it
from divainfer.errors import OutputError
from divainfer.ledger import (
    FAILED,
    MAGIC,
    OPEN,
    RESULT,
    Ledger,
    Progress,
    read_records,
    replay,
    standing_failures,
)
from divainfer.messages import Failure


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "ledger")


def write(path, records, total=1000):
    ledger = Ledger(path, replay(path, total).size)
    for start, count, failures in records:
        ledger.add(start, count, failures, sums(start, count))
    ledger.commit()
    ledger.close()


def sums(start, count):
    return np.arange(start, start + count, dtype="<u4").tobytes()


def done(path, total=1000):
    return list(replay(path, total).ranges(RESULT, FAILED))


def test_replay_gives_back_what_was_written(path):
    failure = Failure(12, "truncated", "a reason with odd bytes \udcff")
    write(path, [(0, 10, []), (10, 5, [failure])])
    write(path, [(20, 1, [])])
    progress = replay(path, 1000)
    assert list(progress.ranges(RESULT)) == [(0, 12), (13, 15), (20, 21)]
    assert list(progress.ranges(FAILED)) == [(12, 13)]
    assert (progress.count(RESULT), progress.count(FAILED), progress.count(OPEN)) == (15, 1, 984)
    assert list(standing_failures(path, progress)) == [failure]
    assert progress.size == os.path.getsize(path)
    assert b"".join(record.checksums for record in read_records(path, progress)) == sums(0, 15) + sums(20, 1)


def test_nothing_is_done_before_commit(path):
    ledger = Ledger(path, 0)
    ledger.add(0, 10, [], b"")
    assert done(path) == []
    ledger.commit()
    assert done(path) == [(0, 10)]
    ledger.close()


def test_every_torn_end_is_cut_off_and_written_over(path):
    write(path, [(0, 10, []), (10, 10, [])])
    with open(path, "rb") as file:
        whole = file.read()
    first = len(whole) - (len(whole) - len(MAGIC)) // 2
    for length in range(len(whole)):
        with open(path, "wb") as file:
            file.write(whole[:length])
        expected = [] if length < first else [(0, 10)]
        assert done(path) == expected, length
        write(path, [(50, 1, [])])
        assert done(path) == expected + [(50, 51)], length


def test_a_flipped_bit_costs_its_record_only(path):
    write(path, [(0, 10, []), (10, 10, []), (20, 10, [])])
    with open(path, "rb") as file:
        whole = file.read()
    length = (len(whole) - len(MAGIC)) // 3
    for at in range(len(MAGIC), len(whole)):
        with open(path, "wb") as file:
            file.write(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        hit = (at - len(MAGIC)) // length
        progress = replay(path, 1000)
        expected = [(start, start + 10) for start in (0, 10, 20) if start != 10 * hit]
        assert list(progress.ranges(RESULT)) == ([(0, 20)] if hit == 2 else [(10, 30)] if hit == 0 else expected), at
        assert progress.damaged == (0 if hit == 2 else length)
    write(path, [(40, 1, [])])
    assert replay(path, 1000).count(RESULT) == 21, "and it goes on behind the last sound one"


def test_a_record_beyond_the_list_is_damage(path):
    write(path, [(0, 10, []), (995, 10, [])])
    assert done(path) == [(0, 10)]


def test_a_file_that_is_no_ledger_is_refused(path):
    with open(path, "w") as file:
        file.write("something else entirely, and long enough")
    with pytest.raises(OutputError, match="not a ledger"):
        replay(path, 1000)


def test_a_failure_that_is_opened_again_is_to_do_and_its_next_outcome_counts(path):
    first, second = Failure(3, "missing", "not there"), Failure(4, "missing", "not there")
    write(path, [(0, 10, [first, second])])
    ledger = Ledger(path, replay(path, 1000).size)
    ledger.open_again(0, 10, FAILED)
    ledger.commit()
    ledger.close()
    assert list(replay(path, 1000).ranges(OPEN)) == [(3, 5), (10, 1000)]
    again = Failure(4, "corrupt", "now it is there")
    write(path, [(3, 2, [again])])
    progress = replay(path, 1000)
    assert list(progress.ranges(FAILED)) == [(4, 5)] and progress.count(RESULT) == 9
    assert list(standing_failures(path, progress)) == [again]


def test_results_that_were_lost_are_to_do_and_failures_beside_them_stand(path):
    failure = Failure(3, "missing", "not there")
    write(path, [(0, 10, [failure])])
    ledger = Ledger(path, replay(path, 1000).size)
    ledger.open_again(0, 5, RESULT)
    ledger.commit()
    ledger.close()
    progress = replay(path, 1000)
    assert list(progress.ranges(OPEN)) == [(0, 3), (4, 5), (10, 1000)]
    assert list(standing_failures(path, progress)) == [failure]


def test_ranges_of_nothing_and_of_all():
    progress = Progress(3_000_000)
    assert list(progress.ranges(OPEN)) == [(0, 3_000_000)] and list(progress.ranges(RESULT)) == []
    progress.states[1_000_000:2_500_000] = RESULT
    assert list(progress.ranges(OPEN)) == [(0, 1_000_000), (2_500_000, 3_000_000)]
    assert progress.count(RESULT) == 1_500_000
    assert list(Progress(0).ranges(OPEN)) == []


def test_compaction_says_the_same_in_fewer_words(path):
    total = 200_000
    lost = [Failure(index, "missing", "reason {}".format(index)) for index in range(0, total, 1000)]
    blocks = [
        (start, 64, [one for one in lost if start <= one.index < start + 64]) for start in range(0, total - 64, 64)
    ]
    write(path, blocks[::2] + blocks[1::2], total)
    before = replay(path, total)
    failures = sorted(standing_failures(path, before))
    assert worth_it(before)
    after = compact(path, before)
    assert (after.states == before.states).all() and after.records <= 5 and not worth_it(after)
    assert after.size == os.path.getsize(path)
    assert sorted(standing_failures(path, after)) == failures
    assert b"".join(record.checksums for record in read_records(path, after)) == sums(
        0, before.count(RESULT) + len(failures)
    )
    assert not os.path.exists(path + ".short")


def test_compaction_of_failures_with_long_reasons_keeps_them_all(path):
    total = 140_000
    reason = "x" * 1100
    lost = [[Failure(index, "engine", reason) for index in range(at, at + 500)] for at in range(0, 70_000, 500)]
    write(path, [(failures[0].index, 500, failures) for failures in lost], total)
    write(path, [(start, 500, []) for start in range(70_000, total, 500)], total)
    before = replay(path, total)
    after = compact(path, before)
    assert (after.count(FAILED), after.count(RESULT)) == (70_000, 70_000)
    assert sum(1 for failure in standing_failures(path, after) if failure.reason == reason) == 70_000


def test_compaction_of_holes_and_opened_failures(path):
    write(path, [(0, 10, [Failure(5, "missing", "x")]), (20, 10, [])])
    ledger = Ledger(path, replay(path, 1000).size)
    ledger.open_again(0, 1000, FAILED)
    ledger.commit()
    ledger.close()
    before = replay(path, 1000)
    after = compact(path, before)
    assert list(after.ranges(OPEN)) == [(5, 6), (10, 20), (30, 1000)]
    assert list(standing_failures(path, after)) == []
