"""The result format: keys, scale, rounding, order."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from divainfer.detections import Detections
from divainfer.errors import EngineError
from divainfer.worker.results import Found, ResultFormat, _rounded


def detections(*rows):
    boxes = np.array([row[:4] for row in rows], np.float32).reshape(-1, 4)
    return Detections(
        boxes, np.array([row[4] for row in rows], np.int64), np.array([row[5] for row in rows], np.float32)
    )


def rows(found, image=(1080, 1920), frame=(1080, 1920), **options):
    (found_rows,) = ResultFormat(("BG", "Vehicle", "Person"), **options).rows([Found(found, image, frame)])
    assert json.loads(json.dumps(found_rows)) == found_rows, "plain values only"
    return found_rows


def test_keys_rounding_and_order():
    found = detections((10.04, 20.06, 58.24, 100, 2, 0.123456), (1, 2, 3, 4, 1, 0.9))
    assert rows(found) == [
        {"category_id": 1, "cat_name": "Vehicle", "score": 0.9, "bbox": [1.0, 2.0, 2.0, 2.0], "segmentation": None},
        {
            "category_id": 2,
            "cat_name": "Person",
            "score": 0.1235,
            "bbox": [10.0, 20.1, 48.2, 79.9],
            "segmentation": None,
        },
    ]


def test_the_later_style():
    (row,) = rows(detections((10.046, 20, 58.24, 100, 2, 0.12345678)), style="later")
    assert row["score"] == 0.1234568 and row["bbox"] == [10.05, 20.0, 48.19, 80.0] and row["im_size"] == [1080, 1920]


def test_boxes_come_back_to_the_image():
    (row,) = rows(detections((54, 54, 108, 162, 1, 0.5)), image=(1080, 1920), frame=(540, 960))
    assert row["bbox"] == [108.0, 108.0, 108.0, 216.0]


def test_equal_scores_are_ordered_by_label_then_box():
    found = [(5, 0, 9, 9, 2, 0.5), (5, 0, 9, 9, 1, 0.5), (1, 0, 9, 9, 1, 0.5)]
    assert rows(detections(*found)) == rows(detections(*reversed(found)))
    assert [(row["category_id"], row["bbox"][0]) for row in rows(detections(*found))] == [(1, 1.0), (1, 5.0), (2, 5.0)]


def test_threshold_and_classes():
    found = detections((0, 0, 1, 1, 1, 0.2), (0, 0, 1, 1, 2, 0.5), (0, 0, 1, 1, 1, 0.7))
    assert len(rows(found, score_threshold=0.5)) == 2
    assert [row["score"] for row in rows(found, keep=frozenset([1]))] == [0.7, 0.2]


def test_no_detections_and_unknown_classes():
    assert rows(detections()) == []
    assert rows(detections((0, 0, 1, 1, 77, 0.5)))[0]["cat_name"] == "77"


@pytest.mark.parametrize(
    "row", [(0, 0, 1, 1, 1, float("nan")), (0, float("inf"), 1, 1, 1, 0.5), (0, 0, 3e38, 1, 1, 0.5)]
)
def test_what_is_no_number_is_its_own_image_s_error(row):
    good = Found(detections((1, 2, 3, 4, 1, 0.9)), (100, 100), (1, 1))
    bad = Found(detections((0, 0, 1, 1, 1, 0.7), row), (100, 100), (1, 1))
    first, error, last = ResultFormat(("BG", "Vehicle")).rows([good, bad, good])
    assert isinstance(error, EngineError) and str(error).startswith("the engine returned a box ")
    assert first == last == rows(good.detections, (100, 100), (1, 1))


def test_empty_arrays_of_another_type_change_nothing():
    some = Found(detections((1, 2, 3, 4, 1, 0.7)), (10, 10), (10, 10))
    none = Found(Detections(np.zeros((0, 4)), [], np.zeros(0)), (10, 10), (10, 10))
    plain = ResultFormat(("BG", "Vehicle"), score_threshold=0.7)
    assert plain.rows([none, some, none]) == [[], *plain.rows([some]), []]
    assert len(plain.rows([some])[0]) == 1 and plain.rows([none]) == [[]]


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1), st.sampled_from([1, 2, 4, 7]))
def test_rounding_equals_pythons(values, places):
    array = np.array(values, np.float32)
    assert _rounded(array, places) == [round(float(value), places) for value in array]


def test_masks_are_pasted_and_encoded():
    found = detections((10, 20, 30, 60, 1, 0.9))._replace(masks=np.ones((1, 14, 14), np.float32))
    (row,) = rows(found, image=(100, 80), frame=(100, 80))
    full = coco_mask.decode(row["segmentation"])
    assert full.shape == (100, 80)
    assert full[20:60, 10:30].all() and full.sum() == 40 * 20


edges = st.floats(0, 500, width=32)
one_detection = st.tuples(edges, edges, edges, edges, st.integers(1, 4), st.sampled_from([0.1, 0.25, 0.5, 0.9]))
one_image = st.tuples(st.lists(one_detection, max_size=5), st.booleans(), st.integers(1, 60), st.integers(1, 60))


@settings(deadline=None)  # The first masks import OpenCV.
@given(st.lists(one_image, min_size=1, max_size=5), st.sampled_from(["seed", "later"]))
def test_images_of_a_batch_change_nothing_for_each_other(images, style):
    batch = []
    for found, with_masks, height, width in images:
        masks = np.linspace(0, 1, len(found) * 196, dtype=np.float32).reshape(-1, 14, 14)
        batch.append(Found(detections(*found)._replace(masks=masks if with_masks else None), (height, width), (30, 40)))
    made = ResultFormat(("BG", "Vehicle", "Person"), style, 0.2, frozenset([1, 2, 3]))
    assert made.rows(batch) == [made.rows([one])[0] for one in batch]
