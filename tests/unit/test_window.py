"""The steady state of a trial, from the reports of its workers."""

from __future__ import annotations

import pytest

from divainfer.messages import WorkerStats
from divainfer.tuning.window import Window, figures


def report(seconds, rate, batch=1, begin=0.0, **more):
    """What a worker says after so many seconds of a steady pace; images count when their batch is written."""
    batches = int(max(0.0, seconds - begin) * rate / batch)
    return WorkerStats(images=batches * batch, batches=batches, busy=seconds, **more)


def note_all(window, reports):
    for stats in reports:
        window.note(stats)
    return window


def test_the_pace_is_that_after_the_warm_up():
    slow_start = [report(seconds, 50, begin=1.5) for seconds in range(1, 10)]
    window = note_all(Window(2.0, 5.0), slow_start)
    assert window.complete
    found = figures([window])
    assert found.frames_per_second == pytest.approx(50)
    assert found.seconds == 7.0 and found.frames == 350


def test_it_is_complete_only_when_it_is_long_enough():
    window = note_all(Window(1.0, 5.0), [report(seconds, 50) for seconds in range(1, 6)])
    assert not window.complete
    window.note(report(6, 50))
    assert window.complete


def test_large_batches_are_looked_at_for_longer():
    window = note_all(Window(1.0, 2.0), [report(seconds, 64, batch=16) for seconds in range(1, 7)])
    assert not window.complete
    window.note(report(7, 64, batch=16))
    assert window.complete


def test_slow_batches_are_counted_from_one_to_the_other():
    """A batch of 8 takes 5 s; a report comes each second."""
    window = Window(2.0, 5.0)
    reports = [report(seconds, 1.6, batch=8) for seconds in range(1, 40)]
    for stats in reports:
        if not window.complete:
            window.note(stats)
    found = figures([window])
    assert found.frames_per_second == pytest.approx(1.6)
    assert found.batch == 8


def test_workers_add_up_and_shares_are_means():
    first = note_all(
        Window(0.0, 2.0), [WorkerStats(images=10 * n, batches=10 * n, busy=n, cpu=0.1 * n) for n in range(9)]
    )
    second = note_all(
        Window(0.0, 2.0),
        [
            WorkerStats(
                images=20 * n, batches=5 * n, busy=0.5 * n, starved=0.4 * n, blocked=0.1 * n, decoding_cpu=0.5 * n
            )
            for n in range(9)
        ],
    )
    found = figures([first, second])
    assert found.frames_per_second == pytest.approx(30)
    assert (found.busy, found.starved, found.blocked) == pytest.approx((0.75, 0.2, 0.05))
    assert found.cpu_ms == pytest.approx(1e3 * 0.6 / 30)
    assert found.batch == pytest.approx(2)


def test_idle_time_is_not_the_setting_s_fault():
    window = note_all(
        Window(0.0, 2.0), [WorkerStats(images=10 * n, batches=10 * n, busy=n, idle=3.0 * n) for n in range(9)]
    )
    assert figures([window]).frames_per_second == pytest.approx(10)


def test_a_list_that_was_too_short_is_counted_from_the_first_batch():
    window = note_all(Window(2.0, 5.0), [WorkerStats(images=30, batches=30, busy=1.5)])
    assert not window.complete
    assert figures([window]).frames_per_second == pytest.approx(20)


def test_without_any_frame_there_are_no_figures():
    assert figures([note_all(Window(2.0, 5.0), [WorkerStats(starved=3.0)])]) is None
    busy = note_all(Window(0.0, 1.0), [report(seconds, 10) for seconds in range(5)])
    assert figures([Window(0.0, 1.0), busy]).frames_per_second == pytest.approx(10)
