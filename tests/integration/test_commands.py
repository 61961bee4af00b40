"""What the commands say that work from a run's folder alone: status, verify, failures, merge, resume."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess

import pytest
from pycocotools.coco import COCO
from running import Started, draw_images, result_files, summary, wait_for, wait_for_results
from running import divainfer as program

import divainfer

SMALL = ["--short-edge-size", "64", "--max-size", "96", "--gpus", "cpu:2", "--loaders", "1"]


def arguments(folder, out, *more, engine="emulated"):
    return ["run", "--engine", engine, "--images", folder, "--out", out, *SMALL, *more]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("images") / "in")
    draw_images(folder, 30)
    for name, content in (("broken.jpg", b"no image"), ("new\nline.jpg", b"")):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
    return folder


@pytest.fixture(scope="module", params=["json", "jsonl", "parquet"])
def finished(request, images, tmp_path_factory):
    """A finished run; not to be changed."""
    out = str(tmp_path_factory.mktemp("finished") / "out")
    assert program(*arguments(images, out, "--format", request.param)).code == 3
    return out


@pytest.fixture
def copied(finished, tmp_path):
    """A finished run that may be damaged."""
    out = str(tmp_path / "copy")
    shutil.copytree(finished, out)
    return out


def a_result(out):
    return os.path.join(os.fsencode(out), max(result_files(out)))


def test_status_of_a_finished_run(finished):
    outcome = program("status", finished)
    assert outcome.code == 0
    assert outcome.out.startswith(
        "{}: finished\n32 of 32 images done (100.0%): 30 results, 2 failures".format(finished)
    )
    found = json.loads(program("status", finished, "--json").out)
    assert (found["state"], found["results"], found["failures"], found["open"]) == ("finished", 30, 2, 0)
    assert found["failure_kinds"] == {"empty": 1, "not-an-image": 1} and len(found["workers"]) == 2


def seen(out):
    return json.loads(program("status", out, "--json").out)


def test_status_of_a_run_at_work_stopped_and_killed(tmp_path, images):
    out = str(tmp_path / "out")
    command = arguments(images, out, engine="emulated:busy_ms=1500")
    with Started(*command) as run:
        wait_for_results(out, 2)
        wait_for(lambda: [worker["state"] for worker in seen(out)["workers"]] == ["up", "up"])
        found = seen(out)
        assert found["state"] == "running" and found["pid"] == run.process.pid and found["silent_seconds"] < 30
        run.signal(signal.SIGINT)
        run.wait()
    assert "stopped; `divainfer resume" in program("status", out).out

    with Started("resume", out) as run:
        wait_for(lambda: run.processes("worker"))
        run.signal(signal.SIGKILL)
        run.wait()
    assert "ended without a word" in program("status", out).out
    assert seen(out)["pid"] == 0


def test_a_folder_without_a_run(tmp_path):
    for command in (["status"], ["verify"], ["failures"], ["merge"], ["resume"]):
        more = [str(tmp_path / "all.json")] if command == ["merge"] else []
        outcome = program(*command, str(tmp_path), *more)
        assert outcome.code == 2 and "there is no run of divainfer in this folder" in outcome.err, command
        assert os.listdir(str(tmp_path)) == []


def test_failures(finished, images):
    outcome = program("failures", finished)
    assert outcome.code == 0
    assert "broken.jpg: not-an-image: " in outcome.out and "new\\nline.jpg: empty: the file is empty" in outcome.out
    assert program("failures", finished, "--kind", "nonsense").err == "No failure of the kind 'nonsense'.\n"
    rows = [json.loads(line) for line in program("failures", finished, "--json", "--kind", "empty").out.splitlines()]
    assert [row["image"] for row in rows] == [os.path.join(images, "new\nline.jpg")]
    assert program("failures", finished, "--paths", "-0", "--kind", "empty").out == rows[0]["image"] + "\0"


def test_the_command_that_repeats_an_image_does(finished, tmp_path):
    rows = [json.loads(line) for line in program("failures", finished, "--json").out.splitlines()]
    for row in rows:
        words = row["repeat"].replace("divainfer ", "", 1)
        shell = "set -- {}; printf '%s\\0' \"$@\"".format(words)
        split = (
            subprocess.run(["bash", "-c", shell], stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")[:-1]
        )
        split[split.index("--out") + 1] = str(tmp_path / "repeat-{}".format(row["index"]))
        outcome = program(*split)
        assert outcome.code == 3, outcome
        assert row["kind"] in outcome.out


def test_verify_finds_no_fault_in_a_sound_run(finished):
    outcome = program("verify", finished)
    assert outcome.code == 0, outcome
    assert outcome.out == "32 images: 30 results, 2 failures, 0 to do; no problem\n"
    assert json.loads(program("verify", finished, "--json").out)["sound"] is True


@pytest.mark.parametrize("deed", ["removed", "changed", "emptied", "strange"])
def test_verify_finds_what_was_done_to_a_result_and_repair_has_it_made_again(finished, copied, deed):
    path = a_result(copied)
    lost = [
        result
        for result in divainfer.results(copied)
        if os.fsencode(result.path) == path and result.detections is not None
    ]
    if deed == "removed":
        os.unlink(path)
    else:
        with open(path, "rb") as file:
            content = file.read()
        content = {"changed": content.replace(b"0", b"1"), "emptied": b"", "strange": b'[{"score": 1}]\n'}[deed]
        with open(path, "wb") as file:
            file.write(content)
    outcome = program("verify", copied)
    assert outcome.code == 6
    assert os.fsdecode(path) in outcome.out and outcome.out.rstrip().endswith(("1 problem", " problems"))
    found = json.loads(program("verify", copied, "--json").out)
    assert found["sound"] is False and os.fsdecode(path) in [problem["path"] for problem in found["problems"]]
    assert program("verify", copied, "--repair").code == 6
    outcome = program("resume", copied)
    assert outcome.code == 3 and summary(copied)["computed"] == len(lost), outcome
    assert program("verify", copied).code == 0
    assert [result.detections for result in divainfer.results(copied)] == [
        result.detections for result in divainfer.results(finished)
    ]


def test_verify_finds_a_result_too_many_and_a_torn_ledger(copied):
    suffix = a_result(copied).rsplit(b".", 1)[1].decode()
    if suffix == "json":
        extra = os.path.join(copied, "broken.json")
    else:
        extra = os.path.join(copied, "results-{:012d}-{:012d}.{}".format(0, 31, suffix))
    with open(extra, "w") as file:
        file.write("[]")
    with open(os.path.join(copied, ".divainfer", "ledger"), "ab") as file:
        file.write(b"torn")
    outcome = program("verify", copied)
    assert outcome.code == 6 and extra in outcome.out and "4 bytes are torn" in outcome.out


def test_results_that_are_there_when_a_slow_run_is_killed_are_not_done_again(tmp_path, images):
    out = str(tmp_path / "out")
    command = arguments(images, out, engine="emulated:busy_ms=1500")
    with Started(*command) as run:
        wait_for(lambda: os.path.isdir(out) and result_files(out) and seen(out)["results"] >= 2)
        run.signal(signal.SIGKILL)
        run.wait()
    done = seen(out)["results"]
    assert 2 <= done < 20, "blocks are larger than that"
    with Started("resume", out) as run:
        wait_for(lambda: seen(out)["state"] == "running")
        run.signal(signal.SIGINT)
        run.wait()
    assert seen(out)["results"] >= done


def test_verify_of_a_run_that_is_not_done(tmp_path, images):
    out = str(tmp_path / "out")
    with Started(*arguments(images, out, engine="emulated:busy_ms=500")) as run:
        wait_for_results(out, 3)
        run.signal(signal.SIGINT)
        run.wait()
    outcome = program("verify", out)
    assert outcome.code == 6 and outcome.out.endswith(" to do; not complete\n")


def test_merge_makes_a_coco_file(finished, images, tmp_path):
    target = str(tmp_path / "all.json")
    outcome = program("merge", finished, target)
    assert outcome.code == 0, outcome.err
    assert "left out: 2 images." in outcome.out
    coco = COCO(target)
    expected = [result for result in divainfer.results(finished) if result.detections is not None]
    assert len(coco.imgs) == len(expected) == 30
    for result in expected:
        image = coco.imgs[result.index + 1]
        assert image["file_name"] == os.path.relpath(result.image, images)
        found = [coco.anns[number] for number in coco.getAnnIds(imgIds=[result.index + 1])]
        assert [(a["bbox"], a["score"], a["category_id"]) for a in found] == [
            (d["bbox"], d["score"], d["category_id"]) for d in result.detections
        ]
    assert os.listdir(str(tmp_path)) == ["all.json"]

    bare = str(tmp_path / "bare.json")
    assert program("merge", finished, bare, "--bare").code == 0
    assert len(coco.loadRes(bare).anns) == len(coco.anns)


def test_merge_does_not_replace_what_is_no_file(finished, tmp_path):
    os.mkfifo(str(tmp_path / "pipe"))
    os.symlink("pipe", str(tmp_path / "link"))
    for target in (tmp_path, tmp_path / "pipe", tmp_path / "link"):
        outcome = program("merge", finished, str(target))
        assert outcome.code == 2 and "no regular file" in outcome.err
    assert sorted(os.listdir(str(tmp_path))) == ["link", "pipe"]


def test_merge_stops_at_a_damaged_result_and_leaves_nothing(copied, tmp_path):
    with open(a_result(copied), "wb") as file:
        file.write(b"[{")
    target = tmp_path / "all.json"
    outcome = program("merge", copied, str(target))
    assert outcome.code == 2 and "divainfer verify" in outcome.err
    assert not list(tmp_path.glob("all.json*"))


def test_resume_from_another_folder_with_other_devices(tmp_path, images):
    out = str(tmp_path / "out")
    with Started(*arguments(images, out, engine="emulated:busy_ms=500")) as run:
        wait_for_results(out, 3)
        run.signal(signal.SIGTERM)
        assert run.wait().code == 130
    outcome = program("resume", out, "--gpus", "cpu:3", "--engine", "emulated:busy_ms=1")
    assert outcome.code == 5 and "engine was" in outcome.err and "--force" in outcome.err
    outcome = program("resume", out, "--gpus", "cpu:3", "--engine", "emulated:busy_ms=1", "--force")
    assert outcome.code == 3, outcome.err
    assert len(summary(out)["workers"]) == 3
    with open(os.path.join(out, ".divainfer", "run.json")) as file:
        (forced,) = json.load(file)["overridden"]
    assert "engine was" in forced["differences"][0]
    outcome = program(*arguments(os.path.join(images, "cam1"), out, "--force", engine="emulated:busy_ms=1"))
    assert outcome.code == 5 and "--force cannot help" in outcome.err
