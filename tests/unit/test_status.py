"""What a folder says of its run, for each way a run can stand."""

from __future__ import annotations

import json
import os
import time

import pytest

from divainfer.config import RunConfig, to_json
from divainfer.imagelist import Listing
from divainfer.ledger import Ledger
from divainfer.messages import Failure, WorkerStats
from divainfer.monitor import status as status_module
from divainfer.naming import Naming
from divainfer.ownerfile import Owner
from divainfer.runfolder import RunFolder
from divainfer.runrecord import RunRecord


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run of ten images, three of them done, at which nobody works."""
    folder = RunFolder(str(tmp_path / "out"))
    folder.make()
    listing = Listing(10, "sha256:x", Naming("stem", b"/r"), [], "")
    RunRecord({"format": "json"}, to_json(RunConfig()), listing, [], [], {}, [], "2026-01-01T00:00:00+0000").write(
        folder
    )
    ledger = Ledger(folder.ledger, 0)
    ledger.add(0, 3, [Failure(1, "missing", "there is no such file")], bytes(12))
    ledger.commit()
    ledger.close()
    at_work(monkeypatch, None)
    return folder


def at_work(monkeypatch, owner):
    monkeypatch.setattr(status_module, "holder", lambda folder: owner)


def leave(path, **values):
    with open(path, "w") as file:
        json.dump(values, file)


def seen(folder):
    found = status_module.status(folder.out)
    assert (found.images, found.results, found.failures, found.open) == (10, 2, 1, 7) or found.state == "finished"
    return found.state, "\n".join(found.lines())


def test_one_that_was_killed(folder):
    state, text = seen(folder)
    assert state == "killed" and "ended without a word" in text and "1 missing" in text


def test_one_that_was_stopped_and_one_that_failed(folder):
    leave(folder.summary, error="", workers=[])
    assert seen(folder)[0] == "stopped"
    leave(folder.summary, error="no worker is left", workers=[])
    state, text = seen(folder)
    assert state == "failed" and "ended early: no worker is left" in text


def test_one_that_is_finished(folder):
    ledger = Ledger(folder.ledger, os.path.getsize(folder.ledger))
    ledger.add(3, 7, [], bytes(28))
    ledger.commit()
    ledger.close()
    assert seen(folder)[0] == "finished"


def test_one_that_is_at_work(folder, monkeypatch):
    now = time.time()
    at_work(monkeypatch, Owner("here", 123, now - 1000))
    leave(folder.progress, time=now, images_per_second=2.0, seconds_left=3.5, stopping=False, workers=[])
    state, text = seen(folder)
    assert (
        state == "running"
        and "process 123 on here" in text
        and "2.0 images/s over the last minute, 0:00:03 left" in text
    )
    leave(folder.progress, time=now, stopping=True, workers=[])
    assert seen(folder)[0] == "stopping"
    # What an earlier start left is not this one's: it reads the list.
    at_work(monkeypatch, Owner("here", 123, now - 5))
    leave(folder.progress, time=now - 10, images_per_second=2.0, seconds_left=3.5, stopping=True, workers=[])
    state, text = seen(folder)
    assert state == "running" and "images/s" not in text


def test_one_whose_dispatcher_says_nothing(folder, monkeypatch):
    now = time.time()
    at_work(monkeypatch, Owner("here", 123, now - 1000))
    leave(folder.progress, time=now - 90, stopping=False, workers=[])
    state, text = seen(folder)
    assert state == "silent" and "has said nothing for 90 s" in text
    # The file may be that of an earlier start; this one still reads its list.
    at_work(monkeypatch, Owner("here", 123, now - 10))
    assert seen(folder)[0] == "running"


def busy_worker(**more):
    stats = WorkerStats(images=3, batches=3, busy=9.9, starved=0.1, loaders=2)
    return dict({"device": "GPU 0 (X)", "on_gpu": True, "state": "up", "restarts": 0, "stats": stats._asdict()}, **more)


def test_what_bounds_one_that_is_at_work(folder, monkeypatch):
    now = time.time()
    at_work(monkeypatch, Owner("here", 123, now - 1000))
    leave(folder.progress, time=now, cores=4, seconds=10.0, workers=[busy_worker()])
    state, text = seen(folder)
    assert state == "running" and text.splitlines()[-1].startswith("bound by the GPU: it computed 99 % of the time")
    # Nothing is said of figures that are an earlier start's, that stopped coming, or that another version left.
    at_work(monkeypatch, Owner("here", 123, now + 1))
    assert "bound by" not in seen(folder)[1]
    at_work(monkeypatch, Owner("here", 123, now - 1000))
    leave(folder.progress, time=now - 90, cores=4, seconds=10.0, workers=[busy_worker()])
    assert seen(folder)[0] == "silent" and "bound by" not in seen(folder)[1]
    leave(folder.progress, time=now, workers=[busy_worker()])
    assert seen(folder)[0] == "running" and "bound by" not in seen(folder)[1]


def test_what_bounded_one_that_has_ended(folder):
    said = {"bound": "gpu", "sentence": "bound by the GPU: as it should be.", "gain": 0.0}
    leave(folder.summary, error="", workers=[busy_worker()], verdict=said)
    assert seen(folder)[1].splitlines()[-1] == said["sentence"]
    assert status_module.status(folder.out).verdict == said
