"""Which results a report looks at, and what comes of those that cannot be read."""

from __future__ import annotations

import itertools
import os
import types

import pytest
from made_runs import MadeRun, detection

from divainfer.imagelist import ImageList
from divainfer.ledger import replay
from divainfer.messages import Failure
from divainfer.output.format import Row
from divainfer.output.formats import CODECS
from divainfer.output.shards import shard_name
from divainfer.reporting import survey
from divainfer.reporting.survey import survey_results
from divainfer.runrecord import read_run_record

COUNT = 640


class Run:
    """A run of COUNT images."""

    def __init__(self, out, format):
        self.paths = ["/data/f{:04d}.jpg".format(number) for number in range(COUNT)]
        self.format = format
        self.made = MadeRun(out, self.paths, format=format)

    def shard(self, start, count, failed=()):
        """These images are done; the path of their shard."""
        path = os.path.join(self.made.folder.out, shard_name(start, start + count, self.format))
        rows = [
            Row(index, os.fsencode(self.paths[index]), (100, 200), [detection()] * (index % 2))
            for index in range(start, start + count)
            if index not in failed
        ]
        with open(path, "wb") as file:
            file.write(CODECS[self.format].encode(rows))
        self.made.record(start, count, [Failure(index, "missing", "gone") for index in failed])
        return path

    def look(self, **options):
        folder = self.made.folder
        images = ImageList(folder.list, folder.index)
        try:
            return survey_results(folder, read_run_record(folder), images, replay(folder.ledger, COUNT), **options)
        finally:
            images.close()

    def places(self, found):
        return [self.paths.index(os.fsdecode(candidate.image)) for candidate in found.candidates]


@pytest.fixture(params=["json", "jsonl", "parquet"])
def run(request, tmp_path):
    run = Run(str(tmp_path / "out"), request.param)
    yield run
    run.made.close()


@pytest.fixture
def slow_disk(monkeypatch):
    """On which each result takes a second."""
    seconds = itertools.count()
    monkeypatch.setattr(survey, "time", types.SimpleNamespace(monotonic=lambda: float(next(seconds))))


@pytest.mark.parametrize("run", ["json"], indirect=True)
def test_when_time_is_up_those_that_were_read_are_spread_over_the_whole_list(run, slow_disk):
    run.made.finish(0, COUNT)
    found = run.look(seconds=28.0)
    assert (found.images, found.of, found.unreadable) == (29, COUNT, 0)
    places = run.places(found)
    assert len(places) == 29 and places == sorted(places)
    assert max(later - earlier for earlier, later in zip([0] + places, places + [COUNT])) <= 2 * COUNT / 29


@pytest.mark.parametrize("run", ["json"], indirect=True)
def test_results_that_cannot_be_read_take_no_more_time_than_others(run, slow_disk):
    run.made.record(0, COUNT)
    assert run.look(seconds=28.0)[:7] == (0, COUNT, 0, {}, [0] * 20, 0, 29)


@pytest.mark.parametrize("run", ["jsonl", "parquet"], indirect=True)
def test_a_shard_that_cannot_be_read_counts_by_its_images(run):
    run.shard(0, 64)
    with open(run.shard(64, 64, failed=(70, 80)), "wb") as file:
        file.write(b"{")
    os.truncate(run.shard(128, 64), 17 << 20)
    os.unlink(run.shard(192, 32))
    found = run.look()
    assert (found.images, found.of, found.unreadable) == (64, 64 + 62 + 64 + 32, 62 + 64 + 32)


@pytest.mark.parametrize("run", ["jsonl", "parquet"], indirect=True)
def test_images_to_show_are_of_all_shards(run):
    for start in range(0, COUNT, 64):
        run.shard(start, 64)
    found = run.look()
    places = run.places(found)
    assert found.empty == COUNT // 2 and len(places) == 40 and places == sorted(places)
    assert all(place % 2 for place in places) and len({place // 64 for place in places}) >= 8


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 64, 1000])
def test_any_first_ones_are_spread_over_all(count):
    order = survey._scattered(range(count))
    assert sorted(order) == list(range(count))
    whole = 1 << max(1, count - 1).bit_length()
    for some in range(1, count + 1):
        first = sorted(order[:some])
        assert max(b - a for a, b in zip([0] + first, first + [count])) <= 2 * whole / some
