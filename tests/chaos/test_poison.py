"""Images that crash, hang or break the engine: each is found and recorded, the others are computed, the run goes on."""

from __future__ import annotations

import collections
import os
import struct

import cv2
import numpy as np
import pytest
from injection import CRASH_MARKER, injected
from plugins import install
from running import divainfer, failures, result_files, summary
from videos import write_video

SIZES = ["--short-edge-size", "64", "--max-size", "64"]


def draw(folder, count, deeds):
    os.makedirs(folder)
    for index in range(count):
        image = np.full((64, 64, 3), index % 200 + 20, np.uint8)
        if index in deeds:
            image[0, 0] = (deeds[index], 13, 13)
        cv2.imwrite(os.path.join(folder, "{:04d}.png".format(index)), image)


def run(tmp_path, *more, gpus="cpu:2", out="out", env=None):
    arguments = ["run", "--engine", "moody:busy_ms=2", "--images", str(tmp_path / "in"), "--out", str(tmp_path / out)]
    return divainfer(*arguments, "--gpus", gpus, *SIZES, *more, env=dict(env or install(tmp_path)))


def failed(tmp_path):
    return {int(os.path.basename(record["image"])[:4]): record for record in failures(str(tmp_path / "out"))}


@pytest.mark.parametrize("batch_size", [1, 4])
def test_images_that_kill_their_worker_are_recorded_and_passed_over(tmp_path, batch_size):
    deeds = {5: 1, 6: 1, 30: 2, 55: 6, 59: 5}
    draw(str(tmp_path / "in"), 60, deeds)
    outcome = run(tmp_path, "--batch-size", str(batch_size))
    assert outcome.code == 3, outcome.err
    found = failed(tmp_path)
    assert set(found) == set(deeds)
    assert found[5]["kind"] == "crash" and "SIGSEGV" in found[5]["reason"]
    assert found[30]["kind"] == "crash" and "status 1" in found[30]["reason"]
    assert found[59]["kind"] == "engine" and found[59]["reason"] == "this one not"
    assert len(result_files(str(tmp_path / "out"))) == 60 - len(deeds)
    assert summary(str(tmp_path / "out"))["results"] == 60 - len(deeds)


@pytest.mark.parametrize("deed", [3, 4], ids=["in Python", "in C"])
def test_an_image_over_which_the_engine_hangs_is_recorded(tmp_path, deed):
    draw(str(tmp_path / "in"), 20, {7: deed})
    outcome = run(tmp_path, "--hang-timeout", "2", "--boot-timeout", "20")
    assert outcome.code == 3, outcome.err
    found = failed(tmp_path)
    assert set(found) == {7} and "one batch for" in found[7]["reason"]
    assert len(result_files(str(tmp_path / "out"))) == 19


def test_a_device_that_fails_on_everything_does_not_turn_the_list_into_failures(tmp_path):
    draw(str(tmp_path / "in"), 60, {20: 7})
    outcome = run(tmp_path, gpus="cpu")
    assert outcome.code == 3, outcome.err
    # The worker is replaced; only the image that breaks the device each time is given up.
    assert set(failed(tmp_path)) == {20}
    assert len(result_files(str(tmp_path / "out"))) == 59


def test_batches_that_do_not_fit_into_memory_are_cut_and_that_is_remembered(tmp_path):
    draw(str(tmp_path / "in"), 100, {})
    plugins = install(tmp_path)
    assert run(tmp_path, out="unlimited", env=plugins).code == 0
    log = tmp_path / "out of memory"
    cramped = dict(plugins, MOODY_ROOM="3", MOODY_LOG=str(log))
    outcome = run(tmp_path, "--batch-size", "8", env=cramped, gpus="cpu")
    assert outcome.code == 0, outcome.err
    assert result_files(str(tmp_path / "out")) == result_files(str(tmp_path / "unlimited"))
    assert len(log.read_text().split()) <= 3, "once it is known that two fit, no larger batch is tried"
    worker_log = (tmp_path / "out" / ".divainfer" / "logs" / "worker-0.log").read_text()
    assert worker_log.count("batches of 64 x 64 frames are cut to") == 1


def test_a_video_that_takes_loaders_down_costs_a_few_and_not_the_run(tmp_path):
    draw(str(tmp_path / "in"), 20, {})
    video = str(tmp_path / "in" / "0000-bad.mp4")
    write_video(video, frames=300, codec="mp4v")
    with open(video, "ab") as file:
        # Behind the last box, in one that readers pass over.
        file.write(struct.pack(">I4s", 8 + len(CRASH_MARKER), b"free") + CRASH_MARKER)
    outcome = run(tmp_path, "--loaders", "2", gpus="cpu", env=injected(env=install(tmp_path)))
    assert outcome.code == 3, outcome.err
    reasons = collections.Counter(record["reason"] for record in failures(str(tmp_path / "out")))
    untried = sum(count for reason, count in reasons.items() if reason.startswith("not tried"))
    assert sum(reasons.values()) == 300 and untried > 280
    assert len(result_files(str(tmp_path / "out"))) == 20
