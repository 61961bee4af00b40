"""The latest results of a run, in each format, and the end of a ledger that they are found by."""

from __future__ import annotations

import os

import pytest
from made_runs import MadeRun, detection

from divainfer.imagelist import ImageList
from divainfer.ledger import RESULT, Ledger, last_records, read_records, replay
from divainfer.messages import Failure
from divainfer.output import latest
from divainfer.output.format import Row
from divainfer.output.formats import CODECS
from divainfer.output.latest import LatestResults
from divainfer.output.shards import shard_name
from divainfer.runrecord import read_run_record


class Run:
    """A run whose results are all of one format."""

    def __init__(self, folder, format):
        self.format = format
        self.paths = ["/data/f{:04d}.jpg".format(number) for number in range(5000)]
        self.made = MadeRun(folder, self.paths, format=format)
        self.images = ImageList(self.made.folder.list, self.made.folder.index)
        self.latest = LatestResults(self.made.folder, read_run_record(self.made.folder), self.images)

    def finish(self, start, count, failed=()):
        failures = [Failure(index, "missing", "there is no such file") for index in failed]
        if self.format != "json":
            rows = [
                Row(index, os.fsencode(self.paths[index]), (100, 200), [detection(score=index / 5000)])
                for index in range(start, start + count)
                if index not in failed
            ]
            with open(self.shard(start, count), "wb") as file:
                file.write(CODECS[self.format].encode(rows))
            self.made.record(start, count, failures)
            return
        self.made.finish(start, count, failures)

    def shard(self, start, count):
        return os.path.join(self.made.folder.out, shard_name(start, start + count, self.format))

    def found(self, count=8):
        return [result.index for result in self.latest.find(count)]

    def close(self):
        self.made.close()
        self.images.close()


@pytest.fixture(params=["json", "jsonl", "parquet"])
def run(request, tmp_path):
    run = Run(str(tmp_path / "out"), request.param)
    yield run
    run.close()


def test_the_latest_are_those_of_the_last_records(run):
    assert run.found() == []
    run.finish(64, 64)
    assert run.found() == [127, 119, 111, 103, 95, 87, 79, 71]
    run.finish(0, 3, failed=[1])
    assert run.found(6) == [2, 0, 127, 111, 95, 79], "a few of each block"
    assert run.latest.find(6) is run.latest.find(6), "nothing is read twice"
    result = run.latest.find(6)[2]
    assert (result.image, len(result.detections)) == ("/data/f0127.jpg", 1)
    assert result.detections[0]["bbox"] == [8, 8, 40, 40]
    run.finish(300, 64)
    assert run.found() == [363, 347, 331, 315, 2, 0, 127, 111]


def test_results_that_are_gone_or_damaged_are_passed_over(run):
    run.finish(0, 64)
    run.finish(64, 64)
    path = run.latest.find(8)[0].path
    with open(path, "w") as file:
        file.write("{")
    run.finish(128, 1)
    assert run.found()[0] == 128 and 127 not in run.found()
    os.unlink(path)
    run.finish(129, 1)
    assert run.found()[:2] == [129, 128] and 127 not in run.found()
    assert len(run.found()) > 4


def test_of_results_that_were_moved_away_only_some_are_tried(run, monkeypatch):
    run.finish(0, 64)
    for start in range(64, 4864, 4):
        run.made.record(start, 4)
    tried = []
    for name in ("read_result_file", "read_shard"):
        read = getattr(latest, name)
        monkeypatch.setattr(latest, name, lambda *what, read=read: tried.append(what) or read(*what))
    assert run.found() == [] and 10 <= len(tried) <= 2 * 80
    # They are not tried anew until something has changed; then what is new is found.
    count = len(tried)
    assert run.found() == [] and len(tried) == count
    run.finish(4864, 8)
    assert run.found() == list(range(4871, 4863, -1))


def test_another_number_is_another_question(run):
    run.finish(0, 64)
    assert [len(run.latest.find(count)) for count in (6, 8, 2)] == [6, 8, 2]


@pytest.mark.parametrize("run", ["json"], indirect=True)
def test_a_ledger_that_cannot_be_read_is_no_error(run):
    run.finish(0, 64)
    ledger = run.made.folder.ledger
    os.rename(ledger, ledger + ".away")
    os.mkdir(ledger)  # Even root is refused to read this.
    assert run.found() == []
    os.rmdir(ledger)
    os.rename(ledger + ".away", ledger)
    assert run.found()[0] == 63


def test_results_that_were_opened_again_are_not_there(run):
    run.finish(0, 64)
    run.finish(64, 64)
    run.made.open_again(64, 1, RESULT)
    assert run.found() == [63, 55, 47, 39, 31, 23, 15, 7]
    run.finish(64, 1)
    assert run.found()[0] == 64


def test_the_end_of_a_ledger(tmp_path):
    path = str(tmp_path / "ledger")
    assert last_records(path, 10) == []
    ledger = Ledger(path, 0)
    for number in range(500):
        ledger.add(number * 2, 2, [Failure(number * 2, "missing", "x" * (number % 50))], bytes(8))
    ledger.commit()
    ledger.close()
    everything = list(read_records(path, replay(path, 1000)))
    assert last_records(path, 1000) == everything
    size = os.path.getsize(path)
    for part in (1, 40, 100, 1000, 5000, size - 20, size, size + 5):
        found = last_records(path, 1000, part)
        assert found == everything[len(everything) - len(found) :]
        assert len(found) >= part // 110 or part >= size - 20
    with open(path, "r+b") as file:
        file.truncate(size - 3)
    assert last_records(path, 1000, 1000)[-1] == everything[-2], "the last one is torn"
