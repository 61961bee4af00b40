"""The shared frame memory, in which loaders put frames and from which the engine reads them.

The memory is a file without a name on `/dev/shm` (`O_TMPFILE`), so that nothing can stay behind, whoever is killed when.
Loaders reach it through `/proc/<worker>/fd/<n>`, which the kernel allows to processes of the same user only.
"""

from __future__ import annotations

import errno
import mmap
import os
from typing import Optional, Sequence

import numpy as np

from ..errors import EngineBootError

SHARED_FOLDER = "/dev/shm"


class FrameMemory:
    """Memory for frames.

    Args:
        file: file descriptor of the memory; owned by this object.
        size: its bytes.
    """

    def __init__(self, file: int, size: int) -> None:
        self.size = size
        self.path = "/proc/{}/fd/{}".format(os.getpid(), file)
        self._file = file
        self._map = mmap.mmap(file, size)
        self._bytes = np.frombuffer(self._map, dtype=np.uint8)

    @classmethod
    def create(cls, size: int) -> "FrameMemory":
        """Makes the memory and takes all of it at once.

        Args:
            size: bytes.

        Raises:
            EngineBootError: when the shared memory has not that much room. Without this, a full `/dev/shm` would end
                some loader by SIGBUS in the middle of the run.
        """
        try:
            file = os.open(SHARED_FOLDER, os.O_TMPFILE | os.O_RDWR, 0o600)
            os.posix_fallocate(file, 0, size)
        except OSError as error:  # The worker ends over this, and the file with it.
            if error.errno != errno.ENOSPC:
                raise EngineBootError(
                    "{}: no shared memory can be made there ({}).".format(SHARED_FOLDER, error.strerror)
                )
            raise EngineBootError(
                "{} has not {:.0f} MB left for frames. Give a smaller --queue-mem, or make it larger "
                "(docker run --shm-size).".format(SHARED_FOLDER, size / 1e6)
            )
        return cls(file, size)

    @classmethod
    def attach(cls, path: str, size: int) -> "FrameMemory":
        """Maps another process's memory by its `path`."""
        return cls(os.open(path, os.O_RDWR), size)

    def room(self, offset: int, size: int) -> np.ndarray:
        """A part of the memory: uint8 `[size]`, writable."""
        return self._bytes[offset : offset + size]

    def view(self, offsets: Sequence[int], height: int, width: int) -> Optional[np.ndarray]:
        """The frames that begin at some offsets, all of one shape, as they lie.

        Returns:
            uint8 `[len(offsets), height, width, 3]`, C-contiguous; None where the frames do not lie side by side.
        """
        size, first, count = height * width * 3, offsets[0], len(offsets)
        if count > 1 and list(offsets) != list(range(first, first + count * size, size)):
            return None
        return self._bytes[first : first + count * size].reshape(count, height, width, 3)

    def gather(self, offsets: Sequence[int], height: int, width: int) -> np.ndarray:
        """A copy of the frames that begin at some offsets, all of one shape: uint8 `[len(offsets), height, width, 3]`."""
        size = height * width * 3
        return np.stack([self.room(offset, size).reshape(height, width, 3) for offset in offsets])
