"""The benchmarks run and say what their pages promise. Nothing is timed here: the sizes are far too small for that."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTESTANTS = ["serial", "threads", "mpqueue", "ours"]


def contest(out: Path, *arguments: str) -> dict:
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "benchmarks" / "peers"),
            "--quick",
            "--seconds",
            "0.05",
            "--out",
            str(out),
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")
    return dict(json.loads((out / "peers-quick.json").read_text()), said=done.stdout.decode())


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    out = tmp_path_factory.mktemp("peers")
    return contest(out, "--rows", "96x64:3:2", "--contestants", *CONTESTANTS)


def test_all_contestants_do_the_same_work(result):
    trials = result["trials"]
    assert [trial["contestant"] for trial in trials] == CONTESTANTS
    assert [trial["reason"] for trial in trials] == [""] * 4
    assert {trial["measured"]["frames"] for trial in trials} == {trials[0]["measured"]["frames"]}
    assert trials[0]["measured"]["frames"] >= 16


def test_what_is_measured_can_be(result):
    for trial in result["trials"]:
        measured = trial["measured"]
        assert 0 < measured["busy_share"] <= 1
        assert 0 < measured["frames_per_second"] <= 1000 * 2 / 3
        assert measured["cpu_ms"] >= 0
        assert measured["first_frame"] > 0
        assert 10 < measured["memory_mb"] < 2000
        assert 0 < trial["limit"] <= 1000 * 2 / 3
        assert trial["decoding"]["cpu_ms"] > 0


def test_the_medians_are_those_of_the_trials(result):
    (serial, *_, ours) = result["medians"]
    assert (serial["row"], serial["contestant"], ours["contestant"]) == ("96x64:3:2", "serial", "ours")
    assert serial["frames_per_second"] == result["trials"][0]["measured"]["frames_per_second"]
    assert ours["ahead"] == []
    assert "memory" in serial["ahead"]
    assert "| divainfer |" in result["said"]


def test_one_that_fails_is_said_so_with_its_last_words_and_leaves_nothing_running(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from peers.harness import ContestantFailed, environment, measure
    from peers.task import Task

    (tmp_path / "list").write_text("missing.jpg")
    for name in ("out", "notes"):
        (tmp_path / name).mkdir()
    folders = [str(tmp_path / name) for name in ("list", "out", "notes")]
    task = Task(*folders, "0", short_edge_size=64, max_size=96, devices=1, workers=1, threads=1)
    with pytest.raises(ContestantFailed, match="0 of 1 results.*(?s:.*)NoneType"):
        measure("serial", False, task, environment(tmp_path), 0, 60.0)
    # A thread that dies leaves its consumer waiting for ever.
    with pytest.raises(ContestantFailed, match="was not done after 2 s"):
        measure("threads", False, task, environment(tmp_path / "again"), 0, 2.0)
