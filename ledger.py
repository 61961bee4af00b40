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

Replay ends at the last sound record, and the file is cut there, so a crash costs at most the records that were being written.
Damage in the middle, which no crash of ours leaves, costs the records that it hit: replay goes on with the next sound one.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import zlib
from typing import BinaryIO, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

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
#: Bytes that are searched for a sound record behind one that is not.
_LOOK_BEHIND = 1 << 22
#: A payload begins as a msgpack list of three or four.
_PAYLOAD = re.compile(rb"[\x93\x94]")


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
        size: where the last sound record ends, bytes.
        damaged: bytes before that which no record can be read from.
        records: how many sound ones there are.
        opened: whether any record opens images again.
    """

    def __init__(self, total: int) -> None:
        self.states = np.zeros(total, np.uint8)
        self.size = self.damaged = self.records = 0
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
        if record.failures:
            self.states[[failure.index for failure in record.failures]] = FAILED

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
    for record, start, end in _records(path, total):
        progress.damaged += start - progress.size
        progress.size = end
        if record is not None:
            progress.apply(record)
    return progress


def read_records(path: str, progress: Progress) -> Iterator[Record]:
    """The records that a replay has seen, in the order they were written, also when more were written since.

    Args:
        path: the ledger.
        progress: its replay.

    Raises:
        OutputError: as `replay`.
    """
    for record, _, end in _records(path, len(progress.states)):
        if end > progress.size:
            return
        if record is not None:
            yield record


def last_records(path: str, total: int, size: int = _CHUNK) -> List[Record]:
    """The records in the last part of a ledger, in the order they were written, without reading all of it.

    Args:
        path: the file.
        total: images in the list.
        size: bytes of that part.
    """
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        return []
    with file:
        middle = file.seek(0, os.SEEK_END) - size
        at = _next_record(file, middle, total) if middle > len(MAGIC) else len(MAGIC)
        return [] if at is None else [record for record, _, _ in _records_from(file, at, total)]


def standing_failures(path: str, progress: Progress) -> Iterator[Failure]:
    """The failures that a ledger's replay left standing, in the order they were recorded, one at a time.

    Args:
        path: the file.
        progress: its replay.
    """
    latest: Optional[np.ndarray] = None
    if progress.opened:
        # An image may then have failed several times, and the last failure is the one that counts.
        latest = np.zeros(len(progress.states), np.uint32)
        for number, record in enumerate(read_records(path, progress)):
            if isinstance(record, DoneRecord) and record.failures:
                latest[[failure.index for failure in record.failures]] = number
    for number, record in enumerate(read_records(path, progress)):
        if isinstance(record, DoneRecord):
            for failure in record.failures:
                if progress.states[failure.index] == FAILED and (latest is None or latest[failure.index] == number):
                    yield failure


def _records(path: str, total: int) -> Iterator[Tuple[Optional[Record], int, int]]:
    """Each sound record with where it starts and ends in the file; first None and the head."""
    try:
        file = open(path, "rb", buffering=_CHUNK)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError("{}: it cannot be read ({}).".format(path, error.strerror))
    with file:
        magic = file.read(len(MAGIC))
        if magic != MAGIC:
            if MAGIC.startswith(magic):  # torn while it was being made
                return
            raise OutputError("{}: not a ledger of this version. Move the run folder away to begin anew.".format(path))
        yield None, 0, len(MAGIC)
        yield from _records_from(file, len(MAGIC), total)


def _records_from(file: BinaryIO, at: int, total: int) -> Iterator[Tuple[Record, int, int]]:
    """Each sound record from there on, with where it starts and ends."""
    while True:
        record, end = _record_at(file, at, total)
        if record is None:
            found = _next_record(file, at, total)
            if found is None:
                return
            at = found
            continue
        yield record, at, end
        at = end


def _record_at(file: BinaryIO, at: int, total: int) -> Tuple[Optional[Record], int]:
    """The record that starts there, and where it ends; None when there is no sound one."""
    if file.tell() != at:
        file.seek(at)
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None, at
    length, checksum = _HEAD.unpack(head)
    payload = file.read(length) if length <= _LONGEST else b""
    if len(payload) < length or zlib.crc32(payload) != checksum:
        return None, at
    try:
        record = _record(msgpack.unpackb(payload, raw=False, unicode_errors="surrogateescape"))
        sound = 0 <= record.start < record.start + record.count <= total
    except (ValueError, TypeError, msgpack.UnpackException):
        sound = False
    return (record if sound else None), at + _HEAD.size + length


def _next_record(file: BinaryIO, at: int, total: int) -> Optional[int]:
    """Where the next sound record starts behind damage; None when none does, so that all that follows is a torn end."""
    file.seek(at)
    behind = file.read(_LOOK_BEHIND)
    for match in _PAYLOAD.finditer(behind, _HEAD.size + 1):
        start = at + match.start() - _HEAD.size
        if _record_at(file, start, total)[0] is not None:
            return start
    return None


def _record(values: List[object]) -> Record:
    if len(values) == 3:
        return OpenedRecord(*values)  # type: ignore[arg-type]
    start, count, failures, checksums = values
    return DoneRecord(start, count, [Failure(*failure) for failure in failures], checksums)  # type: ignore


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
        assert len(payload) <= _LONGEST, "it would be taken for damage"
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
            with contextlib.suppress(OSError):
                self._file.truncate(position)
            self._file.seek(position)
            raise
        del self._pending[:]

    def close(self) -> None:
        """Closes the file; what was not committed is lost, as after a crash."""
        self._file.close()
