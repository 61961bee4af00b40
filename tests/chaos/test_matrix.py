"""Each way to fail x each kind of process x each moment of a run: it ends as documented, and the same command completes it.

A cross-section of the 90 cells belongs to the normal tests, `make chaos` runs them all.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

import psutil
import pytest
from injection import DEEDS, injected, wait_until_armed
from running import Started, divainfer, draw_images, failures, result_files, summary, wait_for, wait_for_results
from serial_2019 import serial_result

from divainfer.worker.engines.emulated import emulated_detections

HANG_SECONDS = 2
OPTIONS = ["--short-edge-size", "64", "--max-size", "96", "--gpus", "cpu:2", "--loaders", "2"]
OPTIONS += ["--hang-timeout", str(HANG_SECONDS)]
#: Longer than anybody's patience.
OVERDUE = HANG_SECONDS + 1.0

HANGS = ("SIGSTOP", "hang in Python", "hang in C")
ROLES = ("dispatcher", "worker", "loader")
MOMENTS = ("boot", "first batch", "steady", "last block", "shutting down")

QUICK, QUICK_ENGINE = 30, "emulated:boot_ms=300,busy_ms=100"
#: Draining takes as long as a batch, which must be long enough to be hit.
SLOW, SLOW_ENGINE = 6, "emulated:busy_ms=700"


def infer(image):
    found = emulated_detections(image)
    return found.boxes, found.labels, found.scores


def undisturbed(folder, count):
    """A folder with images, and the results of a run over them that nothing disturbs."""
    paths = draw_images(folder, count)
    return folder, {
        os.fsencode(os.path.splitext(os.path.relpath(path, folder))[0] + ".json"): serial_result(
            path, infer, 64, 96, []
        )
        for path in paths
    }


@pytest.fixture(scope="module")
def many_images(tmp_path_factory):
    return undisturbed(str(tmp_path_factory.mktemp("many") / "in"), QUICK)


@pytest.fixture(scope="module")
def few_images(tmp_path_factory):
    return undisturbed(str(tmp_path_factory.mktemp("few") / "in"), SLOW)


def cells():
    for column, role in enumerate(ROLES):
        for row, deed in enumerate(DEEDS):
            for place, moment in enumerate(MOMENTS):
                # One moment for each pair of deed and role, so that each moment meets each role.
                marks = () if place == (row + 2 * column) % len(MOMENTS) else pytest.mark.chaos_full
                yield pytest.param(deed, role, moment, marks=marks)


def everything_is_started(run):
    return len(run.processes("worker")) == 2 and len(run.processes("loader")) == 4


def engine_is_up(out):
    log = os.path.join(out, ".divainfer", "logs", "worker-0.log")
    with open(log, encoding="utf-8") as file:
        return "engine up" in file.read()


def wait_for_moment(run, out, moment):
    wait_for(lambda: everything_is_started(run), "the processes")
    for process in [run.process] + run.processes():
        wait_until_armed(process.pid)
    if moment == "first batch":
        wait_for(lambda: engine_is_up(out), "the engine")
    elif moment == "steady":
        wait_for_results(out, 10)
    elif moment == "last block":
        wait_for_results(out, QUICK - 8)
    elif moment == "shutting down":
        wait_for_results(out, 2)
        run.signal(signal.SIGINT)
        wait_for(lambda: "Stopping" in run.errors, "the word of it")


def strike_dispatcher(run, deed):
    """Returns the status with which it must end; None when it goes on and ends as if nothing had been."""
    if run.ended:
        return None  # This test was too slow to disturb it.
    run.signal(DEEDS[deed])
    if deed in HANGS:
        time.sleep(OVERDUE)
        assert not run.ended, "it was to stand still"
        # Nobody watches the dispatcher. A stopped one can be woken; one that hangs stands still until it is killed.
        run.signal(signal.SIGCONT if deed == "SIGSTOP" else signal.SIGKILL)
    return {"SIGSTOP": None, "exit(1)": 1, "SIGSEGV": -signal.SIGSEGV}.get(deed, -signal.SIGKILL)


def strike_child(run, deed, role, moment):
    victims = run.processes(role)
    assert victims or moment in ("last block", "shutting down"), "it has ended before its time"
    with contextlib.suppress(psutil.NoSuchProcess):
        if victims:
            victims[0].send_signal(DEEDS[deed])
    if (role, moment) == ("worker", "shutting down") and deed in HANGS:
        # A worker has a minute for its last batch, unless the operator is tired of waiting.
        time.sleep(OVERDUE)
        run.signal(signal.SIGINT)


@pytest.mark.parametrize("deed,role,moment", cells())
def test_a_cell_of_the_matrix(tmp_path, many_images, few_images, deed, role, moment):
    out = str(tmp_path / "out")
    slow = moment == "shutting down"
    folder, expected = few_images if slow else many_images
    command = ["run", "--engine", SLOW_ENGINE if slow else QUICK_ENGINE, "--images", folder, "--out", out] + OPTIONS
    code = None
    with Started(*command, env=injected()) as run:
        wait_for_moment(run, out, moment)
        children = run.processes()
        if role == "dispatcher":
            code = strike_dispatcher(run, deed)
        else:
            strike_child(run, deed, role, moment)
        outcome = run.wait(60)
        assert psutil.wait_procs(children, timeout=10)[1] == [], "it leaves processes behind"

    assert outcome.code == (code if code is not None else 130 if slow else 0), outcome.err
    assert "Traceback" not in outcome.err
    if role != "dispatcher" and deed not in HANGS and moment in ("first batch", "steady"):
        # One that hangs is not missed when it has nothing to do, nor is one near the end.
        assert role in outcome.err, "the operator is told"
    if outcome.code != 0:
        outcome = divainfer(*command)
        assert outcome.code == 0, outcome.err
    assert result_files(out) == expected
    assert failures(out) == []
    assert summary(out)["results"] == len(expected)


def test_a_worker_that_hangs_over_its_last_batch_is_killed_within_the_grace(tmp_path, few_images):
    folder, expected = few_images
    out = str(tmp_path / "out")
    command = ["run", "--engine", SLOW_ENGINE, "--images", folder, "--out", out] + OPTIONS
    with Started(*command, "--grace", "3", env=injected()) as run:
        wait_for_moment(run, out, "shutting down")
        run.processes("worker")[0].send_signal(signal.SIGSTOP)
        outcome = run.wait(90)
    assert outcome.code == 130, outcome.err
    assert divainfer(*command).code == 0
    assert result_files(out) == expected


def test_a_workers_only_loader_that_hangs_before_it_comes_up_is_replaced(tmp_path, many_images):
    folder, expected = many_images
    out = str(tmp_path / "out")
    command = ["run", "--engine", QUICK_ENGINE, "--images", folder, "--out", out] + OPTIONS
    with Started(*command, "--loaders", "1", "--gpus", "cpu", "--boot-timeout", "3", env=injected()) as run:
        wait_for(lambda: run.processes("loader"), "the loader")
        run.processes("loader")[0].send_signal(signal.SIGSTOP)
        outcome = run.wait()
    assert outcome.code == 0, outcome.err
    assert "it did not come up within 3 s (--boot-timeout)" in outcome.err
    assert result_files(out) == expected


def test_a_worker_that_does_not_come_up_in_time(tmp_path, many_images):
    folder, _ = many_images
    out = str(tmp_path / "out")
    command = ["run", "--engine", "emulated:boot_ms=60000", "--images", folder, "--out", out] + OPTIONS
    outcome = divainfer(*command, "--boot-timeout", "2")
    assert outcome.code == 4, outcome.err
    assert "did not come up within 2 s (--boot-timeout)" in outcome.err


def test_two_interrupts_stop_at_once(tmp_path, few_images):
    folder, _ = few_images
    out = str(tmp_path / "out")
    command = ["run", "--engine", "emulated:busy_ms=20000", "--images", folder, "--out", out] + OPTIONS
    with Started(*command, "--hang-timeout", "60") as run:
        wait_for(lambda: everything_is_started(run), "the processes")
        wait_for(lambda: engine_is_up(out), "the engine")
        run.signal(signal.SIGINT)
        wait_for(lambda: "Stopping" in run.errors, "the word of it")
        run.signal(signal.SIGINT)
        started = time.monotonic()
        assert run.wait().code == 130
    assert time.monotonic() - started < 15, "a batch takes 20 s"
