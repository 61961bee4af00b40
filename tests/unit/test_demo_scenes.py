"""The drawn scenes and their truth: no TensorFlow here."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from divainfer.model.demo import scenes
from divainfer.model.demo.canvas import Camera, Canvas, Pose


@pytest.mark.parametrize("width, height", [(1280, 720), (641, 481), (500, 800)])
def test_a_scene_has_its_size_and_its_boxes_lie_inside(width, height):
    scene = scenes.draw(11, width, height)
    assert scene.image.shape == (height, width, 3)
    assert scene.image.dtype == np.uint8
    assert scene.boxes
    for x, y, w, h, category in scene.boxes + scene.hidden:
        assert min(x, y) >= 0 and min(w, h) > 0
        assert x + w <= width and y + h <= height
        assert category in (scenes.VEHICLE, scenes.PERSON, scenes.BIKE)


def test_the_same_seed_draws_the_same_scene_and_another_one_another():
    first, again, other = scenes.draw(3, 800, 450), scenes.draw(3, 800, 450), scenes.draw(4, 800, 450)
    assert np.array_equal(first.image, again.image)
    assert (first.boxes, first.hidden) == (again.boxes, again.hidden)
    assert first.boxes != other.boxes


def test_objects_are_large_enough_to_be_found_at_half_size():
    longest = {scenes.VEHICLE: [], scenes.PERSON: [], scenes.BIKE: []}
    for seed in range(20, 24):
        for x, y, w, h, category in scenes.draw(seed).boxes:
            # What the border cuts is smaller than it is.
            if x > 0 and y > 0 and x + w < 1920 and y + h < 1080:
                longest[category].append(max(w, h))
    middle = {category: np.median(sizes) for category, sizes in longest.items()}
    assert 120 <= middle[scenes.VEHICLE] <= 260
    assert 35 <= middle[scenes.PERSON] <= 90
    assert 45 <= middle[scenes.BIKE] <= 110


def test_no_more_objects_than_the_graph_can_answer():
    for seed in range(40, 46):
        scene = scenes.draw(seed, 960, 540)
        assert len(scene.boxes) + len(scene.hidden) <= scenes.MOST < 100


def _canvas():
    return Canvas(200, 100, Camera(10.0, np.pi / 4, (100.0, 50.0)), (0.5, 0.5))


def _square(canvas, owner, left, top, right, bottom):
    canvas.begin(owner)
    canvas.polygon(np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float), (255, 255, 255))
    canvas.end()


def test_what_stands_in_front_takes_from_the_visible_share():
    canvas = _canvas()
    _square(canvas, 1, 20, 20, 60, 40)
    assert canvas.visible(1)[0] == 1.0
    _square(canvas, 255, 40, 10, 80, 50)
    share, (x, y, w, h) = canvas.visible(1)
    assert share == pytest.approx(0.5, abs=0.03)
    assert (x, y) == (20, 20) and abs(w - 20) <= 1 and abs(h - 20) <= 1


def test_what_the_border_cuts_counts_as_hidden():
    canvas = _canvas()
    _square(canvas, 1, -30, 20, 10, 40)
    share, box = canvas.visible(1)
    assert share == pytest.approx(0.25, abs=0.03)
    assert box[0] == 0
    _square(canvas, 2, 230, 20, 250, 40)
    assert canvas.visible(2) == (0.0, None)


def test_a_pose_turns_forward_into_the_heading():
    placed = Pose(1.0, 2.0, np.pi / 2).place(np.array([[3.0, 0.0, 0.5]]))
    assert placed == pytest.approx(np.array([[1.0, 5.0, 0.5]]))


def test_training_and_demo_never_see_the_same_scene(monkeypatch, tmp_path):
    seeds = []
    monkeypatch.setattr(
        scenes, "draw", lambda seed, *size: seeds.append(seed) or scenes.Scene(np.zeros((4, 4, 3), np.uint8), [], [])
    )
    for seed in (0, 7, scenes.TRAINING_SEEDS - 1):
        scenes.write_scenes(str(tmp_path), 5, seed)
    assert len(set(seeds)) == 15
    assert all(0 <= seed < scenes.TRAINING_SEEDS for seed in seeds)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("scenes")
    scenes.write_scenes(str(out), 6, 5)
    return str(out)


def test_the_list_and_the_truth_name_the_written_files(written):
    with open(os.path.join(written, "frames.lst")) as file:
        names = file.read().splitlines()
    with open(os.path.join(written, "truth.json")) as file:
        truth = json.load(file)
    assert [image["file_name"] for image in truth["images"]] == names
    assert len(names) == 6
    assert not os.path.dirname(names[0])
    for image in truth["images"]:
        pixels = cv2.imread(os.path.join(written, image["file_name"]))
        assert pixels.shape == (image["height"], image["width"], 3)


def test_the_truth_is_what_coco_tools_read(written, capsys):
    import pycocotools.coco

    truth = pycocotools.coco.COCO(os.path.join(written, "truth.json"))
    capsys.readouterr()
    assert {c["id"]: c["name"] for c in truth.loadCats(truth.getCatIds())} == {1: "Vehicle", 2: "Person", 3: "Bike"}
    annotations = truth.loadAnns(truth.getAnnIds())
    assert len({item["id"] for item in annotations}) == len(annotations) > 60
    assert all(item["iscrowd"] in (0, 1) and item["area"] > 0 for item in annotations)


def _answer(written, out, skip=(), full=False):
    """Results that are the truth itself."""
    with open(os.path.join(written, "truth.json")) as file:
        truth = json.load(file)
    for image in truth["images"]:
        name = image["file_name"]
        if image["id"] in skip:
            continue
        path = os.path.join(out, name + ".json" if full else os.path.splitext(name)[0] + ".json")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        found = [
            {"category_id": item["category_id"], "cat_name": scenes.CLASSES[item["category_id"]], "score": 0.9,
             "bbox": item["bbox"]}
            for item in truth["annotations"] if item["image_id"] == image["id"] and not item["iscrowd"]
        ]  # fmt: skip
        with open(path, "w") as file:
            json.dump(found, file)


def _evaluate(written, out, *more):
    command = [sys.executable, "-m", "divainfer.model.demo.evaluate", "--truth", os.path.join(written, "truth.json")]
    return subprocess.run(
        command + ["--results", str(out)] + list(more), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        universal_newlines=True,
    )  # fmt: skip


@pytest.mark.parametrize("full", [False, True])
def test_the_truth_itself_scores_one(written, tmp_path, full):
    _answer(written, str(tmp_path), full=full)
    done = _evaluate(written, tmp_path, "--min-ap50", "0.99")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "AP50 1.00"
    assert len(done.stdout.splitlines()) == 4


def test_too_little_is_status_1(written, tmp_path):
    _answer(written, str(tmp_path))
    assert _evaluate(written, tmp_path, "--min-ap50", "1.01").returncode == 1


def test_a_missing_result_is_named_in_one_sentence(written, tmp_path):
    _answer(written, str(tmp_path), skip=(3,))
    done = _evaluate(written, tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    with open(os.path.join(written, "frames.lst")) as file:
        assert os.path.splitext(file.read().splitlines()[2])[0] + ".json" in done.stderr
