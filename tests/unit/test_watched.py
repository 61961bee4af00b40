"""A run seen from outside, by what its folder has: with and without metrics, at work and over."""

from __future__ import annotations

import json
import os
import time

import pytest
from made_runs import MadeRun, metrics_of, samples_of, worker_after

from divainfer.errors import OutputError
from divainfer.lock import RunLock
from divainfer.messages import Failure
from divainfer.monitor import tail as tail_module
from divainfer.monitor.tail import MetricsTail
from divainfer.monitor.watched import Watched, view


@pytest.fixture
def run(tmp_path):
    """A run of a hundred images, forty of them done, at which nobody works."""
    run = MadeRun(str(tmp_path / "out"), ["/data/f{}.jpg".format(number) for number in range(100)])
    run.finish(0, 40, [Failure(3, "missing", "there is no such file")])
    yield run
    run.close()


def now(**more):
    """Samples of a start that has just been going on for a minute and a half."""
    return samples_of([0.9, 0.6], 90, images=100, begun=time.time() - 90, **more)


def test_no_run(tmp_path):
    with pytest.raises(OutputError, match="there is no such folder"):
        Watched(str(tmp_path / "none"))


def test_one_that_was_killed(run):
    run.measure(now())
    found = view(run.folder.out)
    assert (found.state, found.done, found.failures, found.images) == ("killed", 40, 1, 100)
    assert [round(worker.shares.busy, 3) for worker in found.workers] == [0.9, 0.6]
    assert found.history.begin == 0 and not found.at_work


def test_one_that_was_killed_before_it_measured_anything(run):
    found = view(run.folder.out)
    assert (found.state, found.done, found.workers) == ("killed", 40, [])


def test_one_without_metrics_is_shown_by_its_summary(run):
    worker = {"device": "CPU", "restarts": 1, "loaders": 2, "stats": worker_after(50, 0.7)._asdict()}
    said = {"bound": "decode", "sentence": "bound by decoding: so it was.", "gain": 0.1}
    summary = {
        "images": 100,
        "results": 39,
        "failures": 1,
        "seconds": 52.0,
        "workers": [worker],
        "error": "",
        "verdict": said,
    }
    with open(run.folder.summary, "w") as file:
        json.dump(summary, file)
    found = view(run.folder.out)
    assert (found.state, found.done, found.seconds, found.verdict) == ("stopped", 40, 52.0, said)
    assert found.workers[0].shares.busy == pytest.approx(0.7) and found.workers[0].restarts == 1
    # One of another version, without what is looked for.
    with open(run.folder.summary, "w") as file:
        json.dump({"error": "no worker is left"}, file)
    assert view(run.folder.out).state == "failed" and view(run.folder.out).workers == []


def test_one_at_work(run):
    with RunLock(run.folder, print):
        watched = Watched(run.folder.out)
        found = watched.look()
        assert (found.state, found.workers, found.images) == ("starting", [], 100)
        assert (found.done, found.failures) == (40, 1), "it has not said anything yet, but the ledger has"
        # Only `progress.json`, as of a start without metrics.
        run.say_live(time=time.time() + 1, done=40)
        found = watched.look()
        assert (found.state, found.done) == ("running", 40) and found.workers[0].shares.busy == pytest.approx(0.9)
        run.say_live(time=time.time() + 11, done=60, seconds=20.0, stopping=True)
        found = watched.look()
        assert (found.state, found.done, len(found.gpus)) == ("stopping", 60, 0)
    # Nobody is at work any more: now the ledger counts.
    assert (watched.look().state, watched.look().done) == ("killed", 40)


def test_metrics_of_one_at_work_are_preferred_unless_they_are_old(run):
    with RunLock(run.folder, print):
        old, new = samples_of([0.1], 30, begun=time.time() - 5000), samples_of([0.6, 0.5], 30, begun=time.time() + 1)
        run.measure(old)
        watched = Watched(run.folder.out)
        run.say_live(time=time.time() + 2)
        assert watched.look().workers[0].shares.busy == pytest.approx(0.9), "those are an earlier start's"
        run.measure(new)
        found = watched.look()
        assert [worker.shares.busy for worker in found.workers] == [pytest.approx(0.6), pytest.approx(0.5)]
        assert len(found.gpus) == 2
        run.say_live(time=time.time() + 100)
        assert len(watched.look().workers) == 1, "the sampler has given up"


def test_rare_samples_tell_of_gpus_and_progress_of_the_rest(run):
    with RunLock(run.folder, print):
        begun = time.time() + 1
        watched = Watched(run.folder.out)
        run.measure([sample for sample in samples_of([0.6], 120, begun=begun) if sample.seconds % 60 == 0])
        run.say_live(time=begun + 119.9, done=60, seconds=119.9)
        watched.look()
        run.say_live(time=begun + 160, done=80, seconds=160.0)
        found = watched.look()
        assert (found.done, found.seconds, len(found.gpus)) == (80, 160.0, 1) and found.host.last.memory_total
        assert found.gpus[0].utilisation == pytest.approx(0.9)
        run.say_live(time=begun + 320, done=80, seconds=320.0)
        assert watched.look().gpus == [], "three samples have not come"


def test_a_start_without_samples_is_not_taken_for_the_one_before(run):
    run.measure(samples_of([0.9], 61, begun=1.6e9))
    run.say_live(time=1.7e9, seconds=52.0)
    found = view(run.folder.out)
    assert (found.state, found.seconds) == ("killed", 52.0)
    run.say_live(time=1.6e9 + 61, seconds=61.0)
    assert len(view(run.folder.out).gpus) == 1, "it is that one"


def test_another_start_in_the_same_folder_is_followed(run):
    watched = Watched(run.folder.out)
    assert watched.look().state == "killed"
    with RunLock(run.folder, print):
        assert watched.look().state == "starting"
        run.finish(40, 60)
    assert (watched.look().state, watched.look().done) == ("finished", 100)


def test_the_tail_follows_a_file_that_grows_and_is_made_short(tmp_path):
    path = str(tmp_path / "metrics.jsonl")
    tail = MetricsTail(path)
    assert tail.read() == []

    def write(mode, content):
        with open(path + ".part" if mode == "wb" else path, mode) as file:
            file.write(content)
        if mode == "wb":
            os.replace(path + ".part", path)

    def seconds():
        return [sample.seconds for sample in tail.read()]

    samples = samples_of([0.9], 1000)
    write("wb", b'{"time": 1, "seco\n' + metrics_of(samples[:100]))  # The first line was left by one that was killed.
    assert seconds() == list(range(1, 101))
    write("ab", metrics_of(samples[100:800]))
    assert seconds() == list(range(201, 801))
    write("wb", metrics_of(samples[:800:2]))
    assert seconds() == list(range(1, 801, 2)), "every second one was taken out"
    line = metrics_of(samples[800:801])
    write("ab", line[:50])
    assert seconds()[-1] == 799, "the line is not whole yet"
    write("ab", line[50:])
    assert seconds()[-2:] == [799, 801]
    write("ab", metrics_of([samples[5]._replace(start=1.7e9)]))
    assert seconds() == [6], "another start"


def test_of_a_long_file_only_the_end_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tail_module, "_FIRST_BYTES", 100000)
    path = str(tmp_path / "metrics.jsonl")
    with open(path, "wb") as file:
        file.write(metrics_of(samples_of([0.9], 500)))
    found = MetricsTail(path).read()
    assert 20 < len(found) < 200 and found[-1].seconds == 500
