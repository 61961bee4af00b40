"""What a folder says of its run, for each way a run can stand."""

from __future__ import annotations

import json
import os
import time

import pytest

from divainfer.imagelist import Listing
from divainfer.ledger import Ledger
from divainfer.messages import Failure
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
    RunRecord({"format": "json"}, {}, listing, [], [], {}, [], "2026-01-01T00:00:00+0000").write(folder)
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
    assert state == "running" and "process 123 on here" in text and "2.0 images/s, 0:00:03 left" in text
    leave(folder.progress, time=now, stopping=True, workers=[])
    assert seen(folder)[0] == "stopping"


def test_one_whose_dispatcher_says_nothing(folder, monkeypatch):
    now = time.time()
    at_work(monkeypatch, Owner("here", 123, now - 1000))
    leave(folder.progress, time=now - 90, stopping=False, workers=[])
    state, text = seen(folder)
    assert state == "silent" and "has said nothing for 90 s" in text
    # The file may be that of an earlier start; this one still reads its list.
    at_work(monkeypatch, Owner("here", 123, now - 10))
    assert seen(folder)[0] == "running"
