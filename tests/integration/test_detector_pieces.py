"""The steps of the built detector, each on its own, against those of `detector_reference`."""

import detector_reference as reference
import detector_reference_boxes as reference_boxes
import numpy as np
import pytest
import tensorflow as tf

from divainfer.model.detector.anchors import RATIOS, SIZES, anchors_at
from divainfer.model.detector.boxes import clip, decode, growth_limit
from divainfer.model.detector.fpn import STRIDES
from divainfer.model.detector.nms import ranks, suppress
from divainfer.model.detector.roi_align import levels, roi_align
from divainfer.modelfile.architecture import Architecture

v1 = tf.compat.v1


def compute(build, *arrays):
    """What a function of tensors gives for arrays."""
    with tf.Graph().as_default():
        placeholders = [v1.placeholder(array.dtype, array.shape) for array in arrays]
        with v1.Session() as session:
            return session.run(build(*placeholders), dict(zip(placeholders, arrays)))


def some_boxes(seed, count, height, width):
    """Float32 `[count, 4]`, of all sizes, within the frame; some are empty."""
    generator = np.random.RandomState(seed)
    corners = generator.uniform(-0.1, 1, (count, 2)) * [width, height]
    sides = 10 ** generator.uniform(0, 3, (count, 2))
    boxes = np.concatenate([corners, corners + sides], axis=1)
    return reference_boxes.clip(boxes, height, width).astype(np.float32)


@pytest.mark.parametrize("level", range(5))
def test_anchors(level):
    expected = reference_boxes.anchors(STRIDES[level], SIZES[level], 640)
    # A map that is not square, in the corner of the field.
    rows, columns = 5, len(expected) - 2
    indices = np.arange(rows * columns * len(RATIOS), dtype=np.int32).reshape(rows, columns, -1)
    found = compute(lambda places: anchors_at(places, columns, level), indices)
    assert (found == expected[:rows, :columns]).all()


def test_decoding_and_clipping():
    generator = np.random.RandomState(0)
    anchors = some_boxes(1, 500, 600, 800)
    deltas = generator.normal(0, 1.5, (500, 4)).astype(np.float32)
    limit = growth_limit(Architecture(max_size=100))
    assert limit == pytest.approx(reference_boxes.decode_limit(100)) == pytest.approx(np.log(8))
    assert (deltas[:, 2:] > limit).any()
    expected = reference_boxes.decode(deltas.astype(float), anchors.astype(float), limit)
    found = compute(lambda *inputs: decode(*inputs, limit), deltas, anchors)
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-3)
    found = compute(lambda boxes: clip(boxes, 600, 800), expected.astype(np.float32))
    assert np.allclose(found, reference_boxes.clip(expected, 600, 800), atol=1e-3)


def test_levels():
    boxes = some_boxes(2, 2000, 900, 1000)
    expected = reference.level_of(boxes.astype(float))
    assert set(expected) == {2, 3, 4, 5}
    assert (compute(levels, boxes) == expected).all()


def test_roi_align_of_two_images():
    generator = np.random.RandomState(3)
    height, width = 606, 810
    sizes = [(-(-height // stride), -(-width // stride)) for stride in STRIDES[:3]] + [(20, 26)]
    # The graph wants all 256 channels; each is a copy, so that the reference needs four only.
    maps = [generator.normal(0, 1, (2,) + size + (4,)).astype(np.float32) for size in sizes]
    boxes = some_boxes(4, 300, height, width)
    images = generator.randint(0, 2, 300).astype(np.int32)
    found = compute(lambda b, i, *m: roi_align(list(m), b, i), boxes, images, *[np.tile(m, 64) for m in maps])
    assert found.shape == (300, 7, 7, 256)
    for image in (0, 1):
        expected = reference.roi_align([m[image].astype(float) for m in maps], boxes[images == image].astype(float))
        assert (expected == 0).any(axis=(1, 2, 3)).any(), "no box reaches over the border"
        of_image = found[images == image].transpose(0, 3, 1, 2)
        assert np.abs(of_image[:, :4] - expected).max() < 1e-3
        assert (of_image[:, 4:8] == of_image[:, :4]).all()


@pytest.mark.parametrize("overlap", [0.5, 0.7])
@pytest.mark.parametrize("most", [10, 200])
def test_suppression_of_any_scores(overlap, most):
    # Logits: most are far below 0.
    boxes = some_boxes(5, 150, 300, 400)
    boxes[::7] = boxes[1::7][: len(boxes[::7])]
    scores = np.random.RandomState(6).normal(-4, 3, (2, 150)).astype(np.float32)
    found = compute(
        lambda b, s: suppress(b[None, :, None], ranks(tf.transpose(s)[None]), overlap, most, most, above=0.0),
        boxes,
        scores,
    )
    kept = [reference_boxes.nms(boxes.astype(float), of_class, overlap, most) for of_class in scores]
    classes = np.repeat([0, 1], [len(part) for part in kept])
    rows, of_all = np.concatenate(kept), np.concatenate([part[rows] for part, rows in zip(scores, kept)])
    best = reference_boxes.best_first(of_all)[:most]
    count = int(found.count[0])
    assert count == len(best)
    assert (found.classes[0, :count] == classes[best]).all()
    assert (found.boxes[0, :count] == boxes[rows[best]]).all()


def test_suppression_leaves_out_low_scores():
    boxes = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], np.float32)
    scores = np.array([[2e-4, 0.9, 1e-4]], np.float32)
    found = compute(
        lambda b, s: suppress(b[None, :, None], tf.transpose(s)[None], 0.5, 9, 9, above=1e-4), boxes, scores
    )
    assert found.count.tolist() == [2]
    assert found.boxes[0, :2].tolist() == [boxes[1].tolist(), boxes[0].tolist()]
