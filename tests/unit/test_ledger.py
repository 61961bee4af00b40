"""The ledger: what is in comes back, what is torn is cut off."""

from __future__ import annotations

import os

import pytest

from divainfer.dispatcher.ledger import MAGIC, Ledger, recorded_failures, replay
from divainfer.errors import OutputError
from divainfer.messages import Failure


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "ledger")


def write(path, records, total=1000):
    ledger = Ledger(path, replay(path, total).size)
    for start, count, failures in records:
        ledger.add(start, count, failures)
    ledger.commit()
    ledger.close()


def test_replay_gives_back_what_was_written(path):
    failure = Failure(12, "truncated", "a reason with odd bytes \udcff")
    write(path, [(0, 10, []), (10, 5, [failure])])
    write(path, [(20, 1, [])])
    progress = replay(path, 1000)
    assert list(progress.done) == [(0, 15), (20, 21)]
    assert progress.failures == 1
    assert list(recorded_failures(path, 1000)) == [failure]
    assert progress.size == os.path.getsize(path)


def test_nothing_is_done_before_commit(path):
    ledger = Ledger(path, 0)
    ledger.add(0, 10, [])
    assert list(replay(path, 1000).done) == []
    ledger.commit()
    assert list(replay(path, 1000).done) == [(0, 10)]
    ledger.close()


def test_every_torn_end_is_cut_off_and_written_over(path):
    write(path, [(0, 10, []), (10, 5, [])])
    with open(path, "rb") as file:
        whole = file.read()
    first = len(whole) - (len(whole) - len(MAGIC)) // 2
    for length in range(len(whole)):
        with open(path, "wb") as file:
            file.write(whole[:length])
        expected = [] if length < first else [(0, 10)]
        assert list(replay(path, 1000).done) == expected, length
        write(path, [(50, 1, [])])
        assert list(replay(path, 1000).done) == expected + [(50, 51)], length


def test_a_flipped_bit_ends_the_replay(path):
    write(path, [(0, 10, []), (10, 5, [])])
    with open(path, "r+b") as file:
        file.seek(-2, os.SEEK_END)
        file.write(b"\xff")
    assert list(replay(path, 1000).done) == [(0, 10)]


def test_a_record_beyond_the_list_is_damage(path):
    write(path, [(0, 10, []), (995, 10, [])])
    assert list(replay(path, 1000).done) == [(0, 10)]


def test_a_file_that_is_no_ledger_is_refused(path):
    with open(path, "w") as file:
        file.write("something else entirely, and long enough")
    with pytest.raises(OutputError, match="not a ledger"):
        replay(path, 1000)
