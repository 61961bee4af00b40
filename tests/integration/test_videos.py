"""Videos through the whole pool: each frame its own result, through stops and resumes, and a reason for each that has none."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile

import cv2
import pytest
from running import Started, draw_images, failures, result_files, summary, wait_for_results
from running import divainfer as program
from serial_2019 import serial_result
from videos import FILES, FRAMES, Filmed, chunks, cut_short, mention, overwrite, write_video

import divainfer
from divainfer.worker.engines.emulated import emulated_detections

SMALL = ["--short-edge-size", "64", "--max-size", "96", "--gpus", "cpu:2", "--loaders", "2"]


def command(images, out, *more, busy_ms=1):
    return ["run", "--engine", "emulated:busy_ms={}".format(busy_ms), "--images", images, "--out", out, *SMALL, *more]


def emulated(image):
    found = emulated_detections(image)
    return found.boxes, found.labels, found.scores


def expected(filmed, root):
    """The results of a video's frames, read by OpenCV alone and computed as in 2019."""
    capture = cv2.VideoCapture(filmed.path, cv2.CAP_FFMPEG)
    reads = []
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(max(filmed.shown) + 1):
            path = os.path.join(scratch, "{}.png".format(number))
            cv2.imwrite(path, capture.read()[1])
            reads.append(serial_result(path, emulated, 64, 96, []))
    capture.release()
    name = os.path.relpath(filmed.path, root)
    return {os.fsencode("{}/{:08d}.json".format(name, number)): reads[read] for number, read in enumerate(filmed.shown)}


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """A folder with videos, and their results."""
    folder = str(tmp_path_factory.mktemp("filmed"))
    plain = write_video(os.path.join(folder, "plain.avi"))
    found = expected(mention(plain, os.path.join(folder, "cam.avi"), {3, 4, 10}), folder)
    os.remove(plain.path)
    os.mkdir(os.path.join(folder, "b"))
    for name in ("h264.mp4", "h264.avi", "changing.mp4"):
        path = os.path.join(folder, "b", name)
        shutil.copyfile(str(FILES / name), path)
        found.update(expected(Filmed(path, list(range(FRAMES))), folder))
    return folder, found


@pytest.mark.parametrize("step,batch_size", [(1, 1), (7, 4)])
def test_frames_have_the_results_of_their_pixels(tmp_path, filmed, step, batch_size):
    out = str(tmp_path / "out")
    folder, results = filmed
    outcome = program(*command(folder, out, "--frame-step", str(step), "--batch-size", str(batch_size)))
    assert outcome.code == 0, outcome.err
    taken = {name for name in results if int(name[-13:-5]) % step == 0}
    assert result_files(out) == {name: results[name] for name in taken}
    assert "frames of 4 videos are listed" in outcome.err
    assert program("verify", out).code == 0


@pytest.mark.parametrize("deed", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_ended_inside_a_video_is_resumed_there(tmp_path, filmed, deed):
    out = str(tmp_path / "out")
    folder, results = filmed
    with Started(*command(folder, out, busy_ms=60)) as run:
        wait_for_results(out, 20)
        run.signal(deed)
        run.wait()
    assert 20 <= len(result_files(out)) < 23 + 3 * FRAMES
    outcome = program(*command(folder, out, busy_ms=60))
    assert outcome.code == 0, outcome.err
    assert result_files(out) == results


def test_a_loader_that_is_killed_inside_a_video_costs_nothing(tmp_path, filmed):
    out = str(tmp_path / "out")
    folder, results = filmed
    with Started(*command(folder, out, busy_ms=30)) as run:
        wait_for_results(out, 10)
        run.processes("loader")[0].kill()
        outcome = run.wait()
    assert outcome.code == 0, outcome.err
    assert result_files(out) == results


def test_another_step_is_another_run(tmp_path, filmed):
    out, listed = str(tmp_path / "out"), str(tmp_path / "videos.lst")
    with open(listed, "w") as file:
        file.write(os.path.join(filmed[0], "cam.avi"))
    assert program(*command(listed, out)).code == 0
    outcome = program(*command(listed, out, "--frame-step", "2"))
    assert outcome.code == 5 and "another list of images" in outcome.err
    outcome = program(*command(listed, out))
    assert outcome.code == 0 and "23 of 23 images done" in outcome.err


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A folder with damaged videos between sound images; and what becomes of each frame that fails."""
    folder = str(tmp_path_factory.mktemp("damaged"))
    draw_images(folder, 4)
    hurt = write_video(os.path.join(folder, "hurt.avi"))
    chunk = chunks(open(hurt.path, "rb").read())[8]
    overwrite(hurt.path, chunk.at + 8, len(chunk.content))
    cut_short(str(FILES / "open.mp4"), os.path.join(folder, "no-table.mp4"), 0.5)
    shutil.copyfile(str(FILES / "fragments.mp4"), os.path.join(folder, "fragments.mov"))
    mention(write_video(os.path.join(folder, "plain.avi"), 2), os.path.join(folder, "late.avi"), {0})
    os.remove(os.path.join(folder, "plain.avi"))
    return folder


KINDS = {
    "hurt.avi/00000008": "corrupt",
    "no-table.mp4": "truncated",
    "fragments.mov": "unsupported",
    "late.avi/00000000": "empty",
}


@pytest.mark.parametrize("form", ["json", "jsonl", "parquet"])
def test_what_cannot_be_decoded_is_told_and_the_rest_is_done(tmp_path, damaged, form):
    out = str(tmp_path / "out")
    outcome = program(*command(damaged, out, "--format", form))
    assert outcome.code == 3, outcome.err
    assert {os.path.relpath(record["image"], damaged): record["kind"] for record in failures(out)} == KINDS
    assert summary(out)["images"] == 4 + 20 + 1 + 1 + 3
    results = {os.path.relpath(result.image, damaged): result.detections for result in divainfer.results(out)}
    assert {image for image, detections in results.items() if detections is None} == set(KINDS)
    assert len(results) == 29 and "hurt.avi/00000009" in results
    assert program("verify", out).code == 0
    merged = str(tmp_path / "all.json")
    assert program("merge", out, merged).code == 0
    with open(merged) as file:
        assert "hurt.avi/00000009" in {image["file_name"] for image in json.load(file)["images"]}


def test_a_failed_frame_is_repeated_alone(tmp_path, damaged):
    for name, kind in KINDS.items():
        out = str(tmp_path / name.replace("/", "-"))
        outcome = program(*command(os.path.join(damaged, name), out))
        assert outcome.code == 3, outcome.err
        assert [record["kind"] for record in failures(out)] == [kind]


def test_a_dry_run_on_a_video(tmp_path, filmed):
    outcome = program(*command(os.path.join(filmed[0], "cam.avi"), str(tmp_path / "out"), "--dry-run"))
    assert outcome.code == 0, outcome.err
    assert "23 images listed" in outcome.err


def test_a_folder_named_like_a_video_is_a_folder(tmp_path):
    (image,) = draw_images(str(tmp_path / "in"), 1)
    os.mkdir(str(tmp_path / "cam.mp4"))
    os.rename(image, str(tmp_path / "cam.mp4" / "00000007"))
    (tmp_path / "images.lst").write_text("cam.mp4/00000007\ncam.mp4\n")
    out = str(tmp_path / "out")
    outcome = program(*command(str(tmp_path / "images.lst"), out))
    assert outcome.code == 3, outcome.err
    assert [(os.path.basename(record["image"]), record["kind"]) for record in failures(out)] == [("cam.mp4", "folder")]
    assert set(result_files(out)) == {b"cam.mp4/00000007.json"}
