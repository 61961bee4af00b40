"""What bounds real runs, each made so that one thing must; and that `status` says the same."""

from __future__ import annotations

import os

from injection import injected
from running import Started, draw_images, summary, wait_for
from running import divainfer as program

import divainfer
from divainfer.messages import WorkerStats
from divainfer.monitor.facts import WorkerFacts, make_facts
from divainfer.monitor.verdict import START, verdict
from divainfer.runfolder import RunFolder
from divainfer.runrecord import read_run_record


def arguments(tmp_path, engine):
    inside, out = str(tmp_path / "in"), str(tmp_path / "out")
    command = ["run", "--engine", "emulated:" + engine, "--gpus", "cpu", "--images", inside, "--out", out]
    return command + ["--short-edge-size", "60", "--max-size", "80"]


def bounded(tmp_path, engine, *more, delay=""):
    """Runs one worker over the images in `in`; returns what bounded it, whatever the start of its processes took.

    What the program said of it must be that, or that the start took most of the time, as it does on a machine at work.
    """
    outcome = program(*arguments(tmp_path, engine), *more, env=injected(delay=delay) if delay else None)
    assert outcome.code == 0, outcome.err
    out = str(tmp_path / "out")
    said, worker = summary(out)["verdict"], summary(out)["workers"][0]
    assert outcome.out.splitlines()[-1] == said["sentence"] == divainfer.status(out).lines()[-1]
    assert divainfer.status(out).verdict == said
    record = read_run_record(RunFolder(out))
    facts = WorkerFacts(worker["device"], False, record.settings["loaders"], WorkerStats(**worker["stats"]))
    found = verdict(make_facts([facts], 2, 0.0, record.config))
    assert said["bound"] in (found.bound, START)
    return found


def test_a_slow_engine(tmp_path):
    draw_images(str(tmp_path / "in"), 10, sizes=((60, 80),))
    found = bounded(tmp_path, "busy_ms=200", "--loaders", "1")
    assert found.bound == "engine" and found.gain < 0.2, found


def test_large_images_and_one_loader(tmp_path):
    (path,) = draw_images(str(tmp_path / "in"), 1, sizes=((1500, 2000),))
    for number in range(80):
        os.link(path, "{}.{}.jpg".format(path, number))
    found = bounded(tmp_path, "busy_ms=1", "--loaders", "1")
    assert found.bound == "decode" and found.gain > 0.3, found


def test_a_disk_that_is_slow_to_read(tmp_path):
    draw_images(str(tmp_path / "in"), 40, sizes=((60, 80),))
    found = bounded(tmp_path, "busy_ms=5", "--loaders", "1", delay="loader open 0.05")
    assert found.bound == "read" and "`--loaders" in found.sentence, found


def test_a_disk_that_is_slow_to_write(tmp_path):
    draw_images(str(tmp_path / "in"), 40, sizes=((60, 80),))
    found = bounded(tmp_path, "busy_ms=5", "--loaders", "1", delay="worker replace 0.05")
    assert found.bound == "write" and "`--format jsonl`" in found.sentence, found


def test_a_run_at_work(tmp_path):
    draw_images(str(tmp_path / "in"), 40, sizes=((60, 80),))
    out = str(tmp_path / "out")
    with Started(*arguments(tmp_path, "busy_ms=60")) as run:
        wait_for(lambda: os.path.exists(os.path.join(out, ".divainfer", "progress.json")))
        wait_for(lambda: divainfer.status(out).verdict is not None or run.ended)
        found = divainfer.status(out)
        assert found.state == "running" and found.verdict["bound"] in ("start", "engine")
        assert found.lines()[-1] == found.verdict["sentence"]
        run.wait()
