"""The image list on disk: any number of paths, looked up by index without loading them.

`images.lst` holds absolute paths, each ended by a NUL byte (the one byte no path can hold, so newlines are safe);
`images.idx` holds the start of each, uint64 little-endian, and the end of the last. Both are mapped, so that 100 million
images cost the reader address space, not memory.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from typing import BinaryIO, Iterator, List, NamedTuple, Sequence

import numpy as np

from .digest import digest_of_file
from .errors import ImageListError
from .naming import Naming

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
            # Looking something up in a memmap makes a memmap, which takes ten times as long as in a plain array.
            self._starts = np.asarray(np.memmap(index_path, dtype="<u8", mode="r"))
            with open(list_path, "rb") as file:
                size = file.seek(0, 2)
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        except (OSError, ValueError) as error:
            raise ImageListError("{}: it cannot be read ({}).".format(list_path, error))
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
