"""Sizes against the loop of 2019, and pixels against OpenCV's own."""

from __future__ import annotations

import subprocess
import sys

import cv2
import image_zoo as zoo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from divainfer.geometry import frame_bytes, frame_scale, target_size
from divainfer.loader.resize import resize

edges = st.one_of(st.integers(1, 4096), st.integers(1, 65500))
sizes = st.integers(1, 8192)


def size_2019(h, w, size, max_size):
    """tensorpack's CustomResize, to the letter."""
    scale = size * 1.0 / min(h, w)
    if h < w:
        newh, neww = size, scale * w
    else:
        newh, neww = scale * h, size
    if max(newh, neww) > max_size:
        scale = max_size * 1.0 / max(newh, neww)
        newh = newh * scale
        neww = neww * scale
    return int(newh + 0.5), int(neww + 0.5)


@pytest.mark.parametrize(
    "image, edges_wanted, frame",
    [
        ((1080, 1920), (1080, 1920), (1080, 1920)),
        ((1920, 1080), (1080, 1920), (1920, 1080)),
        ((720, 1280), (1080, 1920), (1080, 1920)),
        ((480, 640), (1080, 1920), (1080, 1440)),
        ((1000, 3000), (1080, 1920), (640, 1920)),
        ((427, 640), (800, 1333), (800, 1199)),
        ((1, 3000), (1080, 1920), (1, 1920)),
        ((10000, 1), (1080, 1920), (1920, 1)),
        ((100, 100), (640, 320), (320, 320)),
    ],
)
def test_known_sizes(image, edges_wanted, frame):
    assert target_size(*(image + edges_wanted)) == frame


@settings(max_examples=2000, deadline=None)
@given(edges, edges, sizes, sizes)
def test_sizes_are_those_of_2019_and_fit_a_slot(height, width, short_edge_size, max_size):
    new_height, new_width = target_size(height, width, short_edge_size, max_size)
    wanted = size_2019(height, width, short_edge_size, max_size)
    assert (new_height, new_width) == (max(1, wanted[0]), max(1, wanted[1]))
    assert new_height * new_width * 3 <= frame_bytes(short_edge_size, max_size)
    assert max(new_height, new_width) <= max_size
    assert min(new_height, new_width) <= short_edge_size


@settings(max_examples=500, deadline=None)
@given(edges, edges, st.integers(1, 4096), st.integers(1, 8192))
def test_a_frame_is_not_resized_again(height, width, short_edge_size, max_size):
    frame = target_size(height, width, short_edge_size, max_size)
    if min(frame) == short_edge_size:
        assert target_size(frame[0], frame[1], short_edge_size, max_size) == frame


def test_the_usual_slot():
    assert frame_bytes(1080, 1920) == 1080 * 1920 * 3
    assert frame_bytes(1920, 1080) == 1080 * 1080 * 3


def test_the_scale_is_the_mean_of_both():
    assert frame_scale(480, 640, 1080, 1440) == 2.25
    assert frame_scale(427, 640, 800, 1199) == (800 / 427.0 + 1199 / 640.0) / 2


def test_geometry_imports_no_opencv():
    program = "import sys, divainfer.geometry; sys.exit('cv2' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.call([sys.executable, "-c", program]) == 0


@pytest.mark.parametrize("size", [(24, 40), (96, 160), (1, 80), (33, 57), (48, 80)])
def test_the_pixels_are_opencvs(size):
    image = zoo.picture(48, 80)
    truth = cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(resize(image, size[0], size[1]), truth)
    memory = np.full(size[0] * size[1] * 3 + 10, 7, np.uint8)
    out = memory[:-10].reshape(size + (3,))
    assert resize(image, size[0], size[1], out) is out
    assert np.array_equal(out, truth)
    assert (memory[-10:] == 7).all()


def test_nothing_is_done_when_the_size_is_right():
    image = zoo.picture(48, 80)
    assert resize(image, 48, 80) is image
    out = image.reshape(-1).reshape(48, 80, 3)
    assert resize(image, 48, 80, out) is out
    assert np.array_equal(out, zoo.picture(48, 80))


@pytest.mark.parametrize("size", [(24, 40), (60, 100), (47, 79)])
def test_an_image_in_the_frames_own_memory(size):
    memory = np.zeros(100 * 100 * 3, np.uint8)
    image = memory[: 48 * 80 * 3].reshape(48, 80, 3)
    image[:] = zoo.picture(48, 80)
    truth = cv2.resize(zoo.picture(48, 80), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    out = memory[: size[0] * size[1] * 3].reshape(size + (3,))
    assert np.array_equal(resize(image, size[0], size[1], out), truth)
    assert np.array_equal(out, truth)


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((24, 41, 3), np.uint8),
        np.zeros((24, 40, 3), np.float32),
        np.zeros((24, 80, 3), np.uint8)[:, ::2],
        np.broadcast_to(np.uint8(0), (24, 40, 3)),
    ],
    ids=["shape", "type", "gaps", "read-only"],
)
def test_memory_that_does_not_suit(out):
    with pytest.raises(ValueError):
        resize(zoo.picture(48, 80), 24, 40, out)
