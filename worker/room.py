"""How many frames of a shape fit into the device's memory at once: learned from batches that did not."""

from __future__ import annotations

import threading
from typing import Dict, Tuple

#: Height and width, pixels.
Shape = Tuple[int, int]


class Room:
    """Remembers, for each frame shape, the batch size that worked after larger ones had not.

    A limit never grows again: whoever tried larger batches from time to time would pay for each try. For the engine's
    threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._too_many: Dict[Shape, int] = {}
        self._limits: Dict[Shape, int] = {}

    def limit(self, shape: Shape, count: int) -> int:
        """How many of `count` frames to compute at once: all, until something else was learned."""
        return min(count, self._limits.get(shape, count)) if self._limits else count

    def out_of_memory(self, shape: Shape, count: int) -> None:
        """So many frames did not fit."""
        with self._lock:
            self._too_many[shape] = min(count, self._too_many.get(shape, count))
            if self._limits.get(shape, 0) >= count:
                # It did fit once; memory has become less.
                del self._limits[shape]

    def worked(self, shape: Shape, count: int) -> bool:
        """So many frames were computed. Returns whether that taught a limit."""
        if not self._too_many:
            return False
        with self._lock:
            if shape in self._limits or count >= self._too_many.get(shape, 0):
                return False
            self._limits[shape] = count
            return True
