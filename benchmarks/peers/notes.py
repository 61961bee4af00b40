"""When an engine computed: notes that cost the engine's thread no system call, and survive any end of its process."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import List, Tuple

_ROW = struct.Struct("<ddq")
_MOST_ROWS = 1 << 16

#: Begin and end, seconds of the machine's monotonic clock, and frames.
Call = Tuple[float, float, int]


class Notes:
    """A mapped file with a row a call; the end is a row of zeros.

    Args:
        path: of the file; made anew.
    """

    def __init__(self, path: str) -> None:
        with open(path, "w+b") as file:
            file.truncate(_MOST_ROWS * _ROW.size)
            self._map = mmap.mmap(file.fileno(), 0)
        self._rows = 0

    def add(self, begin: float, end: float, frames: int) -> None:
        """Notes a call."""
        _ROW.pack_into(self._map, self._rows * _ROW.size, begin, end, frames)
        self._rows += 1

    def close(self) -> None:
        """Ends them."""
        self._map.close()


def read_notes(path: Path) -> List[Call]:
    """The calls in a file of notes."""
    content = path.read_bytes()
    rows = _ROW.iter_unpack(content[: len(content) // _ROW.size * _ROW.size])
    return [row for row in rows if row[2]]
