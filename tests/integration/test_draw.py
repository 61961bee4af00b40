"""`divainfer draw` on real runs: each format, videos, odd names, and all that can be wrong with an image or a result."""

from __future__ import annotations

import os
import shutil

import cv2
import numpy as np
import pytest
from running import divainfer as program
from running import draw_images, result_files
from videos import seen_number, write_video

import divainfer
from divainfer.errors import ConfigError, ImageListError, OutputError

SMALL = ["--short-edge-size", "64", "--max-size", "96", "--gpus", "cpu", "--loaders", "1"]


def run(images, out, *more):
    return program("run", "--engine", "emulated", "--images", images, "--out", out, *SMALL, *more).code


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """30 images, a broken one, a video, and one with a name that is no text."""
    folder = str(tmp_path_factory.mktemp("images") / "in")
    draw_images(folder, 30)
    write_video(os.path.join(folder, "cam.avi"), 12)
    with open(os.path.join(folder, "broken.jpg"), "wb") as file:
        file.write(b"no image")
    shutil.copyfile(os.path.join(folder, "f0000.jpg"), os.path.join(os.fsencode(folder), b"new\nline \xff.jpg"))
    return folder


@pytest.fixture(scope="module", params=["json", "jsonl", "parquet"])
def finished(request, images, tmp_path_factory):
    """A finished run; not to be changed."""
    out = str(tmp_path_factory.mktemp("finished") / "out")
    assert run(images, out, "--format", request.param) == 3
    return out


def drawn_files(folder):
    return sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names)


def test_an_even_sample_of_images_and_frames(finished, images, tmp_path):
    outcome = program("draw", finished, "--sample", "15", "--min-score", "0")
    assert outcome.code == 0, outcome.err
    folder = os.path.join(finished, ".divainfer", "drawn")
    assert outcome.out == "{}: 15 images drawn\n".format(folder)
    names = drawn_files(folder)
    assert len(names) == 15 and any(name.startswith("cam.avi/") for name in names)
    assert {name.split("/")[0] for name in names} >= {"cam0", "cam1", "cam2", "cam.avi"}
    found = {result.image: result.detections for result in divainfer.results(finished)}
    for name in names:
        picture = cv2.imread(os.path.join(folder, name))
        if name.startswith("cam.avi"):
            assert picture.shape == (48, 64, 3)
        else:
            original = cv2.imread(os.path.join(images, name))
            assert picture.shape == original.shape
            # More than a JPEG of a JPEG differs.
            drawn = np.abs(picture.astype(int) - original).max() > 60
            assert drawn == bool(found[os.path.join(images, name)])
    shutil.rmtree(folder)


def test_all_images_named_as_their_results(finished, tmp_path):
    folder = str(tmp_path / "all")
    drawn = divainfer.draw(finished, folder, sample=1000)
    assert drawn == (43, 0, folder, [])
    names = {os.fsencode(name) for name in drawn_files(folder)}
    assert b"new\nline \xff.jpg" in names and len(names) == 43
    files = result_files(finished)
    if any(name.endswith(b"cam.avi/00000003.json") for name in files):
        assert {name[:-5] + b".jpg" for name in files} == names


def test_frames_of_a_video(finished, images, tmp_path):
    folder = str(tmp_path / "frames")
    drawn = divainfer.draw(finished, folder, images=[os.path.join(images, "cam.avi")], min_score=1.0)
    assert drawn == (12, 0, folder, []) and len(drawn_files(folder)) == 12
    # Nothing is likely enough to be drawn over the numbers.
    assert [seen_number(cv2.imread(os.path.join(folder, name))) for name in drawn_files(folder)] == list(range(12))


def test_named_images_those_that_cannot_be_drawn_and_the_others_go_on(finished, images, tmp_path):
    folder = str(tmp_path / "named")
    listed = tmp_path / "some.lst"
    listed.write_text(
        "{}\nnobody.jpg\n{}\n".format(*(os.path.join(images, name) for name in ("broken.jpg", "f0004.jpg")))
    )
    outcome = program("draw", finished, "f0002.jpg", "cam.avi/00000003", "--list", str(listed), "--out", folder)
    assert outcome.code == 3
    assert outcome.out == "{}: 3 images drawn\n".format(folder)
    said = outcome.err.splitlines()
    assert said[0] == "{}: it is not in the list of this run.".format(tmp_path / "nobody.jpg")
    assert said[1].startswith("{}/broken.jpg: it has no result: it is not an image".format(images))
    assert said[2:] == ["2 images could not be drawn."]
    assert drawn_files(folder) == ["cam.avi/00000003.jpg", "f0002.jpg", "f0004.jpg"]


def test_images_and_results_that_changed_since(images, tmp_path):
    source, out, folder = (str(tmp_path / name) for name in ("in", "out", "drawn"))
    shutil.copytree(os.path.join(images, "cam0"), source)
    assert run(source, out, "--result-style", "later") == 0
    # Only results with detections tell the image's size.
    found = {os.path.basename(result.image): result.detections for result in divainfer.results(out)}
    other, one, third = sorted(found, key=lambda name: not found[name])[:3]
    assert found[other]
    os.remove(os.path.join(source, one))
    cv2.imwrite(os.path.join(source, other), np.zeros((7, 9, 3), np.uint8))
    with open(os.path.join(out, third[:-4] + ".json"), "w") as file:
        file.write("[")
    outcome = program("draw", out, "--out", folder, "--sample", "100")
    assert outcome.code == 3
    said = outcome.err.splitlines()
    assert len(said) == 4
    assert "{}: there is no such file.".format(os.path.join(source, one)) in said
    assert "{}: it is 9 x 7 pixels, and was".format(os.path.join(source, other)) in outcome.err
    assert "{}: this result cannot be read".format(os.path.join(out, third[:-4] + ".json")) in outcome.err
    assert len(drawn_files(folder)) == len(os.listdir(source)) + 1 - 3


def test_an_image_is_never_written_over(images, tmp_path):
    source, out = str(tmp_path / "in"), str(tmp_path / "out")
    shutil.copytree(os.path.join(images, "cam1"), source)
    before = result_files(source)
    listed = tmp_path / "frames.lst"
    listed.write_text("".join(os.path.join(source, name) + "\n" for name in sorted(os.listdir(source))))
    assert run(str(listed), out) == 0
    outcome = program("draw", out, "--out", source)
    assert outcome.code == 3 and "it is left as it is" in outcome.err
    assert result_files(source) == before
    # What was drawn before is drawn anew.
    for _ in range(2):
        assert program("draw", out).code == 0


@pytest.mark.parametrize("pattern", ["", "*", "**/*.jpg"])
def test_nothing_is_drawn_where_the_run_searches_for_images(pattern, images, tmp_path):
    source, out, link = str(tmp_path / "in"), str(tmp_path / "out"), str(tmp_path / "link")
    shutil.copytree(os.path.join(images, "cam1"), source)
    before = result_files(source)
    os.symlink(source, link)
    assert run(os.path.join(source, pattern), out) == 0
    for place in (source, os.path.join(source, "look"), os.path.join(link, "look")):
        for options in (["--out", place], ["--sheet", os.path.join(place, "s.jpg")]):
            outcome = program("draw", out, *options)
            assert outcome.code == 2 and len(outcome.err.splitlines()) == 1
            assert "Error: {}: the images of this run are searched for in".format(" ".join(options)) in outcome.err
    assert result_files(source) == before
    assert divainfer.draw(out, source + "-look", sample=2).images == 2
    # Neither there nor in the run folder are pictures in the way of the same command.
    assert divainfer.draw(out, sample=2).images == 2
    assert run(os.path.join(source, pattern), out) == 0


def test_contact_sheets(finished, tmp_path):
    sheet = str(tmp_path / "sheets" / "sheet.jpg")
    more = sheet[:-4] + "-2.jpg"
    # Once more: what was drawn before is replaced.
    for _ in range(2):
        assert divainfer.draw(finished, sample=40, sheet_file=sheet) == (40, 0, "", [sheet, more])
    assert [cv2.imread(path).shape[1] > 2000 for path in (sheet, more)] == [True, True]
    assert drawn_files(str(tmp_path / "sheets")) == ["sheet-2.jpg", "sheet.jpg"]
    both = divainfer.draw(finished, str(tmp_path / "both"), 3, sheet_file=str(tmp_path / "both.jpeg"))
    assert both == (3, 0, str(tmp_path / "both"), [str(tmp_path / "both.jpeg")])


def test_a_sheet_never_replaces_a_file_that_was_not_drawn(finished, tmp_path):
    for taken in ("sheet.jpg", "sheet-2.jpg"):
        folder = tmp_path / taken
        folder.mkdir()
        (folder / taken).write_bytes(b"an image of somebody's")
        sheet = str(folder / "sheet.jpg")
        outcome = program("draw", finished, "--sample", "40", "--sheet", sheet, "--out", str(folder / "drawn"))
        assert outcome.code == 2 and len(outcome.err.splitlines()) == 1
        assert "{} is there already and was not drawn by divainfer".format(folder / taken) in outcome.err
        assert drawn_files(str(folder)) == [taken], "nothing is drawn"
        assert (folder / taken).read_bytes() == b"an image of somebody's"
    # A second sheet that is not needed is nobody's matter.
    assert divainfer.draw(finished, sample=32, sheet_file=str(tmp_path / "sheet-2.jpg" / "sheet.jpg")).images == 32


def test_odd_places(images, weird_path):
    folder = os.path.join(weird_path, "in")
    shutil.copytree(os.path.join(images, "cam2"), folder)
    out = os.path.join(weird_path, "out")
    assert run(folder, out) == 0
    name = sorted(os.listdir(folder))[0]
    drawn = divainfer.draw(
        out,
        os.path.join(weird_path, "drawn"),
        images=[os.path.join(folder, name)],
        sheet_file=os.path.join(weird_path, "s.jpg"),
    )
    assert (drawn.images, drawn.left_out) == (1, 0)
    assert os.path.exists(os.path.join(weird_path, "drawn", name)) and os.path.exists(os.path.join(weird_path, "s.jpg"))
    assert program("draw", out, "--list", os.path.join(weird_path, "no.lst")).code == 2


def test_what_cannot_be_used_is_one_sentence(finished, tmp_path):
    outcome = program("draw", finished, "--out", "/proc/nowhere")
    assert outcome.code == 2 and "cannot be written" in outcome.err and len(outcome.err.splitlines()) == 1
    (tmp_path / "empty.lst").write_text("\n")
    for options, kind, part in (
        ({"out": str(tmp_path / "nowhere")}, OutputError, "there is no such folder"),
        ({"out": str(tmp_path)}, OutputError, "there is no run"),
        ({"list_file": str(tmp_path / "no.lst")}, ImageListError, "it cannot be read"),
        ({"list_file": str(tmp_path / "empty.lst")}, ImageListError, "no image is named"),
        ({"sheet_file": str(tmp_path / "x.png")}, ConfigError, "ends in .jpg"),
        ({"sheet_file": str(tmp_path)}, ConfigError, "no regular file"),
        ({"folder": __file__}, ConfigError, "no folder"),
    ):
        with pytest.raises(kind, match=part):
            divainfer.draw(**dict({"out": finished}, **options))


def test_a_run_without_results(tmp_path):
    nothing = str(tmp_path / "nothing")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "a.jpg").write_bytes(b"")
    assert run(str(broken), nothing) == 3
    with pytest.raises(OutputError, match="no result in this run yet"):
        divainfer.draw(nothing)


def test_classes(images, tmp_path):
    out, folder = str(tmp_path / "out"), str(tmp_path / "drawn")
    assert run(os.path.join(images, "cam0"), out, "--class-list", "diva") == 0
    outcome = program("draw", out, "--classes", "Vehicel")
    assert outcome.code == 2 and "did you mean 'Vehicle'" in outcome.err
    names = {row["cat_name"] for result in divainfer.results(out) for row in result.detections}
    assert divainfer.draw(out, folder, min_score=0.0, classes=sorted(names)).images == 5
    everything = result_files(folder)
    divainfer.draw(out, folder, min_score=0.0, classes=["Animal"])
    assert set(result_files(folder)) == set(everything) and result_files(folder) != everything
