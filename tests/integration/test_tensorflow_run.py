"""The whole pool with TensorFlow: real graphs, real processes, held against the serial loop."""

from __future__ import annotations

import json
import os

import cv2
import numpy as np
import pytest
from image_zoo import make_zoo
from running import divainfer, draw_images, failures, result_files, summary
from serial_2019 import serial_result, tensorflow_infer
from tiny_graphs import write_graph

from divainfer.modelfile.card import Card, write_card

CLASSES = ["BG", "one", "two", "three", "four", "five", "six", "seven"]
SIZES = ["--short-edge-size", "64", "--max-size", "96"]


@pytest.fixture
def model(tmp_path):
    def make(kind):
        path = str(tmp_path / "{}.pb".format(kind))
        write_graph(path, kind)
        write_card(Card(classes=tuple(CLASSES)), str(tmp_path / "{}.config.json".format(kind)))
        return path

    return make


def run(model, images, out, *more, gpus="cpu:2"):
    return divainfer("run", "--model", model, "--images", images, "--out", out, "--gpus", gpus, *SIZES, *more)


def test_500_mixed_images_equal_the_serial_loop(tmp_path, model):
    graph = model("one")
    (tmp_path / "in" / "zoo").mkdir(parents=True)
    zoo = make_zoo(tmp_path / "in" / "zoo")
    draw_images(str(tmp_path / "in" / "drawn"), 500 - len(zoo))
    paths = []
    for folder, _, names in os.walk(os.fsencode(str(tmp_path / "in" / "drawn"))):
        paths += [os.path.join(folder, name) for name in names]
    (tmp_path / "images.lst").write_bytes(b"\0".join(sorted(paths) + [animal.path for animal in zoo]))
    out = str(tmp_path / "out")
    outcome = run(graph, str(tmp_path / "images.lst"), out, "--loaders", "4", gpus="cpu:3")
    assert outcome.code == 3, outcome.err

    results = result_files(out)
    failed = {os.fsencode(record["image"]) for record in failures(out)}
    assert len(results) + len(failed) == 500 == summary(out)["images"]
    assert summary(out)["results"] == len(results)
    infer = tensorflow_infer(graph)
    for path in paths:
        name = os.path.relpath(path, os.fsencode(str(tmp_path / "in")))
        expected = serial_result(os.fsdecode(path), infer, 64, 96, CLASSES)
        found = [results.get(name + b".json"), results.get(os.path.splitext(name)[0] + b".json")]
        assert expected in found, name
    # Whatever the zoo holds, its results equal the serial loop's as well.
    alive = [os.fsdecode(animal.path) for animal in zoo if animal.path not in failed]
    serial = {serial_result(path, infer, 64, 96, CLASSES) for path in alive} - {None}
    assert serial and serial <= set(results.values())


def close(one, other):
    """Whether two results hold the same detections, free of order, within 0.1 px and 1e-3."""
    rows, others = json.loads(one), json.loads(other)
    if len(rows) != len(others):
        return False
    for row in rows:
        match = next(
            (
                other
                for other in others
                if other["category_id"] == row["category_id"]
                and abs(other["score"] - row["score"]) <= 1e-3
                and np.abs(np.subtract(other["bbox"], row["bbox"])).max() <= 0.1 + 1e-9
            ),
            None,
        )
        if match is None:
            return False
        others.remove(match)
    return True


@pytest.mark.parametrize(
    "kind,more", [("batch", []), ("any-batch", ["--batch-size", "3"]), ("nchw", []), ("pinned", []), ("uint8", [])]
)
def test_other_graphs_agree_with_the_one_image_graph(tmp_path, model, kind, more):
    paths = draw_images(str(tmp_path / "in"), 30)
    out = str(tmp_path / "out")
    outcome = run(model(kind), str(tmp_path / "in"), out, *more)
    assert outcome.code == 0, outcome.err
    infer = tensorflow_infer(model("one"))
    results = result_files(out)
    assert len(results) == 30
    for path in paths:
        name = os.path.splitext(os.path.relpath(path, str(tmp_path / "in")))[0] + ".json"
        assert close(results[os.fsencode(name)], serial_result(path, infer, 64, 96, CLASSES)), name


def test_frames_of_another_size_than_the_graphs_are_failures_with_a_reason(tmp_path, model):
    from divainfer.modelfile.graphdef import read_graph

    graph = model("fixed-size")
    height, width = read_graph(graph).nodes["image"].shape[:2]
    os.mkdir(str(tmp_path / "in"))
    cv2.imwrite(str(tmp_path / "in" / "right.png"), np.zeros((height, width, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "in" / "wrong.png"), np.zeros((height, width + 40, 3), np.uint8))
    sizes = ["--short-edge-size", str(min(height, width)), "--max-size", str(width + 40)]
    out = str(tmp_path / "out")
    outcome = divainfer(
        "run", "--model", graph, "--images", str(tmp_path / "in"), "--out", out, "--gpus", "cpu", *sizes
    )
    assert outcome.code == 3, outcome.err
    (record,) = failures(out)
    assert record["kind"] == "size" and record["image"].endswith("wrong.png")
    assert list(result_files(out)) == [b"right.json"]


def test_the_image_on_which_the_engine_fails_is_found_in_its_batch(tmp_path, model):
    os.mkdir(str(tmp_path / "in"))
    for index in range(12):
        value = 13 if index == 5 else 40 + index
        cv2.imwrite(str(tmp_path / "in" / "{:02d}.png".format(index)), np.full((64, 64, 3), value, np.uint8))
    out = str(tmp_path / "out")
    outcome = run(model("fragile"), str(tmp_path / "in"), out, "--batch-size", "4", gpus="cpu")
    assert outcome.code == 3, outcome.err
    (record,) = failures(out)
    assert record["kind"] == "engine" and record["image"].endswith("05.png")
    assert len(result_files(out)) == 11


def test_masks_are_written(tmp_path, model):
    draw_images(str(tmp_path / "in"), 3)
    out = str(tmp_path / "out")
    assert run(model("masks"), str(tmp_path / "in"), out, gpus="cpu").code == 0
    rows = [row for content in result_files(out).values() for row in json.loads(content)]
    assert rows and all(set(row["segmentation"]) == {"size", "counts"} for row in rows)
