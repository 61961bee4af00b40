"""`metrics.jsonl`: the samples of a run, all its starts, in a file that stays small."""

from __future__ import annotations

import contextlib
import errno
import io
import os
from typing import Any, Dict, Iterator, List, Optional

import orjson

from .sample import Sample

#: A file that grows beyond this is thinned.
_LIMIT_BYTES = 32 << 20
#: Digits after the point: microseconds of seconds, and more than any sensor has.
_DIGITS = 6


class MetricsLog:
    """Appends samples.

    When the file becomes too large every second sample is taken out, of those before and from then on: sums lose nothing by
    that, only moments do. The last sample of each start stays.

    Args:
        path: the file.
        limit: bytes.

    Raises:
        OSError: when it cannot be written.
    """

    def __init__(self, path: str, limit: int = _LIMIT_BYTES) -> None:
        self._path = path
        self._limit = limit
        self._every = 1
        self._count = 0
        #: The last sample, when it was left out.
        self._left_out: Optional[Sample] = None
        self._mend_end()
        self._file = _open(path)

    def add(self, sample: Sample) -> None:
        """Appends a sample, unless it is one of those to be left out.

        Raises:
            OSError: when the disk refuses.
        """
        self._count += 1
        if (self._count - 1) % self._every:
            self._left_out = sample
            return
        self._left_out = None
        self._write(sample)
        if self._file.tell() > self._limit:
            self._thin()

    def close(self) -> None:
        """Appends the start's last sample if it was left out, and closes the file.

        Raises:
            OSError: when the disk refuses.
        """
        try:
            if self._left_out is not None:
                self._write(self._left_out)
        finally:
            self._file.close()

    def _write(self, sample: Sample) -> None:
        line = _line(sample)
        # Unbuffered, so that what a full disk refused is not tried again. It may have taken a part.
        if self._file.write(line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._path)

    def _thin(self) -> None:
        part = self._path + ".part"
        try:
            with open(self._path, "rb") as old, open(part, "wb") as new:
                before: Optional[bytes] = None
                for number, line in enumerate(old):
                    # The last one of each start stays: it has the start's sums.
                    if before is not None and (number % 2 or _start(before) != _start(line)):
                        new.write(before)
                    before = line
                new.write(before or b"")
            os.replace(part, self._path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise
        self._file.close()
        self._file = _open(self._path)
        self._every *= 2

    def _mend_end(self) -> None:
        """Ends a line that a killed dispatcher or a full disk has left in the middle, so that the next one is whole."""
        with contextlib.suppress(FileNotFoundError), open(self._path, "rb+") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")


def read_metrics(path: str) -> Iterator[Sample]:
    """The samples in a file, in order; lines that are none are passed over. Nothing when there is no file."""
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            try:
                yield Sample.from_json(orjson.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                continue


def starts(samples: Iterator[Sample]) -> List[List[Sample]]:
    """The samples of each start, in order."""
    found: Dict[float, List[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.start, []).append(sample)
    return [found[start] for start in sorted(found)]


def _open(path: str) -> io.FileIO:
    return io.FileIO(path, "a")


def _start(line: bytes) -> Any:
    """Which start a line is of; None where it is no sample."""
    try:
        return orjson.loads(line).get("start")
    except (ValueError, AttributeError):
        return None


def _line(sample: Sample) -> bytes:
    return orjson.dumps(_short(sample.to_json())) + b"\n"


def _short(value: Any) -> Any:
    """The value with fewer digits, and with text that is UTF-8: names of files need not be."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {name: _short(one) for name, one in value.items()}
    return [_short(one) for one in value] if isinstance(value, (list, tuple)) else value
