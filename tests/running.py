"""Runs the real program, as an operator does, and looks at what it left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Dict, List, NamedTuple, Optional

import cv2
import numpy as np


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def divainfer(
    *arguments: str, timeout: float = 240, env: Optional[Dict[str, str]] = None, stdin: bytes = b""
) -> Outcome:
    """`divainfer ARGUMENTS`, in a process of its own."""
    program = [sys.executable, "-m", "divainfer.cli", *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DIVAINFER_")}
    done = subprocess.run(
        program,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=timeout,
        env=dict(clean, **(env or {})),
    )
    return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def start(*arguments: str, env: Optional[Dict[str, str]] = None) -> "subprocess.Popen[bytes]":
    """`divainfer ARGUMENTS` in the background."""
    program = [sys.executable, "-m", "divainfer.cli", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(program, stdout=pipe, stderr=pipe, env=dict(os.environ, **(env or {})))


def result_files(out: str) -> Dict[bytes, bytes]:
    """Every result file below an output folder: relative path to content."""
    found = {}
    top = os.fsencode(out)
    for folder, folders, files in os.walk(top):
        folders[:] = [name for name in folders if name != b".divainfer"]
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, top)] = file.read()
    return found


def wait_for_results(out: str, count: int, seconds: float = 60) -> None:
    """Waits until a run that is at work has written that many results."""
    deadline = time.monotonic() + seconds
    while not os.path.isdir(out) or len(result_files(out)) < count:
        assert time.monotonic() < deadline, "{} results did not come".format(count)
        time.sleep(0.02)


def failures(out: str) -> List[dict]:
    """The failure records of a run."""
    with open(os.path.join(out, ".divainfer", "failures.jsonl"), encoding="ascii") as file:
        return [json.loads(line) for line in file]


def summary(out: str) -> dict:
    """The summary of a run's last start."""
    with open(os.path.join(out, ".divainfer", "summary.json"), encoding="ascii") as file:
        return json.load(file)


def draw_images(
    folder: str, count: int, sizes=((96, 128), (128, 96), (100, 100), (60, 160)), suffix=".jpg"
) -> List[str]:
    """Small images, each one different, some in sub folders; returns their paths."""
    paths = []
    numbers = np.random.RandomState(count)
    for index in range(count):
        height, width = sizes[index % len(sizes)]
        coarse = numbers.randint(0, 256, (6, 8, 3)).astype(np.uint8)
        image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        sub = os.path.join(folder, "cam{}".format(index % 3)) if index % 2 else folder
        os.makedirs(sub, exist_ok=True)
        path = os.path.join(sub, "f{:04d}{}".format(index, suffix))
        with open(path, "wb") as file:
            file.write(cv2.imencode(suffix, image)[1].tobytes())
        paths.append(path)
    return paths
