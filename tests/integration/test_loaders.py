"""Loaders that come and go while a run is at work: real processes, slow files, the emulated engine."""

from __future__ import annotations

import contextlib
import json
import logging
import os

import psutil
import pytest
from injection import injected
from running import divainfer as program
from running import draw_images, failures, result_files

import divainfer
from divainfer.dispatcher.loadercontrol import Change
from divainfer.dispatcher.start import Start

SMALL = ["--short-edge-size", "64", "--max-size", "96", "--gpus", "cpu", "--engine", "emulated:busy_ms=1"]


@pytest.fixture
def two_cores():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:2])
    yield
    os.sched_setaffinity(0, before)


def run_record(out):
    with open(os.path.join(out, ".divainfer", "run.json"), encoding="ascii") as file:
        return json.load(file)


def test_loaders_that_wait_for_files_become_more(tmp_path, two_cores):
    draw_images(str(tmp_path / "in"), 200)
    out = str(tmp_path / "out")
    slow = injected(delay="loader open 0.05")
    outcome = program("run", "--images", str(tmp_path / "in"), "--out", out, *SMALL, env=slow)
    assert outcome.code == 0, outcome.err
    assert "loaders: the engine waited for frames" in outcome.err, outcome.err
    assert "and the loaders for files" in outcome.err
    assert len(result_files(out)) == 200 and failures(out) == []
    assert run_record(out)["settings"]["loaders"] == "auto"


class Script:
    """Decides by turns instead of figures: two loaders go, and, when they have gone, two others come."""

    def __init__(self, kill):
        self.kill = kill
        self.most = 0
        self.told = []

    def look(self, crews):
        for crew in crews:
            here = loaders()
            self.most = max(self.most, len(here))
            if not self.told and crew.stats.loaders == 3:
                self.told.append(1)
                if self.kill:
                    # The youngest go; this one is seen dead when it has just been told so.
                    here[-1].kill()
                return [Change(0, 1, "3 -> 1 loaders, says the script")]
            if self.told == [1] and crew.stats.loaders == 1 and len(here) == 1:
                self.told.append(3)
                return [Change(0, 3, "1 -> 3 loaders, says the script")]
        return []


def loaders():
    """This test's loader processes that live, the oldest first."""
    found = []
    for child in psutil.Process().children(recursive=True):
        # One may go while it is looked at; the command line of a zombie is empty, or not to be had.
        with contextlib.suppress(psutil.NoSuchProcess):
            if "divainfer.loader" in child.cmdline():
                # Process ids begin anew after the highest.
                found.append((child.create_time(), child.pid, child))
    return [child for _, _, child in sorted(found)]


@pytest.mark.parametrize("kill", [False, True], ids=["retired", "killed while it retires"])
def test_loaders_that_go_lose_nothing(tmp_path, monkeypatch, caplog, kill):
    draw_images(str(tmp_path / "in"), 40)
    for name, value in injected(delay="loader open 0.15").items():
        monkeypatch.setenv(name, value)
    script = Script(kill)
    monkeypatch.setattr(Start, "_loader_control", lambda start: script)
    said = []
    config = divainfer.RunConfig(
        images=str(tmp_path / "in"), out=str(tmp_path / "out"), engine="emulated", gpus="cpu", loaders=3,
        short_edge_size=64, max_size=96, progress="none",
    )  # fmt: skip
    with caplog.at_level(logging.WARNING, "dispatcher"):
        summary = divainfer.run(config, say=said.append)
    assert (summary.results, summary.failures) == (40, 0)
    assert len(result_files(str(tmp_path / "out"))) == 40
    assert script.told == [1, 3] and script.most == 3
    assert [sentence for sentence in said if "script" in sentence] == [
        "3 -> 1 loaders, says the script",
        "1 -> 3 loaders, says the script",
    ]
    lost = [record.getMessage() for record in caplog.records if "is lost" in record.getMessage()]
    assert len(lost) == kill and all("killed by SIGKILL" in sentence for sentence in lost)
