"""Runs the real program, as an operator does, and looks at what it left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import BinaryIO, Callable, Dict, List, NamedTuple, Optional

import cv2
import numpy as np
import psutil


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def divainfer(
    *arguments: str, timeout: float = 240, env: Optional[Dict[str, str]] = None, stdin: bytes = b""
) -> Outcome:
    """`divainfer ARGUMENTS`, in a process of its own."""
    done = subprocess.run(
        _program(*arguments),
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=timeout,
        env=_environment(env),
    )
    return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


class Started:
    """`divainfer ARGUMENTS` at work in the background; killed at the end of the `with` block if it still runs."""

    def __init__(self, *arguments: str, env: Optional[Dict[str, str]] = None) -> None:
        # Files, not pipes: they can be read while it runs, and are never full.
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            _program(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            env=_environment(env),
        )

    def __enter__(self) -> "Started":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._out.close()
        self._err.close()

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    @property
    def errors(self) -> str:
        """What it has said on stderr so far."""
        return _content(self._err)

    def signal(self, number: int) -> None:
        """Sends the dispatcher a signal."""
        self.process.send_signal(number)

    def processes(self, role: str = "") -> List[psutil.Process]:
        """Its children: those of a role ("worker", "loader"), or all."""
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [child for child in children if not role or "divainfer." + role in _command(child)]

    def wait(self, seconds: float = 120) -> Outcome:
        """Waits for its end."""
        code = self.process.wait(seconds)
        return Outcome(code, _content(self._out), _content(self._err))


def _program(*arguments: str) -> List[str]:
    return [sys.executable, "-m", "divainfer.cli", *arguments]


def _environment(env: Optional[Dict[str, str]]) -> Dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DIVAINFER_")}
    # A report takes some seconds, and these tests may take longer than the runs that need none.
    return dict(clean, **dict({"DIVAINFER_REPORT": "0"}, **(env or {})))


def _command(process: psutil.Process) -> List[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def _content(file: BinaryIO) -> str:
    # Not `read`: the program writes where this descriptor stands.
    return os.pread(file.fileno(), 1 << 24, 0).decode("utf-8", "replace")


def wait_for(condition: Callable[[], object], what: str = "it", seconds: float = 60) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "{} did not come".format(what)
        time.sleep(0.02)


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
    wait_for(lambda: len(result_files(out)) >= count, "{} results".format(count), seconds)


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
