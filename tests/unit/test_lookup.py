"""Single results out of many, and pictures of them: a run's folder as a dispatcher and its workers would have written it."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

import divainfer
from divainfer.config import RunConfig, to_json
from divainfer.imagelist import ImageListWriter, Listing
from divainfer.ledger import FAILED, Ledger
from divainfer.messages import Failure
from divainfer.naming import FORMATS, STEM, Naming
from divainfer.output.format import Finished, Row
from divainfer.output.formats import make_keeper, make_store
from divainfer.output.results import Lookup, results
from divainfer.runfolder import RunFolder
from divainfer.runrecord import RunRecord

COUNT = 40


def boxes_of(index):
    return [
        {
            "category_id": 1 + index % 3,
            "cat_name": "c",
            "score": 0.9,
            "bbox": [4.0, 6.0, 20.0, 10.0],
            "segmentation": None,
        }
    ] * (index % 2)


def write_run(root, out, name):
    """Images 7 and 23 failed; 23 became a result when it was tried again; 38 and 39 are to do."""
    folder = RunFolder(out)
    folder.make()
    paths = [os.path.join(root, b"cam%d" % (index % 2), b"f%02d.png" % index) for index in range(COUNT)]
    for index, path in enumerate(paths):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(cv2.imencode(".png", np.full((32, 48, 3), 100 + index, np.uint8))[1].tobytes())
    writer = ImageListWriter(folder.list, folder.index)
    writer.add(paths)
    naming = Naming(STEM, root)
    record = RunRecord(
        {"format": name}, to_json(RunConfig(format=name)), Listing(COUNT, writer.close(), naming, [], ""),
        ["BG", "one", "two", "three"], [], {}, [], "2026-01-01T00:00:00+0000",
    )  # fmt: skip
    record.write(folder)
    store = make_store(name, "w", folder, naming)
    ledger = Ledger(folder.ledger, 0)
    keeper = make_keeper(name, folder, paths, naming)
    for start, stop, failed in ((0, 16, [7]), (16, 38, [23]), (23, 24, [])):
        if start == 23:
            ledger.open_again(23, 1, FAILED)
        failures = [Failure(index, "corrupt", "it is broken.") for index in failed]
        for index in range(start, stop):
            if index not in failed:
                store.put(Row(index, paths[index], (32, 48), boxes_of(index)))
        finished = Finished(start, stop, tuple(failures), store.settle(start, stop), "w")
        keeper.place([finished])
        ledger.add(start, stop - start, failures, finished.checksums)
    ledger.commit()
    ledger.close()
    return paths


@pytest.fixture(params=FORMATS)
def run(request, tmp_path):
    out = str(tmp_path / "out")
    return out, write_run(os.fsencode(str(tmp_path / "in")), out, request.param)


def test_single_results_are_those_of_the_whole_run(run):
    out, paths = run
    lookup = Lookup(out)
    expected = list(results(out))
    assert len(expected) == COUNT
    for index in [23, 0, 39, 7, 24, 22, 37, 38] + list(range(COUNT)):
        assert lookup.at(index) == expected[index]
    assert [index for index in range(COUNT) if lookup.at(index).detections is None] == [7, 38, 39]
    assert [failure.index for failure in lookup.failures()] == [7]
    lookup.close()


def pixels(folder, name):
    return cv2.imread(os.path.join(folder, name)).astype(int)


def test_an_even_sample_is_drawn(run, tmp_path):
    out, paths = run
    said = []
    drawn = divainfer.draw(out, str(tmp_path / "drawn"), sample=10, say=said.append)
    assert drawn == (10, 0, str(tmp_path / "drawn"), []) and not said
    names = sorted(name for _, _, found in os.walk(str(tmp_path / "drawn")) for name in found)
    assert len(names) == 10 and names[0] == "f00.jpg"
    # An odd one has a box, an even one has none.
    assert abs(pixels(drawn.folder, "cam0/f00.jpg") - 100).max() <= 3
    odd = next(name for name in names if int(name[1:3]) % 2)
    boxed = pixels(drawn.folder, "cam1/" + odd)
    assert abs(boxed - 100 - int(odd[1:3])).max() > 60


def test_named_images_and_what_is_wrong_with_each(run, tmp_path):
    out, paths = run
    said = []
    os.remove(paths[2])
    asked = [
        "cam0/f04.png",
        "./cam0/../cam0/f04.png",
        "cam1/f07.png",
        "cam0/f38.png",
        "cam0/f02.png",
        "no\nbody.png",
        "/",
    ]
    drawn = divainfer.draw(out, images=asked, say=said.append)
    assert drawn.images == 1 and drawn.left_out == 5 and drawn.folder == os.path.join(out, ".divainfer", "drawn")
    assert said == [
        "no\\nbody.png: it is not in the list of this run.",
        "/: it is not in the list of this run.",
        "{}: it has no result: it is broken.".format(os.fsdecode(paths[7])),
        "{}: it has no result yet.".format(os.fsdecode(paths[38])),
        "{}: there is no such file.".format(os.fsdecode(paths[2])),
    ]
    assert os.path.exists(os.path.join(drawn.folder, "cam0", "f04.jpg"))


def test_an_image_of_another_size_is_not_drawn(tmp_path):
    out = str(tmp_path / "out")
    paths = write_run(os.fsencode(str(tmp_path / "in")), out, "jsonl")
    with open(paths[0], "wb") as file:
        file.write(cv2.imencode(".png", np.zeros((30, 48, 3), np.uint8))[1].tobytes())
    said = []
    assert divainfer.draw(out, images=["cam0/f00.png"], say=said.append)[:3] == (0, 1, "")
    assert said[0].endswith(": it is 48 x 30 pixels, and was 48 x 32 when its result was made.")


def test_a_damaged_result_costs_its_images_only(run, tmp_path):
    out, paths = run
    damaged = [name for name in os.listdir(out) if name.startswith("results-")] or ["cam0/f00.json"]
    with open(os.path.join(out, min(damaged)), "wb") as file:
        file.write(b"[")
    said = []
    drawn = divainfer.draw(out, str(tmp_path / "drawn"), images=["cam0/f00.png", "cam0/f30.png"], say=said.append)
    assert (drawn.images, drawn.left_out) == (1, 1)
    assert len(said) == 1 and "this result cannot be read" in said[0] and min(damaged) in said[0]


def test_sheets_alone(run, tmp_path):
    out, _ = run
    sheet = str(tmp_path / "s.jpg")
    assert divainfer.draw(out, sample=1000, sheet_file=sheet) == (37, 0, "", [sheet, str(tmp_path / "s-2.jpg")])
    assert not os.path.exists(os.path.join(out, ".divainfer", "drawn"))
