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
