"""Every kind of bad image through the whole pool: a result or a reason, and the others' results untouched."""

from __future__ import annotations

import os
import struct
import zlib

import cv2
import numpy as np
from image_zoo import make_zoo
from running import divainfer, draw_images, failures, result_files, summary
from serial_2019 import serial_result

from divainfer.worker.engines.emulated import emulated_detections

SMALL = ["--short-edge-size", "64", "--max-size", "96", "--gpus", "cpu:2", "--engine", "emulated"]


def test_a_zoo_of_images(tmp_path):
    (tmp_path / "zoo").mkdir()
    zoo = make_zoo(tmp_path / "zoo")
    good = draw_images(str(tmp_path / "good"), 20)
    listed = b"".join(animal.path + b"\0" for animal in zoo) + b"".join(os.fsencode(path) + b"\0" for path in good)
    (tmp_path / "images.lst").write_bytes(listed)
    out = str(tmp_path / "out")
    outcome = divainfer("run", "--images", str(tmp_path / "images.lst"), "--out", out, *SMALL)
    assert outcome.code == 3, outcome.err
    assert "Traceback" not in outcome.err

    failed = {os.fsencode(record["image"]): record for record in failures(out)}
    results = result_files(out)
    total = summary(out)
    assert total["images"] == total["results"] + total["failures"] == len(results) + len(failed)
    assert len(failures(out)) == len(failed), "a failure is recorded once"
    for animal in zoo:
        record = failed.get(animal.path)
        came_to = "result" if record is None else record["kind"]
        # A name of 255 bytes leaves no room for the result's ending.
        too_long = "result" in animal.expect and len(os.path.basename(animal.path)) > 250
        assert came_to in ({"write"} if too_long else animal.expect), (animal, record)
        if record is not None:
            assert record["reason"] and "\n" not in record["reason"] and len(record["reason"]) < 300, record

    def infer(image):
        found = emulated_detections(image)
        return found.boxes, found.labels, found.scores

    expected = {serial_result(path, infer, 64, 96, []) for path in good}
    assert expected <= set(results.values())


def test_a_name_too_long_for_its_result_is_a_failure_of_that_image_alone(tmp_path):
    (path,) = draw_images(str(tmp_path / "in"), 1)
    for length in (250, 251, 255):
        os.link(path, str(tmp_path / "in" / ("x" * (length - 4) + ".jpg")))
    out = str(tmp_path / "out")
    outcome = divainfer("run", "--images", str(tmp_path / "in"), "--out", out, *SMALL)
    assert outcome.code == 3, outcome.err
    assert [record["kind"] for record in failures(out)] == ["write"]
    assert len(result_files(out)) == 3


def test_a_bomb_is_refused_by_its_header(tmp_path):
    os.mkdir(str(tmp_path / "in"))
    flat = np.zeros((1, 1, 3), np.uint8)
    good = cv2.imencode(".png", flat)[1].tobytes()
    # The header alone is changed: 40,000 x 40,000.
    header = b"IHDR" + struct.pack(">II", 40000, 40000) + good[24:29]
    bomb = good[:12] + header + struct.pack(">I", zlib.crc32(header)) + good[33:]
    (tmp_path / "in" / "bomb.png").write_bytes(bomb)
    (tmp_path / "in" / "good.png").write_bytes(good)
    out = str(tmp_path / "out")
    outcome = divainfer("run", "--images", str(tmp_path / "in"), "--out", out, *SMALL)
    assert outcome.code == 3
    assert [record["kind"] for record in failures(out)] == ["too-large"]
    assert len(result_files(out)) == 1
