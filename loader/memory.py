"""The shared frame memory: slots of one size in which loaders put frames and from which the engine reads them.

The memory is a file without a name on `/dev/shm` (`O_TMPFILE`), so that nothing can stay behind, whoever is killed when.
Loaders reach it through `/proc/<worker>/fd/<n>`, which the kernel allows to processes of the same user only.
"""

from __future__ import annotations

import errno
import mmap
import os
from typing import Sequence

import numpy as np

from ..errors import EngineBootError

SHARED_FOLDER = "/dev/shm"


class FrameMemory:
    """Slots for frames.

    Args:
        file: file descriptor of the memory; owned by this object.
        slots: number of slots.
        slot_bytes: bytes of the largest frame.
    """

    def __init__(self, file: int, slots: int, slot_bytes: int) -> None:
        self._file = file
        self.slots = slots
        self.slot_bytes = slot_bytes
        self.path = "/proc/{}/fd/{}".format(os.getpid(), file)
        self._map = mmap.mmap(file, slots * slot_bytes)
        self._bytes = np.frombuffer(self._map, dtype=np.uint8)

    @classmethod
    def create(cls, slots: int, frame_bytes: int) -> "FrameMemory":
        """Makes the memory and takes all of it at once.

        Args:
            slots: number of slots.
            frame_bytes: bytes of the largest frame.

        Raises:
            EngineBootError: when the shared memory has not that much room. Without this, a full `/dev/shm` would end
                some loader by SIGBUS in the middle of the run.
        """
        size = slots * frame_bytes
        try:
            file = os.open(SHARED_FOLDER, os.O_TMPFILE | os.O_RDWR, 0o600)
            os.posix_fallocate(file, 0, size)
        except OSError as error:  # The worker ends over this, and the file with it.
            if error.errno != errno.ENOSPC:
                raise EngineBootError(
                    "{}: no shared memory can be made there ({}).".format(SHARED_FOLDER, error.strerror)
                )
            raise EngineBootError(
                "{} has not {:.0f} MB left for {} frames. Give a smaller --queue-mem, or make it larger "
                "(docker run --shm-size).".format(SHARED_FOLDER, size / 1e6, slots)
            )
        return cls(file, slots, frame_bytes)

    @classmethod
    def attach(cls, path: str, slots: int, slot_bytes: int) -> "FrameMemory":
        """Maps another process's memory by its `path`."""
        return cls(os.open(path, os.O_RDWR), slots, slot_bytes)

    def slot(self, slot: int) -> np.ndarray:
        """A slot's bytes: uint8 `[slot_bytes]`, writable."""
        start = slot * self.slot_bytes
        return self._bytes[start : start + self.slot_bytes]

    def batch(self, slots: Sequence[int], height: int, width: int) -> np.ndarray:
        """The frames of some slots, all of one shape.

        Returns:
            uint8 `[len(slots), height, width, 3]`, C-contiguous: a view where the frames fill neighbouring slots, else a copy.
        """
        size = height * width * 3
        first = slots[0]
        side_by_side = list(slots) == list(range(first, first + len(slots)))
        if len(slots) == 1 or (side_by_side and size == self.slot_bytes):
            start = first * self.slot_bytes
            return self._bytes[start : start + len(slots) * size].reshape(len(slots), height, width, 3)
        return np.stack([self.slot(slot)[:size].reshape(height, width, 3) for slot in slots])
