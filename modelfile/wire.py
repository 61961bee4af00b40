"""Protocol-buffers messages read without their library, and the two that TensorFlow's files share: shapes and kinds of numbers.

The wire format is small: numbered fields, each with its length. What is not wanted is jumped over, unread.
"""

from __future__ import annotations

from typing import Any, Iterator, List, Optional, Tuple

#: Dimensions, None for an unknown one.
Shape = Tuple[Optional[int], ...]

#: Wire types of fields.
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
# A graph of the size of R101 has about 200,000 fields; the limit keeps a hostile file from holding us for minutes.
_MAX_FIELDS = 2000000
_MAX_NAME = 4096
_DTYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64", 9: "int64",
    10: "bool", 14: "bfloat16", 17: "uint16", 18: "complex128", 19: "float16", 20: "resource", 22: "uint32", 23: "uint64",
}  # fmt: skip


class Broken(Exception):
    """The bytes are not what they should be; the text says why, in the middle of a sentence."""


class Walker:
    """Walks over messages without copying them.

    Args:
        data: all bytes, such as a mapped file.
    """

    def __init__(self, data: Any) -> None:
        self._data = data
        self._left = _MAX_FIELDS

    def fields(self, start: int, end: int) -> Iterator[Tuple[int, int, int, int]]:
        """The fields of the message in `[start, end)`: number, wire type, and value, 0 or begin, end of the bytes.

        Raises:
            Broken: when it is no message.
        """
        data, at = self._data, start
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise Broken("it has more than {} fields".format(_MAX_FIELDS))
            key, at = self.varint(at, end)
            number, wire = key >> 3, key & 7
            if number == 0:
                raise Broken("it has a field without a number")
            if wire == VARINT:
                value, at = self.varint(at, end)
                yield number, wire, value, 0
                continue
            if wire == BYTES:
                size, at = self.varint(at, end)
            elif wire in (FIXED64, FIXED32):
                size = 8 if wire == FIXED64 else 4
            else:
                raise Broken("it has a field of unknown kind {}".format(wire))
            if size > end - at:
                raise Broken("cut off" if end == len(data) else "a field is longer than what holds it")
            yield number, wire, at, at + size
            at += size

    def varint(self, at: int, end: int) -> Tuple[int, int]:
        """The number of 7 bits a byte that begins at `at`, and where it ends.

        Raises:
            Broken: when it does not end before `end`.
        """
        value = 0
        for shift in range(0, 70, 7):
            if at >= end:
                raise Broken("cut off" if end == len(self._data) else "a number has no end")
            byte = self._data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
        raise Broken("a number is longer than 10 bytes")

    def text(self, start: int, end: int) -> str:
        """A name.

        Raises:
            Broken: when it is too long for one, or not UTF-8.
        """
        if end - start > _MAX_NAME:
            raise Broken("a name has {} bytes".format(end - start))
        try:
            return str(self._data[start:end], "utf-8")
        except UnicodeDecodeError:
            raise Broken("a name is not text")

    def number(self, start: int, end: int, wanted: int) -> int:
        """The number in a message's field `wanted`; 0 when it is left out."""
        value = 0
        for number, wire, first, _ in self.fields(start, end):
            if number == wanted and wire == VARINT:
                value = first
        return value

    def shape(self, start: int, end: int) -> Optional[Shape]:
        """A `TensorShapeProto`; None when not even the rank is known."""
        dimensions: List[Optional[int]] = []
        for part, kind, begin, stop in self.fields(start, end):
            if part == 2 and kind == BYTES:
                size = self.number(begin, stop, 1)
                # -1 stands for "unknown"; it is written as 2**64 - 1.
                dimensions.append(size if size < 1 << 63 else None)
            elif part == 3 and kind == VARINT and begin:
                return None
        return tuple(dimensions)


def dtype_name(code: int) -> str:
    """The name of a number of the `DataType` enumeration, such as "float32"."""
    return _DTYPES.get(code, "type {}".format(code))
