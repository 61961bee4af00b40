"""The image list on disk: any number of paths, looked up by index without loading them.

`images.lst` holds absolute paths, each ended by a NUL byte (the one byte no path can hold, so newlines are safe);
`images.idx` holds the start of each, uint64 little-endian, and the end of the last. Both are mapped, so that 100 million
images cost the reader address space, not memory.
"""

from __future__ import annotations

import array
import hashlib
import mmap
import os
import sys
from typing import BinaryIO, Iterator, List, NamedTuple

import numpy as np

from .errors import ImageListError
from .naming import Naming

_FLUSH_AT = 1 << 16
_CHUNK = 1 << 20


class Listing(NamedTuple):
    """What came of `--images`.

    Attributes:
        count: images in the list.
        digest: "sha256:..." of the list file.
        naming: how results are named.
        notes: sentences the operator should read.
        source: "sha256:..." of the list that was read, and of the folder its names are relative to; "" when it was none.
    """

    count: int  # type: ignore[assignment]
    digest: str
    naming: Naming
    notes: List[str]
    source: str


class ImageListWriter:
    """Writes a list path by path.

    Args:
        list_path: where `images.lst` goes.
        index_path: where `images.idx` goes.
    """

    def __init__(self, list_path: str, index_path: str) -> None:
        self._list: BinaryIO = open(list_path, "wb")
        self._index: BinaryIO = open(index_path, "wb")
        self._digest = hashlib.sha256()
        self._starts = array.array("Q", [0])
        self._position = 0
        self.count = 0

    def add(self, path: bytes) -> None:
        """Appends one absolute path."""
        record = path + b"\0"
        self._list.write(record)
        self._digest.update(record)
        self._position += len(record)
        self._starts.append(self._position)
        self.count += 1
        if len(self._starts) >= _FLUSH_AT:
            self._flush()

    def close(self) -> str:
        """Finishes both files and waits until the disk has them; returns "sha256:..." of the list."""
        self._flush()
        for file in (self._list, self._index):
            with file:
                file.flush()
                os.fsync(file.fileno())
        return "sha256:" + self._digest.hexdigest()

    def _flush(self) -> None:
        if sys.byteorder == "big":
            self._starts.byteswap()
        self._starts.tofile(self._index)
        del self._starts[:]


class ImageList:
    """Reads a list that `ImageListWriter` wrote.

    Args:
        list_path: `images.lst`.
        index_path: `images.idx`.

    Raises:
        ImageListError: when the two files do not belong together.
    """

    def __init__(self, list_path: str, index_path: str) -> None:
        self._path = list_path
        self._starts = np.memmap(index_path, dtype="<u8", mode="r")
        with open(list_path, "rb") as file:
            size = file.seek(0, 2)
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        if not len(self._starts) or int(self._starts[-1]) != size:
            raise ImageListError(
                "{}: damaged (its index does not fit). Remove the run folder to begin anew.".format(list_path)
            )

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, index: int) -> bytes:
        """The absolute path of image `index`, from 0."""
        start, end = self._starts[index : index + 2]
        return bytes(self._bytes[int(start) : int(end) - 1])

    def __iter__(self) -> Iterator[bytes]:
        # Read, not mapped: so the pages do not count as this process's memory.
        rest = b""
        with open(self._path, "rb") as file:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                *paths, rest = (rest + chunk).split(b"\0")
                yield from paths

    def close(self) -> None:
        """Unmaps the files."""
        if isinstance(self._bytes, mmap.mmap):
            self._bytes.close()
        del self._starts
