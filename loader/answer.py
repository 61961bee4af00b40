"""What a loader has done since it last said so, and what it cost."""

from __future__ import annotations

import time
from typing import List, Optional

from ..messages import Cost, FrameFailed, FrameReady, Loaded

#: Seconds that what is done may wait for more to be said with it: a message costs as much as a small frame.
_PATIENCE = 0.002


class Answer:
    """Gathers what a loader has to say.

    Attributes:
        ready: frames in their places.
        failed: images that cannot be decoded.
        too_large: tickets of frames that do not fit into their room.
    """

    def __init__(self) -> None:
        self.ready: List[FrameReady] = []
        self.failed: List[FrameFailed] = []
        self.too_large: List[int] = []
        self._seconds = self._reading = 0.0
        self._cpu_before = time.thread_time()
        self._first: Optional[float] = None

    @property
    def is_due(self) -> bool:
        """Whether the first thing that is done has waited long enough to be said."""
        return self._first is not None and time.monotonic() - self._first >= _PATIENCE

    def add(self, seconds: float, reading: float) -> None:
        """An image took so long, wall time, and that part of it its file."""
        self._seconds += seconds
        self._reading += reading
        if self._first is None:
            self._first = time.monotonic()

    def take(self) -> Loaded:
        """The message, which leaves nothing to say."""
        cpu = time.thread_time()
        message = Loaded(
            self.ready, self.failed, self.too_large, Cost(self._seconds, self._reading, cpu - self._cpu_before)
        )
        self.ready, self.failed, self.too_large = [], [], []
        self._seconds = self._reading = 0.0
        self._cpu_before = cpu
        self._first = None
        return message
