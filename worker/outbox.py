"""From the worker's threads to its loop: a queue that wakes a poll."""

from __future__ import annotations

import os
import queue
from typing import Any, Iterator


class Outbox:
    """Takes events from any thread; the loop polls `fileno()` and then takes them all."""

    def __init__(self) -> None:
        self._events: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._woken = False

    @property
    def empty(self) -> bool:
        """Whether no event waits."""
        return self._events.empty()

    def fileno(self) -> int:
        """Readable while events wait."""
        return self._read

    def put_quietly(self, event: Any) -> None:
        """Adds an event that can wait until the loop wakes for another reason; each wake-up costs more than the event."""
        self._events.put(event)

    def put(self, event: Any) -> None:
        """Adds an event, and wakes the loop."""
        self._events.put(event)
        if self._woken:
            return
        self._woken = True
        try:
            os.write(self._write, b"x")
        except BlockingIOError:
            pass  # The pipe is full of wake-ups already.

    def take_all(self) -> Iterator[Any]:
        """Yields the events there are, in order."""
        try:
            os.read(self._read, 65536)
        except BlockingIOError:
            pass
        # After the wake-up was read and before the events are taken: whoever adds one from here on wakes the loop again.
        self._woken = False
        while True:
            try:
                yield self._events.get_nowait()
            except queue.Empty:
                return
