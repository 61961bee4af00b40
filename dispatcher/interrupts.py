"""Ctrl-C and SIGTERM: noted, not obeyed on the spot. Once: finish what is computing and end. Again: stop at once."""

from __future__ import annotations

import signal
import threading
from typing import Any, Dict


class Interrupts:
    """Counts the operator's wishes to stop while it is entered; puts the old handlers back afterwards."""

    def __init__(self) -> None:
        self.count = 0
        self._old: Dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        # Python lets only the main thread handle signals; a program that runs us elsewhere keeps its own handling.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _note(self, *_: Any) -> None:
        self.count += 1
