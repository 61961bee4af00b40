"""The operator, or a machine that is taken back, wants the run to stop: at any moment, and as soon as was asked for."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

#: A main thread in a wait that does not end, as that for a dead disk.
STUCK = """
import threading
from divainfer.dispatcher.interrupts import Interrupts

with Interrupts():
    thread = threading.Thread(target=threading.Event().wait, daemon=True)
    thread.start()
    print("ready", flush=True)
    thread.join()
"""


@contextlib.contextmanager
def started(*arguments, stdin=subprocess.DEVNULL):
    process = subprocess.Popen(
        [sys.executable, "-m", "divainfer.cli", "run", *arguments],
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stderr):
            if pipe is not None:
                pipe.close()


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_list_is_read_ends_it_and_leaves_nothing(tmp_path, number):
    out = str(tmp_path / "out")
    command = ["--engine", "emulated", "--gpus", "cpu", "--images", "-", "--out", out]
    with started(*command, stdin=subprocess.PIPE) as process:
        process.stdin.write(b"/no/such/image.jpg\n" * 100000)
        process.stdin.flush()
        wait_for(lambda: os.path.exists(os.path.join(out, ".divainfer", "images.lst.new")))
        process.send_signal(number)
        # Its standard input stays open: it would wait for the rest of the list for ever.
        assert process.wait(30) == 130
        assert process.stderr.read() == b"Stopped before anything was computed.\n"
    assert not os.path.exists(out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_third_signal_ends_a_process_that_is_stuck_and_shows_the_cursor_again(number):
    controller, terminal = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    try:
        assert process.stdout.readline() == b"ready\n"
        for _ in range(2):
            process.send_signal(number)
            time.sleep(0.3)
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait(10) == 130
        assert os.read(controller, 1000) == b"\x1b[?25h"
    finally:
        os.close(controller)
        process.stdout.close()
