"""Makes a ledger short again: one record for all that a thousand said, so that replay stays quick however long a run takes.

The new ledger is written beside the old one and renamed over it once the disk has it, so a crash leaves the one or the other.
Only ledgers of runs with a file an image are made short: a shard's name is its record's range.
"""

from __future__ import annotations

import collections
import os
from typing import Iterator, List

import numpy as np

from ..ledger import FAILED, OPEN, RESULT, DoneRecord, Ledger, Progress, read_records, replay, standing_failures
from ..messages import Failure

#: Images a record may speak of; their checksums make it 256 KB.
_IMAGES = 1 << 16
#: Failures a record may have; each has a reason of up to some kilobytes.
_FAILURES = 1000
_COMMIT_EVERY = 64
#: Fewer records than this for each one that would do are left as they are.
_WORTH = 16
#: With more failures than this, what they say would fill the memory.
_MOST_FAILURES = 100000


def worth_it(progress: Progress) -> bool:
    """Whether a ledger has many more records than it needs."""
    done = len(progress.states) - progress.count(OPEN)
    return progress.records > _WORTH * (1 + done // _IMAGES) and progress.count(FAILED) <= _MOST_FAILURES


def compact(path: str, progress: Progress) -> Progress:
    """Writes a ledger anew, with as few records as will do.

    Args:
        path: the ledger.
        progress: its replay.

    Returns:
        The new ledger's replay, which says the same.

    Raises:
        OSError: when the disk refuses; the old ledger then still stands.
    """
    short = path + ".short"
    ledger = Ledger(short, 0)
    try:
        for number, record in enumerate(_short_records(path, progress), 1):
            ledger.add(*record)
            if number % _COMMIT_EVERY == 0:
                ledger.commit()
        ledger.commit()
    finally:
        ledger.close()
    after = replay(short, len(progress.states))
    if not np.array_equal(after.states, progress.states) or after.damaged:
        raise OSError("{}: it does not say what the long one says".format(short))
    os.replace(short, path)
    sync_folder(os.path.dirname(path))
    return after


def _short_records(path: str, progress: Progress) -> Iterator[DoneRecord]:
    checksums = np.zeros(len(progress.states), "<u4")
    for record in read_records(path, progress):
        if isinstance(record, DoneRecord) and record.checksums:
            checksums[record.start : record.start + record.count] = np.frombuffer(record.checksums, "<u4")
    failures = collections.deque(sorted(standing_failures(path, progress)))
    for start, stop in progress.ranges(RESULT, FAILED):
        while start < stop:
            end = min(start + _IMAGES, stop)
            inside: List[Failure] = []
            while failures and failures[0].index < end:
                inside.append(failures.popleft())
                if len(inside) == _FAILURES:
                    end = inside[-1].index + 1
            yield DoneRecord(start, end - start, inside, checksums[start:end].tobytes())
            start = end


def sync_folder(path: str) -> None:
    """Waits until the disk has a folder's entries."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
