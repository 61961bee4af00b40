"""Shards: the results of a block in one file, `results-<first>-<last>.<suffix>`, rows in the list's order.

A shard has exactly the images of its name, less those that failed. The worker writes it into the run folder's `parts/`; the
dispatcher, once the worker has vouched for the block, renames it to its place, and then the ledger records it. So a shard in
its place that has no record is one whose record a crash prevented; `sweep` removes it, and its images are done again.
"""

from __future__ import annotations

import os
import re
import zlib
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Tuple

import numpy as np

from ..ledger import RESULT, DoneRecord, Progress, read_records
from ..runfolder import RunFolder
from .format import Finished, Keeper, Row, Store

_NAME = re.compile(r"^results-(\d{12})-(\d{12})\.(\w+)$")

Encode = Callable[[List[Row]], bytes]


def _part(folder: RunFolder, worker: str, name: str) -> str:
    """Where a worker writes a shard. By its name, since one that was given up may still hang in the kernel over such a file."""
    return os.path.join(folder.parts, "{}.{}".format(worker, name))


class Shard(NamedTuple):
    """A shard's images, `start` to `stop - 1`, and its file's path."""

    start: int
    stop: int
    path: str


def shard_name(start: int, stop: int, suffix: str) -> str:
    """The file name of the shard of the images `start` to `stop - 1`."""
    return "results-{:012d}-{:012d}.{}".format(start, stop - 1, suffix)


def shards_in(out: str, suffix: str) -> Iterator[Shard]:
    """The shards in an output folder, by their first image."""
    for name in sorted(os.listdir(out)):
        match = _NAME.match(name)
        if match is not None and match.group(3) == suffix:
            yield Shard(int(match.group(1)), int(match.group(2)) + 1, os.path.join(out, name))


class Shards(Store):
    """Gathers the rows of each block and writes them when it is settled.

    Args:
        worker: the worker's name.
        folder: the run folder.
        suffix: the files' ending.
        encode: makes a file's content of its rows.
    """

    def __init__(self, worker: str, folder: RunFolder, suffix: str, encode: Encode) -> None:
        self._worker = worker
        self._folder = folder
        self._suffix = suffix
        self._encode = encode
        self._rows: Dict[int, Row] = {}

    def put(self, row: Row) -> None:
        """Keeps the row."""
        self._rows[row.index] = row

    def settle(self, start: int, stop: int) -> bytes:
        """Writes the shard into `parts/`; nothing when no image has a result."""
        rows = [self._rows.pop(index) for index in range(start, stop) if index in self._rows]
        if not rows:
            return b""
        content = self._encode(rows)
        with open(_part(self._folder, self._worker, shard_name(start, stop, self._suffix)), "wb") as file:
            file.write(content)
        return np.array([zlib.crc32(content)], "<u4").tobytes()


class ShardsKeeper(Keeper):
    """Brings finished shards to their place.

    Args:
        folder: the run folder.
        suffix: the files' ending.
    """

    def __init__(self, folder: RunFolder, suffix: str) -> None:
        self._folder = folder
        self._suffix = suffix

    def place(self, finished: Iterable[Finished]) -> None:
        """Renames the shards of finished blocks to their place."""
        for one in finished:
            if one.results:
                name = shard_name(one.start, one.stop, self._suffix)
                os.replace(_part(self._folder, one.worker, name), os.path.join(self._folder.out, name))

    def sweep(self, progress: Progress) -> None:
        """Removes shards without a record, whose images would otherwise have two results."""
        known = known_shards(self._folder.ledger, progress)
        for shard in shards_in(self._folder.out, self._suffix):
            if (shard.start, shard.stop) not in known:
                os.unlink(shard.path)


def known_shards(ledger: str, progress: Progress) -> Dict[Tuple[int, int], int]:
    """The shards there should be: by first image and one more than the last, the number of the record that says so.

    When results are opened again, each shard that has any of them is done with as a whole: `repair` opens all of its images.

    Args:
        ledger: the ledger's path.
        progress: its replay.
    """
    known: Dict[Tuple[int, int], int] = {}
    for number, record in enumerate(read_records(ledger, progress)):
        start, stop = record.start, record.start + record.count
        if isinstance(record, DoneRecord):
            if record.has_result:
                known[start, stop] = number
        elif record.state == RESULT:
            for shard in [shard for shard in known if shard[0] < stop and start < shard[1]]:
                del known[shard]
    return known
