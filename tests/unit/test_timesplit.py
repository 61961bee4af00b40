"""Where an engine's time went."""

from __future__ import annotations

from divainfer.worker.timesplit import TimeSplit


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_each_second_has_one_name():
    clock = Clock()
    split = TimeSplit(clock)
    split.set_work(fed=True, writing=False)
    clock.now += 1  # warm-up
    split.begin_computing()
    clock.now += 2
    split.begin_computing()  # a second stream
    clock.now += 4
    split.end_computing()
    split.end_computing()
    clock.now += 8  # starved
    split.begin_waiting()
    clock.now += 16
    split.begin_computing()
    clock.now += 32
    split.end_computing()
    split.end_waiting()
    split.set_work(fed=True, writing=True)
    clock.now += 64  # starved
    split.set_work(fed=False, writing=True)
    clock.now += 128  # all that is left is to write
    split.set_work(fed=False, writing=False)
    clock.now += 256  # idle
    assert split.seconds() == {"warm_up": 1, "busy": 38, "starved": 72, "blocked": 144, "idle": 256}


def test_restart_forgets():
    clock = Clock()
    split = TimeSplit(clock)
    clock.now += 5
    split.restart()
    clock.now += 1
    assert split.seconds()["warm_up"] == 1


def test_notes_that_come_out_of_order_lose_no_time():
    clock = Clock()
    split = TimeSplit(clock)
    split.set_work(fed=True, writing=False)
    split.begin_computing()
    clock.now += 2
    assert split.seconds()["busy"] == 2
    # A thread was held up between looking at the clock and noting.
    clock.now -= 1
    split.end_computing()
    clock.now += 4
    seconds = split.seconds()
    assert seconds == {"warm_up": 0, "busy": 2, "starved": 3, "blocked": 0, "idle": 0}
