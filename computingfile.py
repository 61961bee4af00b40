"""Which images a worker computes right now, in a small mapped file that outlives its death by any signal.

parts/<worker>.computing:  one row a stream: count, then that many image indices; int64 little-endian
"""

from __future__ import annotations

import os
from typing import List, Sequence

import numpy as np


class ComputingFile:
    """Written by the worker: what each of its streams computes.

    Args:
        path: the file; made anew.
        streams: batches in flight.
        batch_size: largest batch.
    """

    def __init__(self, path: str, streams: int, batch_size: int) -> None:
        self._rows = np.memmap(path, dtype="<i8", mode="w+", shape=(streams, 1 + batch_size))

    def begin(self, stream: int, indices: Sequence[int]) -> None:
        """A stream begins to compute these images."""
        self._rows[stream, 1 : 1 + len(indices)] = indices
        self._rows[stream, 0] = len(indices)

    def end(self, stream: int) -> None:
        """A stream has computed its batch."""
        self._rows[stream, 0] = 0


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
    rows = np.fromfile(path, dtype="<i8").reshape(-1, 1 + batch_size)
    return [int(index) for row in rows for index in row[1 : 1 + max(0, int(row[0]))]]
