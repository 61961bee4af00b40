"""The output folder fills up, turns read-only or goes away in the middle: one clear sentence, and the same command resumes."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import subprocess

import pytest
from injection import injected
from running import Started, divainfer, draw_images, failures, result_files, summary, wait_for_results
from serial_2019 import serial_result
from small_disk import fill, mounted, needs_root

from divainfer.worker.engines.emulated import emulated_detections

COUNT = 40
ENGINE = "emulated:busy_ms=100"
OPTIONS = ["--short-edge-size", "64", "--max-size", "96", "--gpus", "cpu:2", "--loaders", "1", "--engine", ENGINE]


def infer(image):
    found = emulated_detections(image)
    return found.boxes, found.labels, found.scores


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("images") / "in")
    paths = draw_images(folder, COUNT)
    return folder, {
        os.fsencode(os.path.splitext(os.path.relpath(path, folder))[0] + ".json"): serial_result(
            path, infer, 64, 96, []
        )
        for path in paths
    }


def command(folder, out):
    return ["run", "--images", folder, "--out", out] + OPTIONS


@pytest.fixture(scope="module")
def half_done(images, tmp_path_factory):
    """A run that was stopped in the middle, and how many images it has recorded as done."""
    out = str(tmp_path_factory.mktemp("half") / "out")
    with Started(*command(images[0], out)) as run:
        wait_for_results(out, 8)
        run.signal(signal.SIGINT)
        assert run.wait().code == 130
    return out, summary(out)["results"]


def copy_of(half_done, out):
    """Makes `out` a run in its middle; returns how many images are recorded as done."""
    shutil.copytree(half_done[0], out)
    return half_done[1]


def check_one_sentence(outcome):
    assert outcome.code == 1, outcome.err
    assert "Traceback" not in outcome.err and "Traceback" not in outcome.out
    errors = [line for line in outcome.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, outcome.err
    # Warnings say which worker was lost; the sentence is the last word.
    assert outcome.err.splitlines()[-1] == errors[0]
    assert "the same command" in errors[0].lower()
    return errors[0]


def check_resumes(folder, out, expected, recorded):
    """The same command completes the run, and knows all that was recorded."""
    outcome = divainfer(*command(folder, out))
    assert outcome.code == 0, outcome.err
    said = re.search(r"Resuming: (\d+) of", outcome.err)
    assert int(said.group(1) if said else 0) >= recorded
    assert result_files(out) == expected
    assert failures(out) == []


@needs_root
def test_a_disk_that_fills_up_in_the_middle(tmp_path, images, half_done):
    folder, expected = images
    with mounted(str(tmp_path / "disk"), "size=4m") as disk:
        out = os.path.join(disk, "out")
        recorded = copy_of(half_done, out)
        with Started(*command(folder, out)) as run:
            wait_for_results(out, recorded + 4)
            filler = fill(disk)
            sentence = check_one_sentence(run.wait())
        assert os.strerror(errno.ENOSPC) in sentence
        os.unlink(filler)
        check_resumes(folder, out, expected, recorded)


@needs_root
def test_a_disk_that_is_full_at_the_start(tmp_path, images, half_done):
    folder, expected = images
    with mounted(str(tmp_path / "disk"), "size=4m") as disk:
        out = os.path.join(disk, "out")
        recorded = copy_of(half_done, out)
        filler = fill(disk)
        outcome = divainfer(*command(folder, out))
        assert outcome.code in (1, 2), outcome.err
        assert "Traceback" not in outcome.err
        assert os.strerror(errno.ENOSPC) in outcome.err.splitlines()[-1]
        os.unlink(filler)
        check_resumes(folder, out, expected, recorded)


@needs_root
def test_a_disk_too_small_for_all_results(tmp_path, images):
    folder, expected = images
    with mounted(str(tmp_path / "disk"), "size=160k") as disk:
        out = os.path.join(disk, "out")
        sentence = check_one_sentence(divainfer(*command(folder, out)))
        assert os.strerror(errno.ENOSPC) in sentence
        check_one_sentence(divainfer(*command(folder, out)))
        subprocess.check_call(["mount", "-o", "remount,size=4m", disk])
        check_resumes(folder, out, expected, 0)


@needs_root
def test_a_disk_that_turns_read_only_in_the_middle(tmp_path, images, half_done):
    folder, expected = images
    with mounted(str(tmp_path / "disk"), "size=4m") as disk:
        out = os.path.join(disk, "out")
        recorded = copy_of(half_done, out)
        with Started(*command(folder, out)) as run:
            wait_for_results(out, recorded + 4)
            with read_only(out):
                sentence = check_one_sentence(run.wait())
                # What stands there can still be read, and starting again changes nothing.
                again = divainfer(*command(folder, out))
                assert again.code in (1, 2) and os.strerror(errno.EROFS) in again.err.splitlines()[-1], again.err
        assert os.strerror(errno.EROFS) in sentence
        check_resumes(folder, out, expected, recorded)


@contextlib.contextmanager
def read_only(folder):
    """A read-only view laid over a folder: the kernel refuses to turn a disk read-only that has files open for writing."""
    subprocess.check_call(["mount", "--bind", folder, folder])
    try:
        subprocess.check_call(["mount", "-o", "remount,ro,bind", folder])
        yield
    finally:
        subprocess.check_call(["umount", "--lazy", folder])


def test_an_output_folder_that_is_removed_in_the_middle(tmp_path, images):
    folder, expected = images
    out = str(tmp_path / "out")
    with Started(*command(folder, out)) as run:
        wait_for_results(out, 8)
        while os.path.exists(os.path.join(out, ".divainfer")):
            shutil.rmtree(out, ignore_errors=True)
        check_one_sentence(run.wait())
    check_resumes(folder, out, expected, 0)


def test_an_output_folder_that_is_renamed_in_the_middle(tmp_path, images, half_done):
    folder, expected = images
    out, elsewhere = str(tmp_path / "out"), str(tmp_path / "elsewhere")
    recorded = copy_of(half_done, out)
    with Started(*command(folder, out)) as run:
        wait_for_results(out, recorded + 4)
        os.rename(out, elsewhere)
        check_one_sentence(run.wait())
    # The workers may have made the folder anew, with nothing in it.
    shutil.rmtree(out, ignore_errors=True)
    os.rename(elsewhere, out)
    check_resumes(folder, out, expected, recorded)


STRIKES = ["worker replace 5 EDQUOT", "dispatcher syncfs 1 EDQUOT", "dispatcher fdatasync 1 EDQUOT"]
STRIKES += ["dispatcher replace 3 EDQUOT"]
MORE_STRIKES = ["dispatcher syncfs 1 EIO", "dispatcher fdatasync 1 EROFS", "dispatcher fsync 1 ENOSPC"]
#: The first file opened to write is the lock, without which nothing is begun.
MORE_STRIKES += ["dispatcher open-to-write {} EDQUOT".format(number) for number in (3, 4, 6, 8)]
#: The fifth is that of `progress.json`, which only shows.
MORE_STRIKES += ["dispatcher replace {} EDQUOT".format(number) for number in (1, 2, 4)]


@pytest.mark.parametrize(
    "strike", STRIKES + [pytest.param(strike, marks=pytest.mark.chaos_full) for strike in MORE_STRIKES]
)
def test_a_quota_and_other_refusals(tmp_path, images, half_done, strike):
    folder, expected = images
    out = str(tmp_path / "out")
    recorded = copy_of(half_done, out)
    sentence = check_one_sentence(divainfer(*command(folder, out), env=injected(strike)))
    assert os.strerror(getattr(errno, strike.split()[-1])) in sentence
    check_resumes(folder, out, expected, recorded)
