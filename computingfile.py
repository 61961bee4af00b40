"""Which images a worker computes right now, in a small mapped file that outlives its death by any signal.

parts/<worker>.computing:  one row a stream: count, then that many image indices; int64 in the machine's order
"""

from __future__ import annotations

import array
import mmap
import os
from typing import List, Sequence

import numpy as np

from .errors import EngineBootError


class ComputingFile:
    """Written by the worker: what each of its streams computes.

    Args:
        path: the file; made anew.
        streams: batches in flight.
        batch_size: largest batch.

    Raises:
        EngineBootError: when it cannot be written.
    """

    def __init__(self, path: str, streams: int, batch_size: int) -> None:
        rows = np.zeros((streams, 1 + batch_size), np.int64)
        self._width = rows.shape[1]
        try:
            # Written out at once: a hole that cannot be filled later, on a full disk, would end the worker by SIGBUS.
            rows.tofile(path)
            with open(path, "r+b") as file:
                self._numbers = memoryview(mmap.mmap(file.fileno(), rows.nbytes)).cast("q")
        except OSError as error:
            raise EngineBootError("{}: cannot be written ({})".format(path, error.strerror or error))

    def begin(self, stream: int, note: memoryview) -> None:
        """A stream begins to compute the images of a `note_of` them."""
        start = stream * self._width
        self._numbers[start : start + len(note)] = note

    def end(self, stream: int) -> None:
        """A stream has computed its batch."""
        self._numbers[stream * self._width] = 0


def note_of(indices: Sequence[int]) -> memoryview:
    """What is written while these images are computed."""
    return memoryview(array.array("q", (len(indices), *indices)))


def computing_at_death(path: str, batch_size: int) -> List[int]:
    """What a worker was computing when it died.

    Args:
        path: the file it wrote.
        batch_size: as it was told.

    Returns:
        Image indices; none when it never came to computing.
    """
    if not os.path.exists(path) or not os.path.getsize(path):
        return []
    numbers, width = np.fromfile(path, np.int64), 1 + batch_size
    # It may have died, or the disk been full, while it made the file.
    rows = numbers[: len(numbers) // width * width].reshape(-1, width)
    return [int(index) for row in rows for index in row[1 : 1 + max(0, int(row[0]))]]
