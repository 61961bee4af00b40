"""Ctrl-C, SIGTERM, and SIGHUP of a terminal that is gone: noted, not obeyed on the spot.

Once: finish what is computing and end. Again: stop at once, but record what was reported. A third time: end the process here
and now, whatever it waits for. Before there is anything to finish, each of them is an interrupt as Ctrl-C is. Under `nohup`,
which has SIGHUP ignored, it stays so.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import Any, Dict, Iterator, List, Optional

from ..errors import EXIT_INTERRUPTED

_SHOW_CURSOR = b"\x1b[?25h"
_STDERR = 2
_PATIENCE = 3


class Interrupts:
    """Counts the operator's wishes to stop while it is entered; puts the old handlers back afterwards.

    Attributes:
        since: when the first one came (`time.monotonic`, seconds); None before, and for an `end` that nobody wished.
    """

    def __init__(self) -> None:
        self._wishes = 0
        self._ended = False
        self.since: Optional[float] = None
        self._old: Dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        if _handles_signals():
            for number in (signal.SIGINT, *_others()):
                self._old[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def end(self) -> None:
        """Has the run stop as after an operator's wish, though there was none: it has run for long enough."""
        self._ended = True

    @property
    def count(self) -> int:
        """How many wishes there were; at least 1 after an `end`."""
        return max(self._wishes, int(self._ended))

    def _note(self, *_: Any) -> None:
        self._wishes += 1
        if self.since is None:
            self.since = time.monotonic()
        if self._wishes >= _PATIENCE:
            _end_now()


@contextlib.contextmanager
def signals_as_ctrl_c() -> Iterator[None]:
    """Makes the others raise KeyboardInterrupt meanwhile, where nothing is at work yet that `Interrupts` would let finish."""
    if not _handles_signals():
        yield
        return
    old = {number: signal.signal(number, signal.default_int_handler) for number in _others()}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def let_nothing_interrupt() -> None:
    """From now on none of them does anything: the program is about to end."""
    for number in (signal.SIGINT, *_others()):
        signal.signal(number, signal.SIG_IGN)


def _others() -> List[int]:
    """The signals that mean the same as Ctrl-C."""
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return [signal.SIGTERM] if ignored else [signal.SIGTERM, signal.SIGHUP]


def _handles_signals() -> bool:
    # Python lets only the main thread handle signals; a program that runs us elsewhere keeps its own handling.
    return threading.current_thread() is threading.main_thread()


def _end_now() -> None:
    """Ends the process from within a signal handler; the kernel ends its children."""
    with contextlib.suppress(OSError):
        if os.isatty(_STDERR):
            # The progress bar has hidden it.
            os.write(_STDERR, _SHOW_CURSOR)
    os._exit(EXIT_INTERRUPTED)
