"""`divainfer monitor`, and the view of `divainfer run`: real runs, seen in their own terminal, in another one, in a pipe."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import urllib.request

import pytest
from running import Started, draw_images, summary, wait_for, wait_for_results
from running import divainfer as program
from screen import Screen

import divainfer

SMALL = ["--short-edge-size", "64", "--max-size", "96", "--gpus", "cpu:2", "--loaders", "1"]


def arguments(folder, out, *more, engine="emulated"):
    return ["run", "--engine", engine, "--images", folder, "--out", out, *SMALL, *more]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("images") / "in")
    draw_images(folder, 30)
    with open(os.path.join(folder, "broken.jpg"), "wb") as file:
        file.write(b"no image")
    return folder


@pytest.fixture(scope="module")
def finished(images, tmp_path_factory):
    out = str(tmp_path_factory.mktemp("finished") / "out")
    assert program(*arguments(images, out, "--format", "jsonl")).code == 3
    return out


class InTerminal:
    """A program in a terminal of its own."""

    def __init__(self, *words, width=80, height=24):
        self._controller, terminal = pty.openpty()
        self.resize(width, height)
        self.screen = Screen(width, height)
        environment = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "divainfer.cli", *words],
            stdin=terminal, stdout=terminal, stderr=terminal, env=dict(environment, TERM="xterm-256color", LC_ALL="C.UTF-8"),
        )  # fmt: skip
        os.close(terminal)
        self._rest = b""

    def resize(self, width, height):
        fcntl.ioctl(self._controller, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def look(self):
        """What is to be seen now."""
        while select.select([self._controller], [], [], 0)[0]:
            try:
                data = os.read(self._controller, 1 << 16)
            except OSError:
                break
            # No character is torn, and no sequence.
            whole = re.match(rb"(?s)(.*[\n\rmKAhl])?", self._rest + data).end()
            self.screen.feed((self._rest + data)[:whole].decode("utf-8"))
            self._rest = (self._rest + data)[whole:]
        return self.screen.text

    def wait(self, seconds=120):
        wait_for(lambda: self.look() is not None and self.process.poll() is not None, "its end", seconds)
        text = self.look()
        if self._rest:
            self.screen.feed(self._rest.decode("utf-8"))
            text = self.screen.text
        return text

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._controller)


def test_a_finished_run_once_and_as_json(finished):
    outcome = program("monitor", finished, "--once")
    assert outcome.code == 0 and outcome.err == ""
    assert outcome.out.startswith("finished 100.0% ") and "31/31" in outcome.out and "1 failure" in outcome.out
    assert summary(finished)["verdict"]["sentence"][:40] in outcome.out and "\x1b" not in outcome.out
    found = json.loads(program("monitor", finished, "--json").out)
    assert (found["state"], found["done"], found["failures"], found["at_work"]) == ("finished", 31, 1, False)
    assert sum(worker["images"] for worker in found["workers"]) == 30
    for worker, told in zip(found["workers"], summary(finished)["workers"]):
        assert worker["shares"] == pytest.approx(told["shares"], abs=1e-4) and worker["device"] == "CPU"
    assert divainfer.view(finished).to_json() == found


def test_a_finished_run_in_a_pipe_and_in_a_terminal(finished):
    outcome = program("monitor", finished)
    assert outcome.code == 0 and len(outcome.out.splitlines()) == 1
    assert " finished: 31 of 31 images (100.0%)" in outcome.out
    with InTerminal("monitor", finished) as monitor:
        assert monitor.wait().startswith("finished 100.0%") and monitor.process.returncode == 0


def test_no_run(tmp_path):
    for more in ([], ["--once"], ["--json"], ["--serve"]):
        outcome = program("monitor", str(tmp_path), *more)
        assert outcome.code == 2 and outcome.out == ""
        assert outcome.err == "Error: {}: there is no run of divainfer in this folder.\n".format(tmp_path)


def test_a_run_at_work_in_a_pipe_until_its_end(tmp_path, images):
    out = str(tmp_path / "out")
    with Started(*arguments(images, out, engine="emulated:busy_ms=600")) as run:
        wait_for(lambda: os.path.exists(os.path.join(out, ".divainfer", "progress.json")))
        outcome = program("monitor", out)
        assert run.wait().code == 3
    first, *_, last = outcome.out.splitlines()
    assert outcome.code == 0 and outcome.err == ""
    assert re.match(r"\d\d:\d\d:\d\d (starting|running): \d+ of 31 images \(", first)
    assert " finished: 31 of 31 images (100.0%)" in last


def test_a_run_at_work_as_json_and_after_it_was_killed(tmp_path, images):
    out = str(tmp_path / "out")
    with Started(*arguments(images, out, engine="emulated:busy_ms=1500")) as run:
        wait_for_results(out, 6)

        def looked():
            return json.loads(program("monitor", out, "--json").out)

        wait_for(lambda: all(worker["shares"] for worker in looked()["workers"]))
        found = looked()
        assert found["state"] == "running" and found["workers_up"] == 2 and found["images_per_second"] > 0
        assert all(worker["slots"] > 0 and worker["shares"]["busy"] > 0.5 for worker in found["workers"])
        assert found["images"] == 31 and found["seconds_left"] > 0
        run.signal(signal.SIGKILL)
        run.wait()
        wait_for(lambda: not run.processes())
    outcome = program("monitor", out)
    assert outcome.code == 0 and " killed: " in outcome.out
    found = looked()
    results = [result for result in divainfer.results(out) if result.detections is not None]
    assert found["done"] - found["failures"] == len(results)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_has_seen_enough_ends_it_and_the_run_goes_on(tmp_path, images, number):
    out = str(tmp_path / "out")
    with Started(*arguments(images, out, engine="emulated:busy_ms=1000")) as run:
        wait_for_results(out, 1)
        with InTerminal("monitor", out) as monitor:
            wait_for(lambda: "2/2 workers up" in monitor.look())
            monitor.process.send_signal(number)
            text = monitor.wait()
            assert monitor.process.returncode == 0 and monitor.screen.cursor_shown
            assert text == "", "the view is gone, and nothing else was said"
        assert run.wait().code == 3


def test_the_view_of_a_run_in_its_own_terminal(tmp_path, images):
    out = str(tmp_path / "out")
    with InTerminal(*arguments(images, out, engine="emulated:busy_ms=200")) as run:
        wait_for(lambda: "2/2 workers up" in run.look() and "frames/s" in run.look())
        seen = run.look()
        assert seen.startswith("running ") and "/31, " in seen and not run.screen.cursor_shown
        # What a child says reaches the operator, whole.
        worker = next(child for child in Started.processes(run, "worker"))
        worker.kill()
        wait_for(lambda: "is lost: killed by" in run.look())
        text = run.wait()
    assert run.process.returncode == 3 and run.screen.cursor_shown
    # Long sentences are broken where the terminal ends.
    said = " ".join(text.split())
    assert (
        "is lost: killed by SIGKILL (out of memory?)" in said and "starts again in 1 s 31 images: 30 results" in said
    ), text
    assert "workers up" not in said, "the view is gone"


def test_the_view_follows_the_terminal_s_size(tmp_path, images):
    out = str(tmp_path / "out")
    command = arguments(images, out, engine="emulated:busy_ms=4000")
    command[command.index("cpu:2")] = "cpu:6"
    with InTerminal(*command, width=100, height=40) as run:
        wait_for(lambda: "6/6 workers up" in run.look() and "frames/s" in run.look())
        run.screen = Screen(
            46, 9
        )  # As if it had been cleared: what a terminal makes of its old lines is its own affair.
        run.resize(46, 9)
        wait_for(lambda: "6/6 workers up" in run.look())
        time.sleep(1.5)
        run.screen = Screen(46, 9)
        wait_for(lambda: "6/6 workers up" in run.look())
        assert len(run.look().splitlines()) < 9
        run.process.send_signal(signal.SIGINT)
        run.wait()


def test_the_page_is_served_until_ctrl_c(finished):
    with Started("monitor", finished, "--serve", "127.0.0.1:0") as monitor:
        wait_for(lambda: "until Ctrl-C" in monitor.errors)
        address = re.search(r"http://127\.0\.0\.1:\d+/", monitor.errors).group()
        with urllib.request.urlopen(address + "view.json", timeout=30) as answer:
            assert json.loads(answer.read())["done"] == 31
        with urllib.request.urlopen(address + "latest.json", timeout=30) as answer:
            latest = json.loads(answer.read())
        assert len(latest) == 12
        with urllib.request.urlopen(address + "picture/{}.jpg".format(latest[0]["index"]), timeout=30) as answer:
            assert answer.read().startswith(b"\xff\xd8")
        taken = address.rsplit(":", 1)[1].strip("/")
        outcome = program("monitor", finished, "--serve", "127.0.0.1:" + taken)
        assert outcome.code == 2 and "another program uses that port; give another one" in outcome.err
        monitor.signal(signal.SIGINT)
        assert monitor.wait(30).code == 0
    outcome = program("monitor", finished, "--serve", "out/")
    assert outcome.code == 2 and len(outcome.err.splitlines()) == 1 and "127.0.0.1:8000" in outcome.err
