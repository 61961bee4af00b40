"""What the command line says to wrong commands: one sentence, the documented exit code, and nothing started."""

from __future__ import annotations

import os

import pytest
from running import divainfer, draw_images


@pytest.fixture
def images(tmp_path):
    draw_images(str(tmp_path / "in"), 3)
    return str(tmp_path / "in")


def run(images, out, *more, env=None):
    return divainfer("run", "--images", images, "--out", out, *more, env=env)


@pytest.mark.parametrize(
    "more,words",
    [
        (["--gpus", "cpu"], "--model is missing"),
        (["--model", "none.pb", "--gpus", "cpu"], "none.pb"),
        (["--model", "{images}/f0000.jpg", "--gpus", "cpu"], "f0000.jpg"),
        (["--model", "{images}", "--gpus", "cpu"], "folder"),
        (["--model", "demo", "--gpus", "cpu:none"], "cpu:N"),
        (["--model", "demo", "--gpus", "97"], "--gpus cpu"),
        (["--model", "demo", "--gpus", "cpu", "--classes", "Vehicel"], "did you mean 'Vehicle'?"),
        (["--model", "demo", "--gpus", "cpu", "--loaders", "x"], "--loaders 'x'"),
        (["--model", "demo", "--gpus", "cpu", "--config", "none.toml"], "none.toml"),
        (["--engine", "nonsense", "--gpus", "cpu"], "known are emulated, tensorflow"),
        (["--engine", "emulated:x", "--gpus", "cpu"], "key=value"),
        (["--engine", "emulated", "--gpus", "cpu", "--max-size", "10"], "--max-size 10 is below --short-edge-size"),
        (["--engine", "emulated", "--gpus", "cpu", "--model", "none.pb"], "none.pb"),
    ],
)
def test_what_cannot_be_used_is_refused(images, tmp_path, more, words):
    out = tmp_path / "out"
    outcome = run(images, str(out), *[word.format(images=images) for word in more])
    assert outcome.code == 2, outcome
    assert words in outcome.err
    assert "Traceback" not in outcome.err and len(outcome.err.strip().splitlines()) == 1
    assert not out.exists()


def test_no_image_no_folder(tmp_path):
    outcome = run(str(tmp_path / "none.lst"), str(tmp_path / "out"), "--engine", "emulated", "--gpus", "cpu")
    assert outcome.code == 2 and "none.lst" in outcome.err
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file(images, tmp_path):
    (tmp_path / "out").write_text("mine")
    outcome = run(images, str(tmp_path / "out"), "--engine", "emulated", "--gpus", "cpu")
    assert outcome.code == 2 and "cannot be written" in outcome.err
    assert (tmp_path / "out").read_text() == "mine"


def test_a_queue_that_holds_no_frame_is_refused_by_the_engine_s_start(images, tmp_path):
    outcome = run(images, str(tmp_path / "out"), "--engine", "emulated", "--gpus", "cpu", "--queue-mem", "1MB")
    assert outcome.code == 4
    assert "--queue-mem" in outcome.err and "give at least" in outcome.err


def test_a_typo_in_the_environment_is_named(images, tmp_path):
    outcome = run(images, str(tmp_path / "out"), env={"DIVAINFER_LODERS": "3"})
    assert outcome.code == 2 and "'loaders'" in outcome.err


def test_printed_configuration_runs(images, tmp_path):
    arguments = ["--engine", "emulated", "--gpus", "cpu", "--images", images, "--out", str(tmp_path / "out")]
    printed = divainfer(
        "run", *arguments, "--short-edge-size", "64", "--print-config", env={"DIVAINFER_MAX_SIZE": "96"}
    )
    assert printed.code == 0 and "max_size = 96" in printed.out
    assert not (tmp_path / "out").exists()
    (tmp_path / "run.toml").write_text(printed.out)
    assert divainfer("run", "--config", str(tmp_path / "run.toml")).code == 0
    assert len(os.listdir(str(tmp_path / "out"))) > 1


def test_help_names_every_exit_code():
    text = divainfer("run", "--help").out
    for code in ("0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "130 "):
        assert "  " + code in text
    assert divainfer("--version").out.startswith("divainfer, version")


def test_a_list_on_standard_input(tmp_path):
    paths = draw_images(str(tmp_path / "in"), 4)
    outcome = divainfer(
        *["run", "--engine", "emulated", "--gpus", "cpu", "--images", "-", "--out", str(tmp_path / "out")],
        stdin="\n".join(paths).encode(),
    )
    assert outcome.code == 0, outcome.err


def test_a_start_that_failed_does_not_bind_the_folder(images, tmp_path):
    out = str(tmp_path / "out")
    assert run(images, out, "--engine", "emulated:busyms=3", "--gpus", "cpu").code == 4
    assert run(images, out, "--engine", "emulated:busy_ms=3", "--gpus", "cpu").code == 0


@pytest.mark.parametrize("code,more", [(2, []), (5, ["--score-threshold", "0.3"])])
def test_a_dry_run_checks_the_output_folder_too(images, tmp_path, code, more):
    out = "/proc/none" if code == 2 else str(tmp_path / "out")
    arguments = ["--engine", "emulated", "--gpus", "cpu"]
    if code == 5:
        assert run(images, out, *arguments).code == 0
    assert run(images, out, *arguments, *more, "--dry-run").code == code


def test_flat_names(tmp_path):
    draw_images(str(tmp_path / "in"), 4)
    arguments = ["--engine", "emulated", "--gpus", "cpu", "--flat"]
    outcome = run(str(tmp_path / "in"), str(tmp_path / "out"), *arguments)
    assert outcome.code == 0, outcome.err
    assert {"f0000.json", "f0001.json", "f0002.json", "f0003.json"} < set(os.listdir(str(tmp_path / "out")))
    os.mkdir(str(tmp_path / "in" / "other"))
    os.link(str(tmp_path / "in" / "f0000.jpg"), str(tmp_path / "in" / "other" / "f0000.jpg"))
    outcome = run(str(tmp_path / "in"), str(tmp_path / "out2"), *arguments)
    assert outcome.code == 2 and "Leave --flat out" in outcome.err
    assert not (tmp_path / "out2").exists()
