"""What a result format must be able to do on either side: the worker's, which writes, and the dispatcher's, which keeps.

    json      a file an image (see `jsonfiles.py`)
    jsonl     a file a block, one line an image (see `shards.py`, `jsonl.py`)
    parquet   a file a block, one row an image (see `shards.py`, `parquet.py`)

With each of them a result that the ledger knows is on the disk, whole, and one it does not know is made again.
"""

from __future__ import annotations

import abc
from typing import Any, Dict, Iterable, List, NamedTuple, Tuple

from ..ledger import Progress
from ..messages import Failure


class Row(NamedTuple):
    """One image's result.

    Attributes:
        index: position in the image list.
        image: its absolute path.
        image_size: its height and width, pixels.
        detections: dicts as in a result file (docs/reference/files.md).
    """

    index: int  # type: ignore[assignment]
    image: bytes
    image_size: Tuple[int, int]
    detections: List[Dict[str, Any]]


class Finished(NamedTuple):
    """Images `start` to `stop - 1` are done.

    Attributes:
        start: first index.
        stop: one more than the last.
        failures: those of them without a result.
        checksums: as in a ledger's record; empty when none has a result.
        worker: whose they are.
    """

    start: int
    stop: int
    failures: Tuple[Failure, ...]
    checksums: bytes
    worker: str

    @property
    def results(self) -> int:
        """How many of its images have a result."""
        return self.stop - self.start - len(self.failures)


class Store(abc.ABC):
    """A worker's side: takes results, and vouches for ranges of them. Called from one thread."""

    @abc.abstractmethod
    def put(self, row: Row) -> None:
        """Takes a result; it may be in its place at once, or only after `settle`.

        Raises:
            OSError: when it cannot be written.
        """

    @abc.abstractmethod
    def settle(self, start: int, stop: int) -> bytes:
        """All results of the images `start` to `stop - 1` were put; sees to it that they are written.

        Returns:
            Their checksums, for the ledger.

        Raises:
            OSError: when they cannot be written.
        """


class Keeper(abc.ABC):
    """The dispatcher's side: brings what the disk holds in line with what the ledger says."""

    @abc.abstractmethod
    def place(self, finished: Iterable[Finished]) -> None:
        """To be called just before the ledger records these as done.

        Raises:
            OSError: when the disk refuses.
        """

    @abc.abstractmethod
    def sweep(self, progress: Progress) -> None:
        """Removes results that the ledger does not know and that would not be written over. Only while no worker works."""
