"""Holds a run's results against its ledger: every listed image exactly once, whole, and with the bytes that were written."""

from __future__ import annotations

import itertools
import os
import zlib
from typing import Callable, Iterator, List, NamedTuple, Set

import numpy as np

from ..imagelist import ImageList, list_digest
from ..ledger import FAILED, OPEN, RESULT, DoneRecord, Progress, read_records, replay, standing_failures
from ..lock import holder
from ..naming import JSON, PARQUET, Naming
from ..runfolder import RunFolder
from ..runrecord import RunRecord, read_run_record
from .encoding import decode_json
from .formats import CODECS
from .jsonfiles import is_ours
from .parquet import check_pyarrow
from .schema import fault
from .shards import Shard, known_shards, shard_name, shards_in


class Problem(NamedTuple):
    """Something that is not as the ledger says.

    Attributes:
        path: the file or the image it is about.
        what: what is wrong with it, one sentence's end.
        start: first of the images whose result it costs.
        stop: one more than the last; as `start` when it costs none.
    """

    path: str
    what: str
    start: int = 0
    stop: int = 0


class Verification(NamedTuple):
    """What a folder holds by its ledger, counts of images; and how many problems there are."""

    images: int
    results: int
    failures: int
    open: int
    problems: int

    @property
    def sound(self) -> bool:
        """Whether the run is complete and nothing is wrong with it."""
        return not self.open and not self.problems


def verify(out: str, found: Callable[[Problem], None] = lambda problem: None) -> Verification:
    """Checks a run's results. While it is at work, those that were recorded when this began.

    Args:
        out: the output folder.
        found: takes each problem, as it is found.

    Returns:
        What the ledger says, and how many problems `found` was told.

    Raises:
        UsageError: when the folder holds no run, or its own files cannot be read.
    """
    folder = RunFolder(out)
    record = read_run_record(folder)
    if record.format == PARQUET:
        check_pyarrow()
    at_work = holder(folder) is not None
    progress = replay(folder.ledger, record.listing.count)
    images = ImageList(folder.list, folder.index)
    number = 0
    try:
        own = _own_files(folder, record, progress, at_work)
        if record.format == JSON:
            problems = _json_files(folder, record.listing.naming, images, progress)
        else:
            problems = _shards(folder, record.format, images, progress, at_work)
        for problem in itertools.chain(own, problems):
            number += 1
            found(problem)
    finally:
        images.close()
    return Verification(
        record.listing.count, progress.count(RESULT), progress.count(FAILED), progress.count(OPEN), number
    )


def _own_files(folder: RunFolder, record: RunRecord, progress: Progress, at_work: bool) -> Iterator[Problem]:
    if list_digest(folder.list) != record.listing.digest:
        yield Problem(folder.list, "it is not the list of this run any more")
    size = os.path.getsize(folder.ledger) if os.path.exists(folder.ledger) else 0
    if progress.damaged:
        yield Problem(folder.ledger, "{:,} bytes in its middle are damaged".format(progress.damaged))
    if size != progress.size and not at_work:
        torn = size - progress.size
        yield Problem(folder.ledger, "its last {:,} bytes are torn; the next start cuts them off".format(torn))
    standing = sum(1 for _ in standing_failures(folder.ledger, progress))
    if standing != progress.count(FAILED):
        what = "{:,} images failed, but {:,} reasons stand".format(progress.count(FAILED), standing)
        yield Problem(folder.ledger, what)


def _json_files(folder: RunFolder, naming: Naming, images: ImageList, progress: Progress) -> Iterator[Problem]:
    checksums = np.zeros(len(progress.states), "<u4")
    for record in read_records(folder.ledger, progress):
        if isinstance(record, DoneRecord) and record.checksums:
            checksums[record.start : record.start + record.count] = np.frombuffer(record.checksums, "<u4")
    out = os.fsencode(folder.out)
    for index, image in enumerate(images):
        name = naming.result_name(image)
        path = os.path.join(out, name)
        state = progress.states[index]
        if state == OPEN:
            continue
        if state == FAILED:
            if os.path.isfile(path) and not is_ours(name):
                yield Problem(os.fsdecode(path), "its image has a failure record as well; remove this file")
            continue
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError as error:
            what = "the ledger says that it is done, but: {}".format(error.strerror)
            yield Problem(os.fsdecode(path), what, index, index + 1)
            continue
        if zlib.crc32(content) != checksums[index]:
            what = "its content is not what was written ({})".format(_json_fault(content))
            yield Problem(os.fsdecode(path), what, index, index + 1)


def _json_fault(content: bytes) -> str:
    try:
        wrong = fault(decode_json(content))
    except ValueError as error:
        wrong = "no JSON: {}".format(error)
    return wrong or "the checksum differs"


def _shards(folder: RunFolder, name: str, images: ImageList, progress: Progress, at_work: bool) -> Iterator[Problem]:
    there: Set[str] = {shard.path for shard in shards_in(folder.out, name)}
    seen = np.zeros(len(progress.states), np.uint8)
    known = known_shards(folder.ledger, progress)
    for number, record in enumerate(read_records(folder.ledger, progress)):
        start, stop = record.start, record.start + record.count
        if not isinstance(record, DoneRecord) or known.get((start, stop)) != number:
            continue
        shard = Shard(start, stop, os.path.join(folder.out, shard_name(start, stop, name)))
        there.discard(shard.path)
        failed = {failure.index for failure in record.failures}
        expected = [index for index in range(start, stop) if index not in failed]
        for what in _shard_faults(shard, name, record.checksums, expected, images):
            yield Problem(shard.path, what, start, stop)
        seen[expected] += 1
    # A run at work has brought shards to their place that its ledger did not know when this began.
    for path in sorted(there) if not at_work else ():
        yield Problem(path, "the ledger does not know this shard; the next start removes it")
    for index in np.flatnonzero((seen > 1) | ((seen == 1) != (progress.states == RESULT))).tolist():
        yield Problem(os.fsdecode(images[index]), "it has {} results".format(seen[index]), index, index + 1)


def _shard_faults(shard: Shard, name: str, checksum: bytes, expected: List[int], images: ImageList) -> Iterator[str]:
    try:
        with open(shard.path, "rb") as file:
            content = file.read()
    except OSError as error:
        yield "the ledger says that it is done, but: {}".format(error.strerror)
        return
    if np.array([zlib.crc32(content)], "<u4").tobytes() != checksum:
        yield "its content is not what was written (the checksum differs)"
        return
    rows = {row.index: row.detections for row in CODECS[name].decode(content)}
    if sorted(rows) != expected:
        yield "it has not the rows that it should have"
    for index, detections in rows.items():
        wrong = fault(detections)
        if wrong is not None:
            yield "{}: {}".format(os.fsdecode(images[index]), wrong)
