"""Detections drawn: in their place and colour, with names that hide nothing; outlines, contact sheets, files."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from divainfer.drawing import outlines as outlines_module
from divainfer.drawing.boxes import chosen, draw_detections, name_of, style_for
from divainfer.drawing.colours import DARK, LIGHT, PALETTE, colour_of, ink_on
from divainfer.drawing.outlines import outlines
from divainfer.drawing.picturefile import PictureError, encode_jpeg, may_write, write_picture
from divainfer.drawing.pictures import Pictures
from divainfer.drawing.selection import even
from divainfer.drawing.sheet import CELL, GAP, STRIP, cell, sheet


def detection(box, number=1, score=0.9, name="Vehicle", segmentation=None):
    return {"category_id": number, "cat_name": name, "score": score, "bbox": list(box), "segmentation": segmentation}


def grey(height=400, width=600):
    return np.full((height, width, 3), 128, np.uint8)


def changed(image, rows, **options):
    return (draw_detections(image, rows, **options) != image).any(2)


def test_a_box_is_drawn_where_it_is_in_its_colour_on_a_copy():
    image = grey()
    picture = draw_detections(image, [detection((100, 150, 80, 60), 2)], names=False)
    assert (image == 128).all()
    assert tuple(picture[150, 140]) == tuple(picture[210, 140]) == tuple(picture[180, 100]) == colour_of(2)
    assert (picture[155:205, 105:175] == 128).all()


def test_boxes_of_the_original_on_a_shrunk_copy():
    image = grey(100, 150)
    expected = draw_detections(image, [detection((25, 37.5, 20, 15))])
    assert np.array_equal(draw_detections(image, [detection((100, 150, 80, 60))], scale=0.25), expected)


def test_what_lies_outside_is_left_out_and_what_reaches_over_the_edge_is_cut():
    outside = [(-50, 10, 20, 20), (700, 10, 20, 20), (10, 500, 10, 10), (10, -90, 10, 10)]
    assert not changed(grey(), [detection(box) for box in outside]).any()
    seen = changed(grey(), [detection((-40, -40, 1e9, 1e9))], names=False)
    assert seen[0].all() and seen[:, 0].all() and seen[-1].all() and not seen[20:-20, 20:-20].any()


def test_the_likeliest_lies_on_top_whatever_the_order():
    rows = [detection((100, 100, 80, 80), 1, 0.6), detection((100, 100, 80, 80), 2, 0.9)]
    for order in (rows, rows[::-1]):
        assert tuple(draw_detections(grey(), order, names=False)[100, 140]) == colour_of(2)


def test_a_name_stands_beside_its_box():
    box = (200, 150, 100, 60)
    plain, named = (changed(grey(), [detection(box)], names=names) for names in (False, True))
    ys, xs = np.nonzero(named & ~plain)
    assert ys.max() < 150 and ys.min() > 130 and xs.min() > 190


def test_a_name_does_not_cover_other_objects():
    # Touching boxes in rows: names have a place above the first row and below the last only.
    boxes = [(100 + 60 * x, 100 + 40 * y, 59, 39) for y in range(4) for x in range(6)]
    rows = [detection(box) for box in boxes]
    plain, named = (draw_detections(grey(), rows, names=names) for names in (False, True))
    names = (plain != named).any(2)
    assert names[60:95].any() and names[262:300].any()
    for x, y, w, h in boxes:
        assert not names[y + 3 : y + h - 2, x + 3 : x + w - 2].any()


def test_names_do_not_cover_each_other():
    rows = [
        detection((200, 150, 100, 60), number, 0.9 - number / 100, "Name{}".format(number)) for number in range(1, 7)
    ]
    picture = draw_detections(grey(), rows)
    # Above, below and inside are three places.
    backgrounds = set(map(tuple, picture[100:260, 150:350].reshape(-1, 3))) & set(PALETTE)
    assert len(backgrounds) <= 4


def test_what_an_object_lies_in_is_not_hidden_by_its_name():
    rows = [detection((50, 50, 500, 300)), detection((250, 180, 40, 60), 2, 0.8, "Person")]
    plain, named = (draw_detections(grey(), rows, names=names) for names in (False, True))
    assert (plain != named).any(2)[150:180, 240:400].any()


def test_a_name_in_other_letters_is_a_number():
    assert name_of(detection((0, 0, 1, 1), 3, name="車")) == "class 3"
    assert name_of(detection((0, 0, 1, 1), 3, name="a\nb")) == "class 3"
    assert changed(grey(), [detection((200, 150, 100, 60), 3, name="\udcff")]).any()


def test_lines_and_letters_grow_with_the_image():
    small, usual, large = style_for(405, 720), style_for(1080, 1920), style_for(4000, 6000)
    assert small.line == 1 < usual.line < large.line <= 10
    assert small.text < usual.text < large.text


def test_empty_and_tiny_images():
    assert draw_detections(np.zeros((1, 1, 3), np.uint8), [detection((0, 0, 1, 1))]).shape == (1, 1, 3)
    assert draw_detections(grey(), []).shape == (400, 600, 3)


def test_colours_are_told_apart_and_come_again():
    assert len(set(PALETTE)) == len(PALETTE) and colour_of(1) == colour_of(1 + len(PALETTE))
    assert ink_on((255, 255, 255)) == DARK and ink_on((200, 0, 0)) == LIGHT


def test_which_are_drawn():
    rows = [detection((0, 0, 1, 1), 1, 0.5), detection((0, 0, 1, 1), 2, 0.9, "Person")]
    assert chosen(rows, 0.5) == rows and chosen(rows, 0.6) == rows[1:]
    assert chosen(rows, 0.0, ["Person"]) == chosen(rows, 0.0, ["2"]) == rows[1:]


# --- masks


def code_of(mask):
    code = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(edge) for edge in code["size"]], "counts": code["counts"].decode("ascii")}


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.5, 0.98]))
@settings(deadline=None, max_examples=60)
def test_a_mask_is_what_pycocotools_makes_of_it(height, width, seed, share):
    mask = np.random.RandomState(seed).rand(height, width) < share
    code = code_of(mask)
    counts = outlines_module._counts(code["counts"])
    assert np.array_equal(outlines_module._mask(counts, height, width), mask)
    assert [polygon.tolist() for polygon in outlines(code, mask.shape)] == [
        polygon.tolist() for polygon in outlines(dict(code, counts=counts), mask.shape)
    ]


def test_the_outline_of_a_mask_is_drawn():
    mask = np.zeros((400, 600), bool)
    mask[100:200, 300:500] = True
    mask[:50, :50] = True
    seen = changed(grey(), [detection((300, 100, 200, 100), segmentation=code_of(mask))], names=False)
    assert seen[0, :50].all() and seen[49, 5:45].all() and seen[:50, 0].all() and not seen[5:40, 5:40].any()
    shrunk = changed(
        grey(200, 300), [detection((300, 100, 200, 100), segmentation=code_of(mask))], scale=0.5, names=False
    )
    assert shrunk[:24, 0].all() and not shrunk[4:20, 4:20].any()


def test_the_outline_on_a_much_shrunk_copy_of_any_size():
    mask = np.ones((1003, 1507), bool)
    for scale in (0.31, 0.1, 0.037):
        image = grey(round(1003 * scale), round(1507 * scale))
        row = detection((700, 500, 9, 9), segmentation=code_of(mask))
        assert changed(image, [row], scale=scale, names=False)[2:-2, 0].all()


@pytest.mark.parametrize(
    "code",
    [
        {"size": [400, 600], "counts": "x"},
        {"size": [400, 600], "counts": "\x00"},
        {"size": [400, 600], "counts": "o" * 500},
        {"size": [400, 600], "counts": [10, -10, 240000]},
        {"size": [400, 600], "counts": [[1], 2]},
        {"size": [400, 600], "counts": None},
        {"size": [10**9, 10**9], "counts": [10**18]},
        {"size": [300, 600], "counts": [180000]},
        {"size": "12", "counts": ""},
        {},
        7,
    ],
    ids=str,
)
def test_a_damaged_mask_has_no_outline(code):
    assert outlines(code, (400, 600)) == []
    assert changed(grey(), [detection((100, 100, 50, 50), segmentation=code)]).any()


# --- contact sheets


@pytest.mark.parametrize("count,columns", [(1, 1), (2, 2), (3, 3), (4, 2), (5, 3), (12, 3), (13, 4), (32, 4)])
def test_a_sheet_has_rows_of_cells(count, columns):
    cells = [cell(grey(40, 60 + number), [detection((2, 2, 9, 9))], "x") for number in range(count)]
    assert {one.shape for one in cells} == {(CELL[1] + STRIP, CELL[0], 3)}
    rows = -(-count // columns)
    whole = sheet(cells)
    assert whole.shape == (rows * (CELL[1] + STRIP + GAP) + GAP // 2, columns * (CELL[0] + GAP) + GAP, 3)


def test_a_caption_of_any_length_stays_in_its_strip():
    rows = [detection((2, 2, 9, 9), number, name="a long name of a class") for number in range(1, 9)]
    for caption in ("x" * 500, "Ж" * 300, "", "a\udcffb"):
        assert cell(grey(), rows, caption).shape == (CELL[1] + STRIP, CELL[0], 3)


@pytest.mark.parametrize("size", [(4000, 6000), (3000, 20), (2, 3000), (1, 1)])
def test_an_image_of_any_shape_fits_its_cell(size):
    assert cell(grey(*size), [detection((0, 0, size[1], size[0]))], "x").shape == (CELL[1] + STRIP, CELL[0], 3)


# --- which images


def test_an_even_sample():
    assert even(range(10, 20), 3) == [10, 13, 16]
    assert even(range(3), 20) == [0, 1, 2] and even([], 20) == []
    picked = even(range(1000003), 20)
    assert len(set(picked)) == 20 and max(np.diff(picked)) - min(np.diff(picked)) <= 1


# --- files


def test_a_file_is_known_again_and_others_are_left(tmp_path):
    path = os.fsencode(str(tmp_path / "a" / "b.jpg"))
    assert may_write(path)
    write_picture(path, grey())
    assert may_write(path) and os.listdir(str(tmp_path / "a")) == ["b.jpg"]
    assert cv2.imread(os.fsdecode(path)).shape == (400, 600, 3)
    for name, content in (("image.jpg", encode_jpeg(grey())), ("empty.jpg", b"")):
        (tmp_path / name).write_bytes(content)
        assert not may_write(os.fsencode(str(tmp_path / name)))
    os.symlink(os.fsdecode(path), str(tmp_path / "link.jpg"))
    assert not may_write(os.fsencode(str(tmp_path / "link.jpg")))
    assert not may_write(os.fsencode(str(tmp_path)))


def test_what_cannot_be_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("file/x.jpg", "x" * 300 + ".jpg"):
        with pytest.raises(PictureError):
            write_picture(os.fsencode(str(tmp_path / name)), grey(4, 4))
    with pytest.raises(PictureError):
        encode_jpeg(np.zeros((70000, 1, 3), np.uint8))
    assert os.listdir(str(tmp_path)) == ["file"]


def test_an_image_in_a_folder_that_is_named_like_a_video(tmp_path):
    (tmp_path / "cam.mp4").mkdir()
    (tmp_path / "cam.mp4" / "00000012").write_bytes(encode_jpeg(grey(20, 30)))
    pictures = Pictures(10**6)
    assert pictures.read(os.fsencode(str(tmp_path / "cam.mp4" / "00000012"))).shape == (20, 30, 3)
    pictures.close()
