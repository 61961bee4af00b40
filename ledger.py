r"""The ledger: which images are done, and which of those failed. Append-only; the only truth about a run's progress.

    file    = magic, record*
    magic   = b"divainfer ledger 2\n"
    record  = length uint32, crc32 uint32 (both little-endian), payload
    payload = msgpack [start, count, [[index, kind, reason], ...], checksums]     done
            | msgpack [start, count, state]                                       opened again

"Done": of the images `start` to `start + count - 1` the listed ones failed, each other one has its result in place; such a
record is written only after those results. `checksums` are CRC-32s, uint32 little-endian: one an image where each has a
file of its own (0 for a failed one), one for all where they share a shard. "Opened again": those of the images that are in
that state, FAILED (`--retry failed`) or RESULT (results that were lost, `verify --repair`), are to be done again. The later of
two records about an image is the one that counts.

Replay stops at the first record that is torn or does not match its checksum, and the file is cut there, so a crash costs at
most the records that were being written.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import BinaryIO, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

import msgpack
import numpy as np

from .errors import OutputError
from .messages import Failure

MAGIC = b"divainfer ledger 2\n"
#: What a ledger says of an image.
OPEN, RESULT, FAILED = 0, 1, 2

_HEAD = struct.Struct("<II")
#: A length above this is damage, not a record; it keeps replay from asking for gigabytes.
_LONGEST = 1 << 26
_CHUNK = 1 << 20


class DoneRecord(NamedTuple):
    """Images `start` to `start + count - 1` are done; `failures` are those of them without a result."""

    start: int
    count: int  # type: ignore[assignment]
    failures: List[Failure]
    checksums: bytes

    @property
    def has_result(self) -> bool:
        """Whether any of its images has a result."""
        return len(self.failures) < self.count


class OpenedRecord(NamedTuple):
    """Those of the images `start` to `start + count - 1` that are in `state`, FAILED or RESULT, are to be done again."""

    start: int
    count: int  # type: ignore[assignment]
    state: int


Record = Union[DoneRecord, OpenedRecord]


class Progress:
    """What a ledger says: a byte an image.

    Args:
        total: images in the list.

    Attributes:
        states: uint8 `[total]`: OPEN, RESULT or FAILED.
        size: bytes of the file that are sound.
        records: how many there are.
        opened: whether any record opens images again.
    """

    def __init__(self, total: int) -> None:
        self.states = np.zeros(total, np.uint8)
        self.size = self.records = 0
        self.opened = False

    def apply(self, record: Record) -> None:
        """Takes one more record into account."""
        self.records += 1
        states = self.states[record.start : record.start + record.count]
        if isinstance(record, OpenedRecord):
            self.opened = True
            states[states == record.state] = OPEN
            return
        states[:] = RESULT
        for failure in record.failures:
            self.states[failure.index] = FAILED

    def count(self, state: int) -> int:
        """How many images are in a state."""
        total = len(self.states)
        return sum(int(np.count_nonzero(self.states[at : at + _CHUNK] == state)) for at in range(0, total, _CHUNK))

    def ranges(self, *states: int) -> Iterator[Tuple[int, int]]:
        """The half-open ranges of the images in one of these states, in order."""
        begun: Optional[int] = None
        for base in range(0, len(self.states), _CHUNK):
            inside = np.isin(self.states[base : base + _CHUNK], states)
            before = np.concatenate(([begun is not None], inside[:-1]))
            for edge in (np.flatnonzero(inside != before) + base).tolist():
                if begun is None:
                    begun = edge
                else:
                    yield begun, edge
                    begun = None
        if begun is not None:
            yield begun, len(self.states)


def replay(path: str, total: int) -> Progress:
    """Reads a ledger.

    Args:
        path: the file; a missing one counts as empty.
        total: images in the list; a record beyond them counts as damage.

    Raises:
        OutputError: when the file is not a ledger at all.
    """
    progress = Progress(total)
    for record, end in _records(path, total):
        if record is not None:
            progress.apply(record)
        progress.size = end
    return progress


def read_records(path: str, total: int) -> Iterator[Record]:
    """The sound records of a ledger, in the order they were written; errors as `replay`."""
    return (record for record, _ in _records(path, total) if record is not None)


def standing_failures(path: str, progress: Progress) -> Iterator[Failure]:
    """The failures that a ledger's replay left standing, in the order they were recorded, one at a time.

    Args:
        path: the file.
        progress: its replay.
    """
    total = len(progress.states)
    latest: Dict[int, int] = {}
    if progress.opened:
        # An image may then have failed several times, and the last failure is the one that counts.
        for number, record in enumerate(_done_records(path, total)):
            latest.update((failure.index, number) for failure in record.failures)
    for number, record in enumerate(_done_records(path, total)):
        for failure in record.failures:
            if progress.states[failure.index] == FAILED and latest.get(failure.index, number) == number:
                yield failure


def _done_records(path: str, total: int) -> Iterator[DoneRecord]:
    return (record for record in read_records(path, total) if isinstance(record, DoneRecord))


def _records(path: str, total: int) -> Iterator[Tuple[Optional[Record], int]]:
    """Each sound record and where it ends in the file; first None and the end of the head."""
    try:
        file = open(path, "rb", buffering=_CHUNK)
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
                record = _record(msgpack.unpackb(payload, raw=False, unicode_errors="surrogateescape"))
            except (ValueError, TypeError, msgpack.UnpackException):
                return
            if not 0 <= record.start < record.start + record.count <= total:
                return
            size += _HEAD.size + len(payload)
            yield record, size


def _record(values: List[object]) -> Record:
    if len(values) == 3:
        return OpenedRecord(*values)  # type: ignore[arg-type]
    start, count, failures, checksums = values
    return DoneRecord(start, count, [Failure(*failure) for failure in failures], checksums)  # type: ignore


def _payloads(file: BinaryIO) -> Iterator[bytes]:
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
        if not size:
            # Made beside its place, so that it is never there without its head.
            with open(path + ".new", "wb") as file:
                file.write(MAGIC)
                file.flush()
                os.fsync(file.fileno())
            os.replace(path + ".new", path)
            size = len(MAGIC)
        self._file = open(path, "r+b", buffering=0)
        self._file.truncate(size)
        self._file.seek(size)
        self._pending: List[bytes] = []

    def add(self, start: int, count: int, failures: Iterable[Failure], checksums: bytes) -> None:
        """Notes images as done; `commit` makes it last."""
        self._append([start, count, [list(failure) for failure in failures], checksums])

    def open_again(self, start: int, count: int, state: int) -> None:
        """Notes that those of these images that are in a state are to be done again; `commit` makes it last."""
        self._append([start, count, state])

    def _append(self, values: List[object]) -> None:
        payload = msgpack.packb(values, use_bin_type=True, unicode_errors="surrogateescape")
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
