"""The whole pool with the emulated engine: real processes, sockets, shared memory and files, no TensorFlow."""

from __future__ import annotations

import json
import os
import signal

import psutil
import pytest
from running import Outcome, Started, draw_images, failures, result_files, summary, wait_for_results
from running import divainfer as program
from serial_2019 import serial_result

import divainfer
from divainfer.worker.engines.emulated import emulated_detections


def emulated_infer(image):
    found = emulated_detections(image)
    return found.boxes, found.labels, found.scores


def expected(paths, root, short_edge_size=64, max_size=96):
    return {
        os.fsencode(os.path.splitext(os.path.relpath(path, root))[0] + ".json"): serial_result(
            path, emulated_infer, short_edge_size, max_size, []
        )
        for path in paths
    }


SMALL = ["--short-edge-size", "64", "--max-size", "96"]


def run(images, out, *more: str, engine="emulated:busy_ms=1", gpus="cpu:2") -> Outcome:
    return program("run", "--engine", engine, "--gpus", gpus, "--images", images, "--out", out, *SMALL, *more)


@pytest.mark.parametrize("batch_size,streams", [(1, 1), (4, 1), (3, 2)])
def test_results_equal_the_serial_loops(tmp_path, batch_size, streams):
    paths = draw_images(str(tmp_path / "in"), 100)
    out = str(tmp_path / "out")
    outcome = run(
        str(tmp_path / "in"), out, "--batch-size", str(batch_size), "--streams", str(streams), "--loaders", "2"
    )
    assert outcome.code == 0, outcome.err
    assert result_files(out) == expected(paths, str(tmp_path / "in"))
    assert failures(out) == []
    assert "100 images: 100 results, 0 failures" in outcome.out


def test_the_same_command_again_computes_nothing_again(tmp_path):
    draw_images(str(tmp_path / "in"), 10)
    out = str(tmp_path / "out")
    run(str(tmp_path / "in"), out)
    before = {path: os.stat(os.path.join(out, os.fsdecode(path))).st_mtime_ns for path in result_files(out)}
    outcome = run(str(tmp_path / "in"), out)
    assert outcome.code == 0
    assert "10 of 10 images done" in outcome.err
    assert before == {path: os.stat(os.path.join(out, os.fsdecode(path))).st_mtime_ns for path in before}


def test_another_run_on_the_same_folder_is_refused_with_the_difference(tmp_path):
    draw_images(str(tmp_path / "in"), 4)
    out = str(tmp_path / "out")
    run(str(tmp_path / "in"), out)
    before = result_files(out)
    outcome = run(str(tmp_path / "in"), out, "--score-threshold", "0.5")
    assert outcome.code == 5
    assert "score_threshold was 0.0, is 0.5" in outcome.err
    assert result_files(out) == before
    assert run(str(tmp_path / "in"), out).code == 0


def command(images, out, engine, gpus="cpu:2"):
    return ["run", "--engine", engine, "--gpus", gpus, "--images", images, "--out", out, *SMALL]


def test_ctrl_c_drains_and_the_same_command_resumes(tmp_path):
    paths = draw_images(str(tmp_path / "in"), 120)
    out = str(tmp_path / "out")
    arguments = command(str(tmp_path / "in"), out, "emulated:busy_ms=60")
    with Started(*arguments) as started:
        wait_for_results(out, 10)
        started.signal(signal.SIGINT)
        outcome = started.wait()
    assert outcome.code == 130
    first = summary(out)
    assert first["interrupted"] and 10 <= first["results"] < 120
    # What was written was also recorded: nothing that is done is done again.
    assert first["results"] == len(result_files(out))
    assert "Stopped with {} images left".format(120 - first["results"]) in outcome.out

    outcome = program(*arguments)
    assert outcome.code == 0, outcome.err
    assert summary(out)["computed"] == 120 - first["results"]
    assert result_files(out) == expected(paths, str(tmp_path / "in"))


def test_a_killed_worker_loses_nothing(tmp_path):
    paths = draw_images(str(tmp_path / "in"), 80)
    out = str(tmp_path / "out")
    with Started(*command(str(tmp_path / "in"), out, "emulated:busy_ms=40")) as started:
        wait_for_results(out, 5)
        assert len(started.processes("worker")) == 2
        started.processes("worker")[0].kill()
        started.processes("loader")[-1].kill()
        outcome = started.wait()
    assert outcome.code == 0, outcome.err
    assert "worker-" in outcome.err and "killed by SIGKILL" in outcome.err
    assert result_files(out) == expected(paths, str(tmp_path / "in"))


def test_everything_dies_with_a_killed_dispatcher(tmp_path):
    draw_images(str(tmp_path / "in"), 50)
    out = str(tmp_path / "out")
    with Started(*command(str(tmp_path / "in"), out, "emulated:busy_ms=100")) as started:
        wait_for_results(out, 3)
        children = started.processes()
        assert len(children) >= 4
        started.signal(signal.SIGKILL)
        started.wait()
    assert psutil.wait_procs(children, timeout=10)[1] == []
    outcome = run(str(tmp_path / "in"), out, engine="emulated:busy_ms=100")
    assert outcome.code == 0, outcome.err
    assert len(result_files(out)) == 50


def test_a_folder_in_use_is_refused(tmp_path):
    draw_images(str(tmp_path / "in"), 40)
    out = str(tmp_path / "out")
    arguments = command(str(tmp_path / "in"), out, "emulated:busy_ms=50", gpus="cpu")
    with Started(*arguments) as started:
        wait_for_results(out, 1)
        outcome = program(*arguments)
        assert outcome.code == 2
        assert "another divainfer is at work" in outcome.err
        assert started.wait().code == 0


def test_a_dry_run_writes_nothing(tmp_path):
    draw_images(str(tmp_path / "in"), 5)
    out = tmp_path / "out"
    outcome = run(str(tmp_path / "in"), str(out), "--dry-run")
    assert outcome.code == 0, outcome.err
    assert "nothing was written" in outcome.out
    assert not out.exists()


def test_an_engine_that_does_not_come_up_ends_the_run_with_its_own_words(tmp_path):
    draw_images(str(tmp_path / "in"), 3)
    outcome = run(str(tmp_path / "in"), str(tmp_path / "out"), engine="emulated:buzzy_ms=3")
    assert outcome.code == 4
    assert "buzzy_ms=3 is not understood" in outcome.err
    assert "Traceback" not in outcome.err


def test_python_api_runs_and_iterates(tmp_path):
    paths = draw_images(str(tmp_path / "in"), 12)
    with open(str(tmp_path / "in" / "broken.jpg"), "wb") as file:
        file.write(b"no image")
    config = divainfer.RunConfig(
        images=str(tmp_path / "in"), out=str(tmp_path / "out"), engine="emulated", gpus="cpu", short_edge_size=64, max_size=96,
        progress="none",
    )  # fmt: skip
    summary = divainfer.run(config)
    assert (summary.images, summary.results, summary.failures, summary.exit_code) == (13, 12, 1, 3)
    found = list(divainfer.results(str(tmp_path / "out")))
    assert len(list(divainfer.results(str(tmp_path / "out")))) == 13, "a second time as well"
    assert sorted(result.image for result in found if result.detections is not None) == sorted(paths)
    assert json.loads(open(found[1].path).read()) == found[1].detections


def test_weird_paths_work_everywhere(weird_path):
    inside = os.path.join(weird_path, "in")
    paths = draw_images(inside, 6)
    out = os.path.join(weird_path, "out")
    outcome = run(inside, out)
    assert outcome.code == 0, outcome.err
    assert result_files(out) == expected(paths, inside)


def test_fast_decode_keeps_sizes_and_is_another_run(tmp_path):
    draw_images(str(tmp_path / "in"), 6, sizes=((256, 384), (64, 96)))
    found = {}
    for name, more in (("plain", []), ("fast", ["--fast-decode"])):
        out = str(tmp_path / name)
        outcome = run(str(tmp_path / "in"), out, "--result-style", "later", *more)
        assert outcome.code == 0, outcome.err
        found[name] = {image: json.loads(content.decode()) for image, content in result_files(out).items()}
    # Each second image has the size of its frame.
    small = [name for name in found["plain"] if int(os.path.basename(name)[1:5]) % 2]
    assert found["plain"] != found["fast"], "other pixels"
    assert all(found["plain"][name] == found["fast"][name] for name in small), "nothing to leave out there"
    sizes = [detection["im_size"] for name in found["fast"] if name not in small for detection in found["fast"][name]]
    assert sizes and all(size == [256, 384] for size in sizes)
    again = run(str(tmp_path / "in"), str(tmp_path / "plain"), "--result-style", "later", "--fast-decode")
    assert again.code == 5 and "fast_decode was null, is true" in again.err
