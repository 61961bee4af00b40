"""JSON Lines and Parquet: the same results as a file an image, through kills, resumes and retries, each image once."""

from __future__ import annotations

import os
import signal

import pytest
from running import Started, draw_images, failures, result_files, summary, wait_for
from running import divainfer as program

import divainfer

SMALL = ["--short-edge-size", "64", "--max-size", "96", "--gpus", "cpu:2", "--loaders", "1"]
SHARDED = ["jsonl", "parquet"]


def arguments(folder, out, name, *more, busy_ms=1):
    engine = "emulated:busy_ms={}".format(busy_ms)
    return ["run", "--engine", engine, "--images", folder, "--out", out, "--format", name, *SMALL, *more]


def found(out):
    return {result.image: result.detections for result in divainfer.results(out)}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("images") / "in")
    draw_images(folder, 60)
    for name in ("broken.jpg", "empty.png"):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(b"no image" if name == "broken.jpg" else b"")
    return folder


@pytest.fixture(scope="module", params=["seed", "later"])
def plain(request, images, tmp_path_factory):
    out = str(tmp_path_factory.mktemp("plain") / "out")
    assert program(*arguments(images, out, "json", "--result-style", request.param)).code == 3
    return request.param, found(out)


@pytest.mark.parametrize("name", SHARDED)
def test_a_sharded_run_has_the_same_results(tmp_path, images, plain, name):
    style, expected = plain
    out = str(tmp_path / "out")
    outcome = program(*arguments(images, out, name, "--result-style", style))
    assert outcome.code == 3, outcome.err
    assert found(out) == expected
    assert len(failures(out)) == 2
    assert all(path.endswith(name.encode()) for path in result_files(out)), "shards and nothing else"


@pytest.mark.parametrize("name", SHARDED)
@pytest.mark.parametrize("deed", [signal.SIGKILL, signal.SIGINT])
def test_an_ended_sharded_run_resumes_without_doing_an_image_twice(tmp_path, images, plain, name, deed):
    style, expected = plain
    out = str(tmp_path / "out")
    ledger = os.path.join(out, ".divainfer", "ledger")
    command = arguments(images, out, name, "--result-style", style, busy_ms=100)
    with Started(*command) as run:
        wait_for(lambda: divainfer.status(out).results if os.path.exists(ledger) else 0, "a record")
        run.signal(deed)
        run.wait()
    # What a crash between a shard's place and its record leaves.
    stray = os.path.join(out, "results-{:012d}-{:012d}.{}".format(0, 61, name))
    with open(stray, "wb") as file:
        file.write(b"torn")
    outcome = program("resume", out)
    assert outcome.code == 3, outcome.err
    assert not os.path.exists(stray)
    assert found(out) == expected
    assert summary(out)["computed"] < 60


@pytest.mark.parametrize("name", ["json"] + SHARDED)
def test_failed_images_are_done_again_on_request_only(tmp_path, name):
    folder, out = str(tmp_path / "in"), str(tmp_path / "out")
    paths = draw_images(folder, 12)
    bad = [paths[3], paths[7]]
    kept = {}
    for path in bad:
        with open(path, "rb") as file:
            kept[path] = file.read()
        with open(path, "wb") as file:
            file.write(b"no image")
    assert program(*arguments(folder, out, name)).code == 3
    with open(bad[0], "wb") as file:
        file.write(kept[bad[0]])
    outcome = program(*arguments(folder, out, name))
    assert outcome.code == 3 and "Nothing was left to do." in outcome.out, "a failure stands"
    assert summary(out)["computed"] == 10, "it is that of the start that did something"
    before = found(out)
    outcome = program(*arguments(folder, out, name, "--retry", "failed"))
    assert outcome.code == 3 and "Tried again: 2 failed images." in outcome.err
    assert summary(out)["computed"] == 1
    assert [record["image"] for record in failures(out)] == [bad[1]]
    after = found(out)
    assert after.pop(bad[0]) is not None and before.pop(bad[0]) is None
    assert after == before

    with open(bad[1], "wb") as file:
        file.write(kept[bad[1]])
    outcome = program("resume", out, "--retry", "failed")
    assert outcome.code == 0, outcome.err
    assert failures(out) == [] and len(found(out)) == 12 and None not in found(out).values()
    assert program("resume", out).code == 0, "a retry is not remembered"
