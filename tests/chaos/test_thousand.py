"""A thousand images, fifty of them bad in ten ways: one command gives 950 results and 50 reasons."""

from __future__ import annotations

import collections
import os

import cv2
import numpy as np
from image_zoo import png_bomb
from injection import CRASH_MARKER, injected
from plugins import install
from running import divainfer, draw_images, failures, result_files, summary
from serial_2019 import serial_result

from divainfer.worker.engines.emulated import emulated_detections

COUNT, EACH = 1000, 5
PLAIN = np.random.RandomState(1).randint(0, 256, (48, 64, 3)).astype(np.uint8)


def jpeg():
    return cv2.imencode(".jpg", PLAIN)[1].tobytes()


def file_of(content):
    def make(path):
        with open(path, "wb") as file:
            file.write(content)

    return make


def engine_killer():
    """A frame over which the moody engine dies by SIGSEGV: it must reach it as it is, so it has the frames' size."""
    frame = PLAIN.copy()
    frame[0, 0] = (1, 13, 13)
    return cv2.imencode(".png", frame)[1].tobytes()


def damaged():
    """A PNG: it has checksums, while a JPEG of noise may be damaged so that libjpeg sees nothing."""
    content = bytearray(cv2.imencode(".png", PLAIN)[1].tobytes())
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


#: Way to be bad: how such an image is made, and the kind of its failure record.
POISON = {
    "missing": (lambda path: None, "missing"),
    "folder": (os.mkdir, "folder"),
    "empty": (file_of(b""), "empty"),
    "text": (file_of(b"no image, only some words\n" * 20), "not-an-image"),
    "half": (file_of(jpeg()[: len(jpeg()) // 2]), "truncated"),
    "damaged": (file_of(damaged()), "corrupt"),
    "bomb": (file_of(png_bomb(40000, 40000)), "too-large"),
    "pipe": (os.mkfifo, "special"),
    "kills the engine": (file_of(engine_killer()), "crash"),
    "kills the loader": (file_of(jpeg() + CRASH_MARKER), "crash"),
}


def infer(image):
    found = emulated_detections(image)
    return found.boxes, found.labels, found.scores


def make_list(folder):
    """Writes the images and their list; returns the list, the good ones' paths, and the bad ones' paths with their kinds."""
    good = draw_images(folder, COUNT - EACH * len(POISON), sizes=((48, 64), (64, 48), (50, 50)))
    bad = {}
    for way, (make, kind) in POISON.items():
        for number in range(EACH):
            path = os.path.join(folder, "{} {}.jpg".format(way, number))
            make(path)
            bad[path] = kind
    listed = good + sorted(bad)
    np.random.RandomState(2).shuffle(listed)
    images = os.path.join(folder, "images.lst")
    with open(images, "w") as file:
        file.write("\n".join(listed) + "\n")
    return images, good, bad


def test_fifty_bad_images_in_a_thousand(tmp_path):
    folder, out = str(tmp_path / "in"), str(tmp_path / "out")
    images, good, bad = make_list(folder)
    outcome = divainfer(
        *["run", "--engine", "moody", "--images", images, "--out", out, "--gpus", "cpu:2", "--loaders", "2"],
        *["--short-edge-size", "48", "--max-size", "64", "--batch-size", "4"],
        env=injected(env=install(tmp_path)),
    )
    assert outcome.code == 3, outcome.err
    assert "Traceback" not in outcome.err
    assert {record["image"]: record["kind"] for record in failures(out)} == bad
    assert len(failures(out)) == len(bad) == 50
    assert result_files(out) == {
        os.fsencode(os.path.splitext(os.path.relpath(path, folder))[0] + ".json"): serial_result(
            path, infer, 48, 64, []
        )
        for path in good
    }
    kinds = collections.Counter(bad.values())
    total = summary(out)
    assert (total["images"], total["results"], total["failures"]) == (1000, 950, 50)
    assert total["failure_kinds"] == dict(kinds)
