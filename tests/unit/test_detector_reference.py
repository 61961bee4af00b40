"""What the NumPy detector says, where a table, a formula or a drawing says it too: the judge of the graph is judged first."""

import numpy as np
import pytest
from detector_reference import LEAST_SCORE, convolve, detections, level_of, max_pool, roi_align, sample
from detector_reference_boxes import anchors, clip, decode, nms, overlap


def test_anchors_are_those_that_faster_rcnn_published():
    # Scale 8 of the table in the original's generate_anchors, counted from 0, with x2 and y2 one further.
    assert anchors(16, 128, 128)[0, 0].tolist() == [[-84, -40, 100, 56], [-56, -56, 72, 72], [-36, -80, 52, 96]]


@pytest.mark.parametrize(
    "stride, size, shapes",
    [
        (4, 32, [(48, 24), (32, 32), (24, 48)]),
        # 11 * 0.5 and 45 * 0.5 are rounded to even.
        (8, 64, [(88, 48), (64, 64), (48, 96)]),
        (32, 256, [(360, 176), (256, 256), (184, 368)]),
        (64, 512, [(728, 368), (512, 512), (360, 720)]),
    ],
)
def test_widths_and_heights_of_anchors(stride, size, shapes):
    boxes = anchors(stride, size, 1920)[0, 0]
    assert [(x2 - x1, y2 - y1) for x1, y1, x2, y2 in boxes.tolist()] == shapes


def test_anchors_move_by_the_stride_and_cover_the_rounded_size():
    field = anchors(64, 512, 1900)
    assert field.shape == (30, 30, 3, 4)
    assert (field[3, 5] - field[0, 0] == [320, 192, 320, 192]).all()


def test_decoding():
    box = np.array([10.0, 20, 30, 60])
    moved = decode(np.array([0.5, -0.25, np.log(2), np.log(0.5)]), box, 3)
    assert np.allclose(moved, [20 - 10, 40 - 10 - 20 + 10, 20 + 30, 40])
    assert np.allclose(decode(np.array([0, 0, 9, 0.0]), box, np.log(2)), [0, 20, 40, 60])


def test_clipping_keeps_to_the_image():
    assert clip(np.array([[-3.0, -4, 120, 90], [101, 75, 130, 80]]), 75, 101).tolist() == [
        [0, 0, 101, 75],
        [101, 75, 101, 75],
    ]


def test_overlap():
    boxes = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [3, 3, 3, 9]])
    assert np.allclose(overlap(boxes[0], boxes), [1, 1 / 3, 0, 0])
    assert overlap(boxes[3], boxes).tolist() == [0, 0, 0, 0]


def test_what_was_put_out_puts_out_nothing():
    # Each overlaps the next by 2 / 3 only.
    boxes = np.array([[0.0, 0, 10, 10], [2, 0, 12, 10], [4, 0, 14, 10], [6, 0, 16, 10]])
    scores = np.array([0.6, 0.9, 0.8, 0.7])
    assert nms(boxes, scores, 0.5, 9).tolist() == [1, 3]
    assert nms(boxes, scores, 0.7, 9).tolist() == [1, 2, 3, 0]
    assert nms(boxes, scores, 0.7, 2).tolist() == [1, 2]
    assert nms(boxes[:0], scores[:0], 0.7, 2).tolist() == []


def test_levels_change_where_the_area_does():
    sides = [1, 111.9, 112, 223.9, 224, 447.9, 448, 1920]
    assert level_of(np.array([[0, 0, side, side] for side in sides])).tolist() == [2, 2, 3, 3, 4, 4, 5, 5]


def test_a_pixel_s_value_sits_in_its_middle():
    ramp = np.arange(20.0)[None, :, None] + 100 * np.arange(20.0)[:, None, None]
    found = sample(ramp, np.array([2.0, 3, 16, 17]))[:, :, 0]
    assert np.allclose(found, ramp[3:17, 2:16, 0])


def test_cells_of_a_slope_are_its_value_in_their_middles():
    ramp = np.arange(30.0)[None, :, None] + 100 * np.arange(30.0)[:, None, None]
    # On level 3: 8 pixels are one of the map.
    box = np.array([[16.0, 24, 16 + 7 * 20, 24 + 7 * 24]])
    (cells,) = roi_align([ramp[:1] * np.nan, ramp, ramp[:1] * np.nan, ramp[:1] * np.nan], box)
    across, down = 2 + (np.arange(7) + 0.5) * 2.5 - 0.5, 3 + (np.arange(7) + 0.5) * 3 - 0.5
    assert np.allclose(cells[0], across[None, :] + 100 * down[:, None])


def test_outside_of_the_map_is_nothing():
    assert sample(np.ones((4, 4, 1)), np.array([-0.5, 0, 3, 4]), 7)[:, :, 0].tolist() == (
        [[0] * 7] + [[0, 0] + [1] * 5] * 5 + [[0] * 7]
    )


def test_convolution_by_hand():
    values = np.arange(25.0).reshape(5, 5, 1)
    kernel = np.zeros((3, 3, 1, 1))
    kernel[0, 0], kernel[2, 1] = 1, 10
    assert convolve(values, kernel, 2)[:, :, 0].tolist() == [[110, 132], [220, 242]]
    assert convolve(values, kernel, 1, 2)[:, :, 0].tolist() == [[220]]
    assert max_pool(values, 3, 2)[:, :, 0].tolist() == [[12, 14], [22, 24]]


def test_detections_of_two_proposals():
    boxes = np.array([[10.0, 10, 30, 30], [11, 10, 31, 30]])
    logits = np.array([[0.0, 2, 1], [0, 0.5, -99]])
    deltas = np.zeros((2, 2, 4))
    deltas[0, 1] = [5, 0, 0, 5 * np.log(2)]
    found = detections(boxes, logits, deltas, 40, 40, 3)
    share = np.exp([0, 2, 1]) / np.exp([0, 2, 1]).sum()
    assert found.labels.tolist() == [1, 2]
    assert np.allclose(found.scores, share[1:])
    assert np.allclose(found.boxes, [[10, 10, 30, 30], [20, 0, 40, 40]])
    assert found.scores[1] > LEAST_SCORE


def test_no_detections_have_shapes_too():
    found = detections(np.zeros((0, 4)), np.zeros((0, 3)), np.zeros((0, 2, 4)), 40, 40, 3)
    assert [part.shape for part in found] == [(0, 4), (0,), (0,)]
