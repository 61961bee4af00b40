"""What a loader has done since it last said so, and what it cost."""

from __future__ import annotations

import time
from typing import Callable, List

from ..histogram import bucket_of
from ..messages import Cost, FrameFailed, FrameReady, Loaded

#: Seconds of work after which it is time to say so: the engine may be waiting.
_PATIENCE = 0.02


class Answer:
    """Gathers what a loader has to say.

    Attributes:
        ready: frames in their places.
        failed: images that cannot be decoded.
        too_large: tickets of frames that do not fit into their room.

    Args:
        clock: seconds; it is handed in so that tests need not wait.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.ready: List[FrameReady] = []
        self.failed: List[FrameFailed] = []
        self.too_large: List[int] = []
        self._times = bytearray()
        self._waited = 0.0
        self._asked = False
        self._before, self._cpu_before = clock(), time.thread_time()

    def is_due(self, left: int) -> bool:
        """Whether it is time to say what is done; then it is said.

        Args:
            left: tickets that are in hand. With fewer than what is done, the next ones have to be asked for, once.
        """
        done = len(self.ready) + len(self.failed) + len(self.too_large)
        if done >= left and not self._asked:
            self._asked = True
            return True
        return not left or self._clock() - self._before - self._waited >= _PATIENCE

    def more(self) -> None:
        """More tickets have come."""
        self._asked = False

    def took(self, seconds: float) -> None:
        """So long a ticket took."""
        self._times.append(bucket_of(seconds))

    def waited(self, seconds: float) -> None:
        """So long the loader had nothing to do."""
        self._waited += seconds

    def take(self, reading: float) -> Loaded:
        """The message, which leaves nothing to say.

        Args:
            reading: seconds spent on files since the last one.
        """
        now, cpu = self._clock(), time.thread_time()
        cost = Cost(now - self._before - self._waited, reading, cpu - self._cpu_before)
        message = Loaded(self.ready, self.failed, self.too_large, cost, bytes(self._times))
        self._times.clear()
        self.ready, self.failed, self.too_large = [], [], []
        self._waited = 0.0
        self._before, self._cpu_before = now, cpu
        return message
