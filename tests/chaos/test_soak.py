"""Random histories: some disturbed starts of one run, then one that nothing disturbs; its output must be an undisturbed run's.

Any result format; starts that are disturbed while they replay the ledger and make it short are among them.

make soak SOAK_HISTORIES=200 SOAK_MINUTES=60
SOAK_SEED=123456 SOAK_HISTORIES=1 pytest -m soak tests/chaos/test_soak.py      one history again
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import tempfile
import time

import psutil
import pytest
from injection import DEEDS, injected
from running import Started, divainfer, draw_images, failures, result_files
from serial_2019 import serial_result
from small_disk import fill, may_mount, mounted

from divainfer import results
from divainfer.naming import FORMATS, JSON
from divainfer.worker.engines.emulated import emulated_detections

HISTORIES = int(os.environ.get("SOAK_HISTORIES", "200"))
MINUTES = float(os.environ.get("SOAK_MINUTES", "60"))
OPTIONS = ["--engine", "emulated:busy_ms=60", "--short-edge-size", "64", "--max-size", "96", "--gpus", "cpu:2"]
OPTIONS += ["--loaders", "2", "--hang-timeout", "2", "--boot-timeout", "20"]
#: 0 to 5 are documented; below 0 is the signal that ended the dispatcher.
CODES = {0, 1, 2, 3, 4, 130}

#: Calls of the dispatcher, and how many of them there are in such a run, roughly.
POINTS = {"open": 30, "replace": 12, "unlink": 8, "fsync": 8, "fdatasync": 5, "syncfs": 4}
ACTIONS = ("kill-before", "kill-after", "ENOSPC", "EDQUOT", "EROFS", "EIO")
BAD = {"empty": b"", "not-an-image": b"no image", "truncated": None, "missing": None}


def infer(image):
    found = emulated_detections(image)
    return found.boxes, found.labels, found.scores


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Images and their results, for all histories."""
    paths = draw_images(str(tmp_path_factory.mktemp("images") / "in"), 60)
    return {path: serial_result(path, infer, 64, 96, []) for path in paths}


class History:
    """What one seed stands for: a list of images, some bad, and what happens to each start."""

    def __init__(self, seed, good, folder, disk):
        numbers = random.Random(seed)
        self.folder = folder
        self.numbers = numbers
        self.format = numbers.choice(FORMATS)
        self.bad = self._make_bad(good)
        self.good = {path: good[path] for path in numbers.sample(sorted(good), numbers.randint(40, 55))}
        listed = sorted(self.good) + sorted(self.bad)
        numbers.shuffle(listed)
        self.images = os.path.join(folder, "images.lst")
        with open(self.images, "w") as file:
            file.write("".join(path + "\n" for path in listed))
        self.root = os.path.commonpath(listed)
        self.starts = [self._disturbance(disk) for _ in range(numbers.randint(1, 4))]

    def _make_bad(self, good):
        made = {}
        whole = sorted(good)[0]
        for kind, content in BAD.items():
            for number in range(self.numbers.randint(0, 2)):
                path = os.path.join(self.folder, "{}{}.jpg".format(kind, number))
                made[path] = kind
                if kind == "truncated":
                    with open(whole, "rb") as file:
                        content = file.read()[:-300]
                if kind != "missing":
                    with open(path, "wb") as file:
                        file.write(content)
        return made

    def _disturbance(self, disk):
        numbers = self.numbers
        what = numbers.choice(["signal", "signal", "strike", "strike", "interrupt"] + ["full"] * disk)
        seconds = round(numbers.uniform(0, 2.5), 2)
        if what == "signal":
            role = numbers.choice(("dispatcher", "worker", "loader"))
            return what, numbers.choice(list(DEEDS)), role, numbers.randrange(4), seconds
        if what == "strike":
            point = numbers.choice(list(POINTS))
            return what, "dispatcher {} {} {}".format(point, numbers.randint(1, POINTS[point]), numbers.choice(ACTIONS))
        if what == "interrupt":
            return what, numbers.choice(("SIGINT", "SIGTERM")), numbers.randint(1, 2), seconds
        return what, seconds

    def expected(self):
        return {
            os.fsencode(os.path.splitext(os.path.relpath(path, self.root))[0] + ".json"): content
            for path, content in self.good.items()
        }


def disturb(run, out, what, *details):
    """Does to a run what its history says. Returns what is to be mended when it has ended."""
    if what == "strike":
        return None  # It does that itself.
    time.sleep(details[-1])
    if what == "full":
        return fill(os.path.dirname(out))
    if what == "interrupt":
        for _ in range(details[1]):
            run.signal(getattr(signal, details[0]))
            time.sleep(0.3)
        return None
    deed, role, index, _ = details
    if role != "dispatcher":
        victims = run.processes(role)
        with contextlib.suppress(psutil.NoSuchProcess):
            if victims:
                victims[index % len(victims)].send_signal(DEEDS[deed])
        return None
    run.signal(DEEDS[deed])
    if deed in ("SIGSTOP", "hang in Python", "hang in C"):
        time.sleep(0.5 + index)
        run.signal(signal.SIGCONT if deed == "SIGSTOP" else signal.SIGKILL)
    return None


def live_through(history, out):
    command = ["run", "--images", history.images, "--out", out, "--format", history.format] + OPTIONS
    for start in history.starts:
        strike = start[1] if start[0] == "strike" else ""
        with Started(*command, env=injected(strike)) as run:
            filler = disturb(run, out, *start)
            children = run.processes()
            outcome = run.wait(90)
            assert psutil.wait_procs(children, timeout=10)[1] == [], "it leaves processes behind"
        if filler is not None:
            os.unlink(filler)
        assert outcome.code in CODES or outcome.code < 0, (start, outcome)
        # An interrupt that comes before the program has begun is Python's own affair.
        assert "Traceback" not in outcome.err or start[0] == "interrupt", (start, outcome.err)
    outcome = divainfer(*command)
    assert outcome.code == (3 if history.bad else 0), outcome
    check_results(history, out)
    verified = divainfer("verify", out)
    assert verified.code == 0, verified
    found = failures(out)
    assert {record["image"]: record["kind"] for record in found} == history.bad
    assert len(found) == len(history.bad), "a failure is recorded once"


def check_results(history, out):
    if history.format == JSON:
        assert result_files(out) == history.expected()
        return
    found = {result.image: result.detections for result in results(out) if result.detections is not None}
    assert found == {path: json.loads(content.decode()) for path, content in history.good.items()}
    assert all(path.endswith(history.format.encode()) for path in result_files(out)), "shards and nothing else"


@pytest.mark.soak
@pytest.mark.timeout(MINUTES * 60 + 600)
def test_random_histories(good, capsys):
    first = int(os.environ.get("SOAK_SEED", random.SystemRandom().randrange(10**6)))
    disk = may_mount()
    give_up = time.monotonic() + MINUTES * 60
    with capsys.disabled():
        print("\nSOAK_SEED={} SOAK_HISTORIES={}; full disks: {}".format(first, HISTORIES, "yes" if disk else "no"))
        for seed in range(first, first + HISTORIES):
            if time.monotonic() > give_up:
                print("{} minutes are over".format(MINUTES))
                break
            begun = time.monotonic()
            with contextlib.ExitStack() as stack:
                top = stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-"))
                history = History(seed, good, top, disk)
                where = os.path.join(top, "disk")
                if disk:
                    stack.enter_context(mounted(where, "size=8m"))
                try:
                    live_through(history, os.path.join(where, "out"))
                except BaseException:
                    print("FAILED: SOAK_SEED={} SOAK_HISTORIES=1: {} {}".format(seed, history.format, history.starts))
                    raise
            took = time.monotonic() - begun
            print("{}: {:.1f} s {} {}".format(seed, took, history.format, history.starts), flush=True)
