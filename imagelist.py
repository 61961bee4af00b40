"""The image list on disk: any number of paths, looked up by index without loading them.

`images.lst` holds absolute paths, each ended by a NUL byte (the one byte no path can hold, so newlines are safe);
`images.idx` holds the start of each, uint64 little-endian, and the end of the last. Both are mapped, so that 100 million
images cost the reader address space, not memory.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from typing import BinaryIO, Iterator, List, NamedTuple, Sequence, Union

import numpy as np

from .digest import digest_of_file
from .errors import ImageListError
from .naming import Naming

_CHUNK = 1 << 20
#: Read so, not as an array: NumPy takes ten times as long to look up two numbers.
_START, _START_AND_END = struct.Struct("<Q"), struct.Struct("<2Q")


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
    """Writes a list.

    Args:
        list_path: where `images.lst` goes.
        index_path: where `images.idx` goes.
    """

    def __init__(self, list_path: str, index_path: str) -> None:
        self._list: BinaryIO = open(list_path, "wb")
        self._index: BinaryIO = open(index_path, "wb")
        self._digest = hashlib.sha256()
        self._index.write(bytes(8))
        self._position = 0
        self.count = 0

    def add(self, paths: Sequence[bytes]) -> None:
        """Appends absolute paths."""
        records = b"".join(path + b"\0" for path in paths)
        self._list.write(records)
        self._digest.update(records)
        lengths = np.fromiter(map(len, paths), np.int64, len(paths)) + 1
        self._index.write((self._position + np.cumsum(lengths)).astype("<u8").tobytes())
        self._position += len(records)
        self.count += len(paths)

    def close(self) -> str:
        """Finishes both files and waits until the disk has them; returns "sha256:..." of the list."""
        for file in (self._list, self._index):
            with file:
                file.flush()
                os.fsync(file.fileno())
        return "sha256:" + self._digest.hexdigest()


def list_digest(path: str) -> str:
    """The digest ("sha256:...") of a list file, as `ImageListWriter.close` gives it.

    Raises:
        ImageListError: when it cannot be read.
    """
    try:
        return digest_of_file(path)
    except OSError as error:
        raise ImageListError("{}: it cannot be read ({}).".format(path, error.strerror))


class ImageList:
    """Reads a list that `ImageListWriter` wrote.

    Args:
        list_path: `images.lst`.
        index_path: `images.idx`.

    Raises:
        ImageListError: when they cannot be read, or do not belong together.
    """

    def __init__(self, list_path: str, index_path: str) -> None:
        self._path = list_path
        try:
            self._starts, self._bytes = _mapped(index_path), _mapped(list_path)
        except (OSError, ValueError) as error:
            raise ImageListError("{}: it cannot be read ({}).".format(list_path, error))
        fits = len(self._starts) % _START.size == 0 and bool(self._starts)
        if not fits or _START.unpack_from(self._starts, len(self._starts) - _START.size)[0] != len(self._bytes):
            raise ImageListError(
                "{}: damaged (its index does not fit). Remove the run folder to begin anew.".format(list_path)
            )

    def __len__(self) -> int:
        return len(self._starts) // _START.size - 1

    def __getitem__(self, index: int) -> bytes:
        """The absolute path of image `index`, from 0.

        Raises:
            IndexError: when there is no such image.
        """
        if not 0 <= index < len(self):
            raise IndexError("there is no image {} in a list of {}".format(index, len(self)))
        start, end = _START_AND_END.unpack_from(self._starts, index * _START.size)
        return self._bytes[start : end - 1]

    def __iter__(self) -> Iterator[bytes]:
        # Read, not mapped: so the pages do not count as this process's memory.
        rest = b""
        with open(self._path, "rb") as file:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                *paths, rest = (rest + chunk).split(b"\0")
                yield from paths

    def close(self) -> None:
        """Unmaps the files."""
        for content in (self._starts, self._bytes):
            if isinstance(content, mmap.mmap):
                content.close()


def _mapped(path: str) -> "Union[mmap.mmap, bytes]":
    """A file's content; an empty one cannot be mapped.

    Raises:
        OSError: when it cannot be read.
    """
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if file.seek(0, 2) else b""
