"""Run folders in odd states: lists swapped, files missing, ledgers of other lists, names that are the program's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from running import Started, draw_images, failures, result_files, summary, wait_for, wait_for_results
from running import divainfer as program
from small_disk import mounted, needs_root

import divainfer

SMALL = ["--short-edge-size", "64", "--max-size", "96", "--gpus", "cpu", "--loaders", "1"]


def run(images, out, *more, engine="emulated"):
    return program("run", "--engine", engine, "--images", images, "--out", out, *SMALL, *more)


def write_list(path, images):
    with open(path, "w") as file:
        file.write("".join(image + "\n" for image in images))
    return path


@pytest.fixture
def lists(tmp_path):
    """Two lists of different images."""
    a = draw_images(str(tmp_path / "a"), 12)
    b = draw_images(str(tmp_path / "b"), 8)
    return write_list(str(tmp_path / "a.lst"), a), write_list(str(tmp_path / "b.lst"), b)


def own(out, name):
    return os.path.join(out, ".divainfer", name)


def test_a_start_that_ended_between_the_list_and_the_record_is_noticed(tmp_path, lists):
    out = str(tmp_path / "out")
    assert run(lists[0], out, engine="emulated:buzzy_ms=1").code == 4
    with open(own(out, "run.json"), "rb") as file:
        record = file.read()
    assert run(lists[1], out, engine="emulated:buzzy_ms=1").code == 4
    with open(own(out, "run.json"), "wb") as file:
        file.write(record)
    assert program("resume", out, "--engine", "emulated").code == 2, "the list is not that of run.json"
    assert run(lists[0], out).code == 0
    done = [result.image for result in divainfer.results(out) if result.detections is not None]
    with open(lists[0]) as file:
        assert done == file.read().splitlines()
    assert program("verify", out).code == 0


@pytest.mark.parametrize("name", ["json", "jsonl"])
def test_a_ledger_in_which_all_is_open_again_does_not_speak_for_another_list(tmp_path, lists, name):
    out = str(tmp_path / "out")
    assert run(lists[0], out, "--format", name).code == 0
    for path in result_files(out):
        os.unlink(os.path.join(os.fsencode(out), path))
    assert program("verify", out, "--repair").code == 6
    assert run(lists[1], out, "--format", "json").code == 0
    assert summary(out)["computed"] == 8 and len(list(divainfer.results(out))) == 8
    assert program("verify", out).code == 0


def test_a_lost_run_json_does_not_cost_the_ledger(tmp_path, lists):
    out = str(tmp_path / "out")
    assert run(lists[0], out).code == 0
    os.rename(own(out, "run.json"), own(out, "kept"))
    outcome = run(lists[0], out)
    assert outcome.code == 2 and "run.json: it is missing" in outcome.err
    os.rename(own(out, "kept"), own(out, "run.json"))
    outcome = run(lists[0], out)
    assert outcome.code == 0 and "Nothing was left to do." in outcome.out


@pytest.mark.parametrize("lost", ["images.idx", "images.lst"])
def test_a_lost_list_is_read_anew_by_the_same_command(tmp_path, lists, lost):
    out = str(tmp_path / "out")
    assert run(lists[0], out).code == 0
    os.unlink(own(out, lost))
    for command in (["verify"], ["failures"], ["resume"], ["merge", out, str(tmp_path / "all.json")]):
        outcome = program(command[0], out, *command[2:])
        assert outcome.code == 2 and "images.lst" in outcome.err and "Traceback" not in outcome.err, outcome
    outcome = run(lists[0], out)
    assert outcome.code == 0 and "Nothing was left to do." in outcome.out
    assert program("verify", out).code == 0


def test_a_ledger_that_cannot_be_read_is_one_sentence(tmp_path, lists):
    out = str(tmp_path / "out")
    assert run(lists[0], out).code == 0
    os.unlink(own(out, "ledger"))
    os.mkdir(own(out, "ledger"))
    for command in ("status", "verify", "failures", "resume"):
        outcome = program(command, out)
        assert outcome.code in (1, 2) and "ledger" in outcome.err and "Traceback" not in outcome.err, outcome


def test_damage_in_the_middle_of_a_ledger_is_told_and_mended(tmp_path, lists):
    out = str(tmp_path / "out")
    with Started(
        "run", "--engine", "emulated:busy_ms=150", "--images", lists[0], "--out", out, "--format", "jsonl", *SMALL
    ) as running:
        wait_for(lambda: os.path.exists(own(out, "ledger")) and divainfer.status(out).results > 3, "some results")
        running.signal(signal.SIGINT)
        running.wait()
    with open(own(out, "ledger"), "r+b") as file:
        file.seek(40)
        file.write(b"\0\0\0")
    assert "in its middle are damaged" in program("verify", out).out
    outcome = program("resume", out)
    assert outcome.code == 0 and "in its middle are damaged" in outcome.err
    found = [result.detections for result in divainfer.results(out)]
    assert len(found) == 12 and None not in found


def test_shards_without_a_ledger_are_not_removed(tmp_path, lists):
    out = str(tmp_path / "out")
    assert run(lists[0], out, "--format", "jsonl").code == 0
    before = result_files(out)
    os.unlink(own(out, "ledger"))
    for outcome in (run(lists[0], out, "--format", "jsonl"), program("resume", out)):
        assert outcome.code == 2 and "no ledger that knows them" in outcome.err
    assert result_files(out) == before


def test_force_with_nothing_left_to_do_does_not_rewrite_the_record(tmp_path, lists):
    out = str(tmp_path / "out")
    assert run(lists[0], out).code == 0
    outcome = run(lists[0], out, "--score-threshold", "0.3", "--force")
    assert outcome.code == 5 and "all is done" in outcome.err
    assert run(lists[0], out).code == 0


def test_files_of_an_earlier_run_are_no_results_of_this_one(tmp_path, lists):
    out = str(tmp_path / "out")
    assert run(lists[0], out).code == 0
    for name in os.listdir(own(out, "")):
        path = own(out, name)
        if os.path.isfile(path):
            os.unlink(path)
    with Started("run", "--engine", "emulated:busy_ms=1000", "--images", lists[0], "--out", out, *SMALL) as running:
        wait_for(lambda: running.processes("worker"))
        running.signal(signal.SIGINT)
        running.wait()
    done = divainfer.status(out).results
    assert sum(result.detections is not None for result in divainfer.results(out)) == done < 12


def test_an_image_below_a_folder_of_our_name_does_not_overwrite_our_files(tmp_path):
    paths = draw_images(str(tmp_path / "in"), 3)
    os.makedirs(str(tmp_path / "in" / ".divainfer"))
    odd = [str(tmp_path / "in" / ".divainfer" / name) for name in ("run.jpg", "ledger.jpg")]
    os.link(paths[0], odd[0])
    with open(odd[1], "wb") as file:
        file.write(b"no image")
    out = str(tmp_path / "out")
    outcome = run(write_list(str(tmp_path / "all.lst"), paths + odd), out)
    assert outcome.code == 3, outcome
    assert {record["image"]: record["kind"] for record in failures(out)} == {odd[0]: "write", odd[1]: "not-an-image"}
    assert program("verify", out).code == 0


@needs_root
def test_results_in_a_folder_that_is_a_link_to_another_disk(tmp_path):
    draw_images(str(tmp_path / "in"), 12)
    out = str(tmp_path / "out")
    os.mkdir(out)
    with mounted(str(tmp_path / "disk"), "size=4m") as disk:
        os.symlink(disk, os.path.join(out, "cam1"))
        outcome = run(str(tmp_path / "in"), out)
        assert outcome.code == 0, outcome
        assert len(os.listdir(disk)) == 2 and all(name.endswith(".json") for name in os.listdir(disk))
        assert program("verify", out).code == 0


def test_a_run_goes_on_when_nobody_listens_any_more(tmp_path):
    folder, out = str(tmp_path / "in"), str(tmp_path / "out")
    draw_images(folder, 30)
    command = [
        sys.executable,
        "-m",
        "divainfer.cli",
        "run",
        "--engine",
        "emulated:busy_ms=100",
        "--images",
        folder,
        "--out",
        out,
    ]
    process = subprocess.Popen(command + SMALL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    process.stderr.close()
    wait_for_results(out, 3)
    with open(own(out, "progress.json")) as file:
        assert json.load(file)["pid"] == process.pid
    subprocess.run(["pkill", "-KILL", "-P", str(process.pid), "-f", "divainfer.loader"], check=True)
    assert process.wait(60) == 0
    assert len(result_files(out)) == 30


def test_a_zero_byte_in_a_list_of_lines_is_refused(tmp_path, lists):
    with open(lists[0], "ab") as file:
        file.write(b"/x/" + b"y" * (1 << 20) + b"\n/a\0b\n")
    outcome = run(lists[0], str(tmp_path / "out"))
    assert outcome.code == 2 and "NUL byte after '/a'" in outcome.err
