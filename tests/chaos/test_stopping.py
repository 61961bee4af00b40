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
from running import draw_images, result_files, summary, wait_for

from divainfer.computingfile import computing_at_death

SMALL = ["--short-edge-size", "64", "--max-size", "96"]

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
        # Where the tests themselves run in a shell's background, SIGINT is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
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


def test_a_batch_that_takes_longer_than_the_grace_is_given_up_and_computed_after_a_resume(tmp_path):
    draw_images(str(tmp_path / "in"), 1)
    out = str(tmp_path / "out")
    command = ["--engine", "emulated:busy_ms=5000", "--images", str(tmp_path / "in"), "--out", out, "--gpus", "cpu"]
    command += SMALL + ["--grace", "3"]
    with started(*command) as process:
        noted = os.path.join(out, ".divainfer", "parts", "worker-0.computing")
        wait_for(lambda: computing_at_death(noted, 1))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 130
        assert "what is being computed is finished, for 2.0 s at most (--grace 3" in process.stderr.read().decode()
    assert summary(out)["interrupted"] and not result_files(out)
    with started(*command) as process:
        assert process.wait(60) == 0
    assert len(result_files(out)) == 1


def test_what_is_computed_within_the_grace_is_recorded(tmp_path):
    draw_images(str(tmp_path / "in"), 40)
    out = str(tmp_path / "out")
    command = ["--engine", "emulated:busy_ms=500", "--images", str(tmp_path / "in"), "--out", out, "--gpus", "cpu:2"]
    with started(*command, *SMALL, "--grace", "40") as process:
        wait_for(lambda: os.path.isdir(out) and len(result_files(out)) >= 2)
        process.send_signal(signal.SIGTERM)
        signalled = time.monotonic()
        assert process.wait(30) == 130
        assert time.monotonic() - signalled < 20, "nobody waits for the rest of the grace"
    assert summary(out)["results"] == len(result_files(out)) >= 2
