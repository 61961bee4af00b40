"""`divainfer tune` as an operator gives it: real trials on the emulated engine."""

from __future__ import annotations

import json
import os
import signal

import pytest
from running import Started, divainfer, draw_images, result_files, wait_for

from divainfer.config import resolve

SMALL = ["--short-edge-size", "64", "--max-size", "96"]


@pytest.fixture
def images(tmp_path):
    draw_images(str(tmp_path / "in"), 40)
    return str(tmp_path / "in")


def command(images, out, *more, engine="emulated:busy_ms=5,cpu_ms=2"):
    return [
        "tune",
        "--engine",
        engine,
        "--gpus",
        "cpu",
        "--images",
        images,
        "--out",
        out,
        "--seconds",
        "0.5",
        *SMALL,
        *more,
    ]


def test_it_writes_a_setting_that_run_takes(images, tmp_path):
    out = str(tmp_path / "tuned.toml")
    (tmp_path / "scratch").mkdir()
    more = ["--loaders", "1", "--streams", "2", "--batch-size", "2", "--scratch", str(tmp_path / "scratch")]
    outcome = divainfer(*command(images, out, *more))
    assert outcome.code == 0, outcome.err
    assert "40 images listed" in outcome.err and "engine alone   streams 2  batch size 2" in outcome.err
    assert "| engine alone " in outcome.out and "| run " in outcome.out and "| chosen" in outcome.out, outcome
    assert os.listdir(str(tmp_path / "scratch")) == []
    with open(str(tmp_path / "tuned.json")) as file:
        measured = json.load(file)
    assert [trial["kind"] for trial in measured["trials"]] == ["engine", "decode", "run"]
    assert measured["complete"]
    for trial in measured["trials"]:
        assert trial["error"] == "" and trial["frames_per_second"] > 0 and trial["cpu_ms"] > 0
        assert trial["streams"] == 2 and (trial["kind"] == "engine" or trial["loaders"] == 1)
        # Nothing is faster than the engine's two parts, one of which is the device's own.
        assert trial["kind"] == "decode" or trial["frames_per_second"] < 201
    assert (tmp_path / "tuned.svg").stat().st_size > 5000

    config = resolve({}, {}, out)
    assert (config.loaders, config.streams, config.batch_size) == (1, 2, 2)
    outcome = divainfer("run", "--config", out, "--images", images, "--out", str(tmp_path / "out"))
    assert outcome.code == 0, outcome.err
    assert len(result_files(str(tmp_path / "out"))) == 40


def test_stopped_it_keeps_what_was_measured(images, tmp_path):
    out = str(tmp_path / "tuned.toml")
    measured = tmp_path / "tuned.json"
    with Started(*command(images, out, "--seconds", "1")) as started:
        wait_for(measured.exists, "a first trial")
        wait_for(lambda: started.processes("worker"), "the next trial")
        started.signal(signal.SIGINT)
        outcome = started.wait()
    assert outcome.code == 130, outcome
    found = json.loads(measured.read_text())
    assert found["interrupted"] and not found["complete"] and found["trials"][0]["frames_per_second"] > 0
    assert "Stopped; not measured: " in outcome.out and "tuned.json" in outcome.out
    assert "Traceback" not in outcome.err
    # Too little is known for a setting to be chosen.
    assert not os.path.exists(out)


def test_stopped_before_the_first_trial_is_over_it_leaves_nothing(images, tmp_path):
    before = set(os.listdir(str(tmp_path)))
    with Started(*command(images, str(tmp_path / "tuned.toml"), engine="emulated:boot_ms=60000")) as started:
        wait_for(lambda: started.processes("worker"), "the first trial")
        started.signal(signal.SIGTERM)
        outcome = started.wait()
    assert outcome.code == 130
    assert "Stopped before anything was measured." in outcome.out
    assert set(os.listdir(str(tmp_path))) == before


def test_a_budget_that_is_too_small_for_anything_says_so(images, tmp_path):
    outcome = divainfer(
        *command(images, str(tmp_path / "tuned.toml"), "--budget", "1s", engine="emulated:boot_ms=60000")
    )
    assert outcome.code == 1, outcome
    assert "The budget was spent before anything was measured" in outcome.err
    assert sorted(os.listdir(str(tmp_path))) == ["in"]


def test_images_that_cannot_be_decoded_end_it_with_their_reason(tmp_path):
    (tmp_path / "in").mkdir()
    for index in range(3):
        (tmp_path / "in" / "{}.jpg".format(index)).write_bytes(b"none")
    outcome = divainfer(*command(str(tmp_path / "in"), str(tmp_path / "tuned.toml")))
    assert outcome.code == 1, outcome
    assert "images could be computed; `divainfer run`" in outcome.err
    assert not (tmp_path / "tuned.toml").exists()


def test_a_broken_image_that_comes_again_and_again_is_told_once(images, tmp_path):
    # The first of a list is always among those that the engine alone is given.
    (tmp_path / "in" / "!.jpg").write_bytes(b"none")
    out = str(tmp_path / "tuned.toml")
    outcome = divainfer(*command(images, out, "--loaders", "1", "--streams", "1", "--batch-size", "1"))
    assert outcome.code == 0, outcome.err
    assert "Of the 16 images that the engine alone computed again and again, some cannot be computed." in outcome.out
    trials = json.loads((tmp_path / "tuned.json").read_text())["trials"]
    others = sum(trial["failures"] for trial in trials if trial["kind"] != "engine")
    assert others and "In {} case".format(others) in outcome.out


@pytest.mark.parametrize(
    "more,words",
    [
        (["--out", "tuned"], "a TOML file is wanted"),
        (["--out", "none/tuned.toml"], "no file can be written"),
        (["--scratch", "none"], "--scratch"),
        (["--budget", "soon"], "90s, 10m or 1h"),
        (["--batch-size", "0"], "--batch-size '0'"),
        (["--engine", "tensorflow"], "--model is missing"),
        (["--gpus", "97"], "--gpus cpu"),
        (["--images", "none.lst"], "none.lst"),
    ],
)
def test_what_cannot_be_used_is_refused(images, tmp_path, more, words):
    outcome = divainfer(*command(images, str(tmp_path / "tuned.toml"), *more))
    assert outcome.code == 2, outcome
    assert words in outcome.err and "Traceback" not in outcome.err
    assert not (tmp_path / "tuned.json").exists()
