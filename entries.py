"""The paths in a list: one a line or separated by NUL, made absolute. By the megabyte, since lists have millions of lines."""

from __future__ import annotations

import os
import re
import select
from typing import Any, BinaryIO, Iterator, List

from .errors import ImageListError

_CHUNK = 1 << 20
_WAIT_SECONDS = 0.5
_ODD_PATH = re.compile(rb"//|/\.{1,2}(/|$)|/$")


def entries(file: BinaryIO, base: bytes, option: str = "--images") -> Iterator[List[bytes]]:
    """Reads a list.

    Args:
        file: the list; separated by NUL if its first megabyte has any, else by newlines (with or without carriage return).
        base: the folder that relative paths start from.
        option: what the operator gave it as, for the error.

    Yields:
        Absolute, normal paths, many at a time. Blank entries are passed over; blanks around a name are part of it.

    Raises:
        ImageListError: when there is a NUL byte in a list of lines.
    """
    chunk = _chunk(file)
    if chunk.startswith(b"\xef\xbb\xbf"):
        chunk = chunk[3:]
    separator = b"\0" if b"\0" in chunk else b"\n"
    rest = b""
    while chunk:
        whole, found, rest = (rest + chunk).rpartition(separator)
        if found:
            yield _paths(whole, base, separator, option)
        chunk = _chunk(file)
    yield _paths(rest, base, separator, option)


def _chunk(file: Any) -> bytes:
    """As `file.read(_CHUNK)`, which a signal would not end when it comes between two of its many reads of a pipe."""
    chunk = part = _part(file, _CHUNK)
    while part and len(chunk) < _CHUNK:
        part = _part(file, _CHUNK - len(chunk))
        chunk += part
    return bytes(chunk)


def _part(file: Any, most: int) -> bytes:
    """What is there of a file, up to `most` bytes; waits for some; none at the end."""
    raw = getattr(file, "raw", None)
    if raw is None or file.seekable():
        return bytes(file.read1(most))
    # A signal that comes just before a pipe is read would wait with the read, perhaps for ever. So the wait has ends.
    while not select.select([raw], [], [], _WAIT_SECONDS)[0]:
        pass
    return bytes(raw.read(most))


def _paths(text: bytes, base: bytes, separator: bytes, option: str) -> List[bytes]:
    if separator == b"\n" and b"\0" in text:
        line = text[: text.index(b"\0")].rpartition(b"\n")[2]
        raise ImageListError(
            "{}: the list has a NUL byte after {!r}, though its lines end with newlines; is it damaged?".format(
                option, os.fsdecode(line[-100:])
            )
        )
    if _is_plain(text, separator):
        return text.split(separator)
    return [_absolute(entry, base, separator) for entry in text.split(separator) if entry.strip()]


def _is_plain(text: bytes, separator: bytes) -> bool:
    """Whether all entries are absolute and normal as they stand; ten million looks at single ones take half a minute."""
    return (
        text.startswith(b"/")
        and text.count(separator + b"/") == text.count(separator)
        and not any(odd in text for odd in (b"//", b"/.", b"/" + separator, b"\r"))
        and not text.endswith(b"/")
    )


def _absolute(entry: bytes, base: bytes, separator: bytes) -> bytes:
    if separator == b"\n" and entry.endswith(b"\r"):
        entry = entry[:-1]
    path = entry if entry.startswith(b"/") else base + b"/" + entry
    # Two slashes at the start are left by `normpath`, though Linux makes no difference.
    return os.path.normpath(b"/" + path.lstrip(b"/")) if _ODD_PATH.search(path) else path
