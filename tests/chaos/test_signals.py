"""Kill or stop a process of a run at some moment: the run, or the run after a resume, gives what an undisturbed one gives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from running import divainfer, draw_images, result_files, summary, wait_for_results
from serial_2019 import serial_result

from divainfer.worker.engines.emulated import emulated_detections

COUNT = 60
SIZES = ["--short-edge-size", "64", "--max-size", "96"]
OPTIONS = SIZES + ["--gpus", "cpu:2", "--loaders", "2", "--hang-timeout", "2"]


def infer(image):
    found = emulated_detections(image)
    return found.boxes, found.labels, found.scores


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("images") / "in")
    paths = draw_images(folder, COUNT)
    expected = {
        os.fsencode(os.path.splitext(os.path.relpath(path, folder))[0] + ".json"): serial_result(
            path, infer, 64, 96, []
        )
        for path in paths
    }
    return folder, expected


def processes(dispatcher, role):
    if role == "dispatcher":
        return [psutil.Process(dispatcher.pid)]
    children = psutil.Process(dispatcher.pid).children()
    return [child for child in children if "divainfer." + role in child.cmdline()]


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


#: When to strike, by the number of results there are.
MOMENTS = {"boot": 0, "first": 1, "steady": 20, "last block": COUNT - 6}


#: A stopped dispatcher is Ctrl-Z; `test_a_stopped_and_continued_dispatcher_goes_on` tries it.
VICTIMS = [
    (role, deed)
    for role in ("worker", "loader", "dispatcher")
    for deed in (signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV)
    if (role, deed) != ("dispatcher", signal.SIGSTOP)
]


@pytest.mark.parametrize("moment", list(MOMENTS))
@pytest.mark.parametrize("role,deed", VICTIMS, ids=lambda value: getattr(value, "name", value))
def test_a_signal_at_some_moment(tmp_path, undisturbed, role, deed, moment):
    folder, expected = undisturbed
    out = str(tmp_path / "out")
    command = ["run", "--engine", "emulated:busy_ms=40", "--images", folder, "--out", out] + OPTIONS
    process = subprocess.Popen(
        [sys.executable, "-m", "divainfer.cli"] + command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    if moment == "boot":
        wait_for(lambda: len(processes(process, "loader")) == 4)
    else:
        wait_for_results(out, MOMENTS[moment])
    children = psutil.Process(process.pid).children()
    victim = processes(process, role)[0]
    os.kill(victim.pid, deed)
    _, errors = process.communicate(timeout=120)

    if role == "dispatcher":
        assert process.returncode == -deed
        assert psutil.wait_procs(children, timeout=10)[1] == []
    elif moment == "boot" and role == "worker" and process.returncode != 0:
        # It never came up, so it is not tried again; the other one does the work, or the run says that none came up.
        assert process.returncode in (1, 4), errors
    else:
        assert process.returncode == 0, errors.decode()
        # A process that is stopped early or near the end may not be missed before the others have done the work.
        if deed != signal.SIGSTOP and moment in ("first", "steady"):
            assert role in errors.decode(), "the operator is told"
    if process.returncode != 0:
        outcome = divainfer(*command)
        assert outcome.code == 0, outcome.err
    assert result_files(out) == expected
    assert summary(out)["results"] == COUNT


def test_a_stopped_and_continued_dispatcher_goes_on(tmp_path, undisturbed):
    folder, expected = undisturbed
    out = str(tmp_path / "out")
    command = ["run", "--engine", "emulated:busy_ms=40", "--images", folder, "--out", out] + OPTIONS
    process = subprocess.Popen(
        [sys.executable, "-m", "divainfer.cli"] + command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    wait_for_results(out, 10)
    process.send_signal(signal.SIGSTOP)
    time.sleep(4)  # longer than --hang-timeout: nobody was silent but the dispatcher itself
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()
    assert result_files(out) == expected


def test_a_worker_that_does_not_come_up_in_time(tmp_path, undisturbed):
    folder, _ = undisturbed
    command = [
        "run",
        "--engine",
        "emulated:boot_ms=60000",
        "--images",
        folder,
        "--out",
        str(tmp_path / "out"),
        *OPTIONS,
    ]
    outcome = divainfer(*command, "--boot-timeout", "2")
    assert outcome.code == 4, outcome.err
    assert "did not come up within 2 s (--boot-timeout)" in outcome.err


def test_two_interrupts_stop_at_once(tmp_path, undisturbed):
    folder, _ = undisturbed
    out = str(tmp_path / "out")
    command = ["run", "--engine", "emulated:busy_ms=20000", "--images", folder, "--out", out, *OPTIONS]
    process = subprocess.Popen(
        [sys.executable, "-m", "divainfer.cli"] + command + ["--hang-timeout", "60"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: len(processes(process, "loader")) == 4)
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - started < 15, "a batch takes 20 s"


def test_a_loader_that_never_comes_up_is_replaced(tmp_path, undisturbed):
    folder, expected = undisturbed
    out = str(tmp_path / "out")
    command = ["run", "--engine", "emulated:busy_ms=5", "--images", folder, "--out", out, "--boot-timeout", "3"]
    process = subprocess.Popen(
        [sys.executable, "-m", "divainfer.cli", *command, *SIZES, "--gpus", "cpu", "--loaders", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: processes(process, "loader"))
    processes(process, "loader")[0].suspend()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()
    assert "it did not come up within 3 s (--boot-timeout)" in errors.decode()
    assert result_files(out) == expected
