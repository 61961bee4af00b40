r"""The ledger: which images are done, and which of those failed. Append-only; the only truth about a run's progress.

    file    = magic, record*
    magic   = b"divainfer ledger 1\n"
    record  = length uint32, crc32 uint32 (both little-endian), payload
    payload = msgpack [start, count, [[index, kind, reason], ...]]

A record says that images `start` to `start + count - 1` are done: the listed ones failed, each other one has its result in
place. A record is written only after those results. Replay stops at the first record that is torn or does not match its
checksum, and the file is cut there, so a crash costs at most the records that were being written.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import BinaryIO, Iterable, Iterator, List, NamedTuple, Optional, Tuple

import msgpack

from ..errors import OutputError
from ..messages import Failure
from .ranges import RangeSet

MAGIC = b"divainfer ledger 1\n"
_HEAD = struct.Struct("<II")
#: A length above this is damage, not a record; it keeps replay from asking for gigabytes.
_LONGEST = 1 << 26


class Record(NamedTuple):
    """Images `start` to `start + count - 1` are done; `failures` are those of them without a result."""

    start: int
    count: int  # type: ignore[assignment]
    failures: List[Failure]


class Progress(NamedTuple):
    """What a ledger says.

    Attributes:
        done: indices with a result or a failure.
        failures: how many of them failed.
        size: bytes of the file that are sound.
    """

    done: RangeSet
    failures: int
    size: int


def replay(path: str, total: int) -> Progress:
    """Reads a ledger.

    Args:
        path: the file; a missing one counts as empty.
        total: images in the list; a record beyond them counts as damage.

    Raises:
        OutputError: when the file is not a ledger at all.
    """
    done, failures, size = RangeSet(), 0, 0
    for record, end in _records(path, total):
        if record is not None:
            done.add(record.start, record.start + record.count)
            failures += len(record.failures)
        size = end
    return Progress(done, failures, size)


def recorded_failures(path: str, total: int) -> Iterator[Failure]:
    """The failures in a ledger, in the order they were recorded; as `replay`, but one at a time."""
    for record, _ in _records(path, total):
        if record is not None:
            yield from record.failures


def _records(path: str, total: int) -> Iterator[Tuple[Optional[Record], int]]:
    """Each sound record and where it ends in the file; first None and the end of the head."""
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        return
    with file:
        magic = file.read(len(MAGIC))
        if magic != MAGIC:
            if MAGIC.startswith(magic):  # torn while it was being made
                return
            raise OutputError("{}: not a ledger of this version. Move the run folder away to begin anew.".format(path))
        size = len(MAGIC)
        yield None, size
        for payload in _payloads(file):
            try:
                start, count, failures = msgpack.unpackb(payload, raw=False, unicode_errors="surrogateescape")
                record = Record(start, count, [Failure(*failure) for failure in failures])
                if not 0 <= start < start + count <= total:
                    return
            except (ValueError, TypeError, msgpack.UnpackException):
                return
            size += _HEAD.size + len(payload)
            yield record, size


def _payloads(file: BinaryIO) -> Iterable[bytes]:
    while True:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        length, checksum = _HEAD.unpack(head)
        payload = file.read(length) if length <= _LONGEST else b""
        if len(payload) < length or zlib.crc32(payload) != checksum:
            return
        yield payload


class Ledger:
    """Writes a ledger on from where `replay` found its sound end.

    Args:
        path: the file; made when missing.
        size: bytes to keep (`Progress.size`); what follows is torn and cut off.
    """

    def __init__(self, path: str, size: int) -> None:
        self._file = open(path, "r+b" if os.path.exists(path) else "w+b", buffering=0)
        self._file.truncate(size)
        self._file.seek(size)
        self._pending: List[bytes] = [] if size else [MAGIC]

    def add(self, start: int, count: int, failures: Iterable[Tuple[int, str, str]]) -> None:
        """Notes a block as done; `commit` makes it last."""
        payload = msgpack.packb(
            [start, count, [list(failure) for failure in failures]], use_bin_type=True, unicode_errors="surrogateescape"
        )
        self._pending.append(_HEAD.pack(len(payload), zlib.crc32(payload)) + payload)

    def commit(self) -> None:
        """Writes what was added since the last time and waits until the disk has it (group commit).

        Raises:
            OSError: when the disk refuses; the file then ends in a torn record at worst, and nothing is forgotten here.
        """
        if not self._pending:
            return
        data = memoryview(b"".join(self._pending))
        position = self._file.tell()
        try:
            while data:
                data = data[self._file.write(data) :]
            os.fdatasync(self._file.fileno())
        except OSError:
            self._file.seek(position)
            raise
        del self._pending[:]

    def close(self) -> None:
        """Closes the file; what was not committed is lost, as after a crash."""
        self._file.close()
