"""The operator's wishes to stop."""

from __future__ import annotations

import os
import signal

from divainfer.dispatcher.interrupts import Interrupts


def test_the_end_of_a_measurement_is_no_wish():
    with Interrupts() as interrupts:
        interrupts.end()
        assert interrupts.count == 1 and interrupts.since is None
        for wishes in (1, 2):
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupts.count == wishes, "the third one would end this process"
        assert interrupts.since is not None


def test_a_terminal_that_is_gone_is_a_wish_unless_hangups_are_ignored():
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            assert interrupts.count == 0, "as under nohup"
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            assert interrupts.count == 1
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, old)
