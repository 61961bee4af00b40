"""The index of a TensorFlow checkpoint, read without TensorFlow: which variables it has, of what shape and kind.

`PREFIX.index` is a sorted table in LevelDB's format (never compressed): blocks of entries whose keys share beginnings, an
index block that says where they lie, and a footer that says where the index block lies. The key "" has a
`BundleHeaderProto`, each variable's name a `BundleEntryProto`. Each block has a checksum (CRC-32C), so damage is seen.
"""

from __future__ import annotations

import struct
from typing import Dict, Iterator, List, NamedTuple, Tuple

from ..errors import ModelError
from .wire import BYTES, VARINT, Broken, Walker, dtype_name

#: The last eight bytes of a table, little-endian.
MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)

_FOOTER = 48
# Kind of compression and checksum.
_TRAILER = 5
# 100,000 variables; those of a detector take 30 KB.
_MOST_BYTES = 16 << 20
_POLYNOMIAL = 0x82F63B78


class Variable(NamedTuple):
    """What the index says of a variable.

    Attributes:
        shape: dimensions.
        dtype: such as "float32".
    """

    shape: Tuple[int, ...]
    dtype: str


class CheckpointIndex(NamedTuple):
    """A checkpoint without its values.

    Attributes:
        variables: name to variable.
        shards: bytes that each of its data files must have at least, in the order of their numbers.
    """

    variables: Dict[str, Variable]
    shards: List[int]


def read_index(path: str) -> CheckpointIndex:
    """Reads `PREFIX.index`.

    Raises:
        ModelError: one sentence, when the file cannot be read or is damaged.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise Broken("it is larger than {} MiB".format(_MOST_BYTES >> 20))
        return _index(data)
    except OSError as error:
        raise ModelError("{}: the checkpoint's index cannot be read ({}).".format(path, error.strerror))
    except Broken as broken:
        raise ModelError(
            "{}: not the index of a TensorFlow checkpoint, or a damaged one ({}). Copy the checkpoint again.".format(
                path, broken
            )
        )


def _index(data: bytes) -> CheckpointIndex:
    if len(data) < _FOOTER or data[-len(MAGIC) :] != MAGIC:
        raise Broken("its end is missing")
    walker = Walker(data)
    # The first pair of numbers says where a second table lies, which has nothing.
    at = len(data) - _FOOTER
    for _ in range(2):
        _, at = walker.varint(at, len(data))
    header, variables = None, {}
    sizes: Dict[int, int] = {}
    for _, (start, end) in _entries(data, _handle(walker, at, len(data))):
        for key, (first, last) in _entries(data, _handle(walker, start, end)):
            if not key:
                header = walker.number(first, last, 1), walker.number(first, last, 2)
                continue
            variable, shard, reach = _entry(walker, first, last)
            sizes[shard] = max(sizes.get(shard, 0), reach)
            # A part of a variable that was saved in parts; the whole has an entry too.
            if not key.startswith(b"\0"):
                variables[_name(key)] = variable
    if header is None:
        raise Broken("it has no header")
    if header[1]:
        raise Broken("it was written on a big-endian machine")
    if any(shard >= header[0] for shard in sizes):
        raise Broken("a variable lies in a file that is not one of the {}".format(header[0]))
    return CheckpointIndex(variables, [sizes.get(shard, 0) for shard in range(header[0])])


def _entry(walker: Walker, start: int, end: int) -> Tuple[Variable, int, int]:
    """Of a `BundleEntryProto`: the variable, the number of its data file, and how far into that it reaches."""
    shape: Tuple[int, ...] = ()
    numbers = {1: 0, 3: 0, 4: 0, 5: 0}
    for number, wire, first, last in walker.fields(start, end):
        if wire == VARINT and number in numbers:
            numbers[number] = first
        elif wire == BYTES and number == 2:
            sizes = walker.shape(first, last)
            if sizes is None or any(size is None for size in sizes):
                raise Broken("a variable has no definite shape")
            shape = tuple(size for size in sizes if size is not None)
    return Variable(shape, dtype_name(numbers[1])), numbers[3], numbers[4] + numbers[5]


def _name(key: bytes) -> str:
    try:
        return key.decode("utf-8")
    except UnicodeDecodeError:
        raise Broken("a name is not text")


def _handle(walker: Walker, at: int, end: int) -> Tuple[int, int]:
    """Where a block lies: begin and end."""
    start, at = walker.varint(at, end)
    size, _ = walker.varint(at, end)
    return start, start + size


def _entries(data: bytes, block: Tuple[int, int]) -> Iterator[Tuple[bytes, Tuple[int, int]]]:
    """Keys of a block, and where their values lie."""
    start, end = block
    if end + _TRAILER > len(data) or end - start < 4:
        raise Broken("a block lies outside of it")
    kind, checksum = struct.unpack_from("<BI", data, end)
    if checksum != _masked(_crc(data[start : end + 1])):
        raise Broken("a checksum is wrong")
    if kind:
        raise Broken("it is compressed")
    (restarts,) = struct.unpack_from("<I", data, end - 4)
    stop = end - 4 - 4 * restarts
    walker, key, at = Walker(data), b"", start
    while at < stop:
        shared, at = walker.varint(at, stop)
        more, at = walker.varint(at, stop)
        size, at = walker.varint(at, stop)
        if shared > len(key) or more + size > stop - at:
            raise Broken("an entry is longer than its block")
        key = key[:shared] + data[at : at + more]
        at += more
        yield key, (at, at + size)
        at += size


def _masked(crc: int) -> int:
    """A checksum as it is stored: LevelDB turns it, since a checksum over checksums is weak."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _crc(data: bytes) -> int:
    """CRC-32C (Castagnoli)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _table() -> List[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _table()
