"""Which images a report shows."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest
from videos import write_video

from divainfer.messages import Failure
from divainfer.reporting.failures import Example, FailureFigures, Kind
from divainfer.reporting.pictures import Album
from divainfer.reporting.survey import Found


@pytest.fixture
def image(tmp_path):
    path = str(tmp_path / "image.png")
    cv2.imwrite(path, np.full((900, 1600, 3), 200, np.uint8))
    return os.fsencode(path)


def failed(kind, *images):
    examples = [Example(image, Failure(0, kind, "why")) for image in images]
    return Kind(kind, len(images), [("why", len(images))], examples)


def of(*kinds):
    return FailureFigures(list(kinds), 1, 1)


def decoded(picture):
    return cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_COLOR)


def box(score):
    return {
        "category_id": 1,
        "cat_name": "Vehicle",
        "score": score,
        "bbox": [400.0, 200.0, 800.0, 500.0],
        "segmentation": None,
    }


def test_failures_of_each_kind_come_first_and_what_took_a_process_down_is_not_opened(image, tmp_path):
    gone = os.fsencode(str(tmp_path / "gone.jpg"))
    album = Album(of(failed("engine", *[image] * 12), failed("crash", image), failed("size", gone, image)), [])
    assert [picture.text for picture in album.failed] == ["engine", "engine", "size"] + ["engine"] * 5
    assert not album.late and not album.found
    assert max(decoded(album.failed[0]).shape[:2]) == album.failed[0].width <= 180


def test_of_a_damaged_image_the_sound_part_is_shown(image, tmp_path):
    with open(str(tmp_path / "cut.jpg"), "wb") as file:
        whole = cv2.imencode(".jpg", np.full((90, 160, 3), 200, np.uint8))[1].tobytes()
        file.write(whole[: -len(whole) // 4])
    album = Album(of(failed("truncated", os.fsencode(file.name)), failed("corrupt", image[:-4] + b".none")), [])
    assert len(album.failed) == 1 and abs(int(decoded(album.failed[0])[2, 2, 0]) - 200) < 10


def test_frames_of_videos_and_an_image_that_is_named_like_one(tmp_path):
    """Of a damaged video there is no part to show."""
    write_video(str(tmp_path / "cam.avi"), 4)
    (tmp_path / "cam.mp4").mkdir()
    cv2.imwrite(str(tmp_path / "a.png"), np.full((90, 160, 3), 200, np.uint8))
    os.rename(str(tmp_path / "a.png"), str(tmp_path / "cam.mp4" / "00000012"))
    frame, image, behind = (
        os.fsencode(str(tmp_path / name)) for name in ("cam.avi/00000003", "cam.mp4/00000012", "cam.avi/00000004")
    )
    album = Album(of(failed("truncated", behind, image), failed("engine", frame)), [Found(frame, []), Found(image, [])])
    assert [picture.image for picture in album.found] == [frame, image]
    assert [picture.image for picture in album.failed] == [frame, image]


def test_detections_are_drawn_where_they_are(image):
    album = Album(of(), [Found(image, [box(0.9), box(0.1)])])
    picture = decoded(album.found[0])
    assert album.found[0].text == "1 of 2 detections" and picture.shape[1] <= 420
    scale = picture.shape[1] / 1600
    left, middle = int(400 * scale), picture.shape[0] // 2
    assert np.ptp(picture[middle, left - 3 : left + 4].astype(int)) > 60
    assert np.ptp(picture[middle, left + 20 : left + 60].astype(int)) < 10
    assert Album(of(), [Found(image, [box(0.1)] * 9)]).found[0].text == "3 of 9 detections"


def test_images_that_are_gone_make_room_for_others_and_time_is_bounded(image, tmp_path):
    gone = Found(os.fsencode(str(tmp_path / "gone.jpg")), [box(0.5)])
    there = Found(image, [box(0.5)])
    assert len(Album(of(), [gone, gone, gone, there] * 6).found) == 6
    assert len(Album(of(), [there] * 30).found) == 8
    album = Album(of(failed("size", image)), [there], seconds=0.0)
    assert album.late and not album.failed and not album.found
