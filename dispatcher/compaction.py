"""Makes a ledger short again: one record for all that a thousand said, so that replay stays quick however long a run takes.

The new ledger is written beside the old one and renamed over it once the disk has it, so a crash leaves the one or the other.
Only ledgers of runs with a file an image are made short: a shard's name is its record's range.
"""

from __future__ import annotations

import bisect
import os

import numpy as np

from ..ledger import FAILED, OPEN, RESULT, DoneRecord, Ledger, Progress, read_records, replay, standing_failures

#: Images a record may speak of; their checksums make it 256 KB.
_IMAGES = 1 << 16
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
    total = len(progress.states)
    checksums = np.zeros(total, "<u4")
    for record in read_records(path, total):
        if isinstance(record, DoneRecord) and record.checksums:
            checksums[record.start : record.start + record.count] = np.frombuffer(record.checksums, "<u4")
    failures = sorted(standing_failures(path, progress))
    indices = [failure.index for failure in failures]
    new = path + ".short"
    ledger = Ledger(new, 0)
    try:
        for start, stop in progress.ranges(RESULT, FAILED):
            for first in range(start, stop, _IMAGES):
                last = min(first + _IMAGES, stop)
                inside = failures[bisect.bisect_left(indices, first) : bisect.bisect_left(indices, last)]
                ledger.add(first, last - first, inside, checksums[first:last].tobytes())
        ledger.commit()
    finally:
        ledger.close()
    os.replace(new, path)
    sync_folder(os.path.dirname(path))
    return replay(path, total)


def sync_folder(path: str) -> None:
    """Waits until the disk has a folder's entries."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
