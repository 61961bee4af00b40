"""The end of a `metrics.jsonl` that grows, and may be made short meanwhile."""

from __future__ import annotations

import os
from typing import List, Tuple

import orjson

from .sample import Sample

#: Samples that are kept: ten minutes at the usual pace.
_RECENT = 600
#: Bytes that are read of a file at first. More than ten minutes of eight GPUs take.
_FIRST_BYTES = 8 << 20


class MetricsTail:
    """The last samples in a file.

    Args:
        path: the file; it need not be there yet.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: Tuple[int, int] = (0, 0)
        self._at = 0
        self._samples: List[Sample] = []

    def read(self) -> List[Sample]:
        """The last samples of the last start in the file, the oldest first; none when there is no file."""
        try:
            with open(self._path, "rb") as file:
                status = os.fstat(file.fileno())
                identity = (status.st_dev, status.st_ino)
                if identity != self._file or status.st_size < self._at:
                    # It is another file now: a shorter one has taken its place.
                    self._file, self._samples = identity, []
                    self._at = max(0, status.st_size - _FIRST_BYTES)
                file.seek(self._at)
                data = file.read()
        except OSError:
            return []
        # The last line may still be written; it is read again when it is whole.
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.splitlines():
            self._add(line)
        return self._samples

    def _add(self, line: bytes) -> None:
        try:
            sample = Sample.from_json(orjson.loads(line)).without_times()
        except (ValueError, TypeError, KeyError, AttributeError):
            return  # The first line may be the end of one; and a killed dispatcher leaves pieces.
        if self._samples and self._samples[-1].start != sample.start:
            self._samples = []
        self._samples = self._samples[-_RECENT + 1 :] + [sample]
