"""Opens images again whose results were lost or changed, so that the next start does them."""

from __future__ import annotations

from typing import Callable, Iterable, List, Tuple

from ..errors import OutputError
from ..ledger import OPEN, RESULT, Ledger, replay
from ..lock import RunLock
from ..naming import JSON
from ..runfolder import RunFolder
from ..runrecord import read_run_record
from .shards import known_shards

Range = Tuple[int, int]


def repair(out: str, lost: Iterable[Range], say: Callable[[str], None]) -> int:
    """Notes in the ledger that results are to be made again.

    Args:
        out: the output folder.
        lost: half-open ranges of images whose results `verify` found lost.
        say: takes a sentence for the operator.

    Returns:
        How many images are to be done again.

    Raises:
        OutputError: when a run is at work on the folder, or the ledger cannot be written.
    """
    folder = RunFolder(out)
    record = read_run_record(folder)
    with RunLock(folder, say):
        before = replay(folder.ledger, record.listing.count)
        ranges = joined(lost)
        if record.format != JSON:
            ranges = closed(ranges, known_shards(folder.ledger, before))
        try:
            ledger = Ledger(folder.ledger, before.size)
            for start, stop in ranges:
                ledger.open_again(start, stop - start, RESULT)
            ledger.commit()
            ledger.close()
        except OSError as error:
            raise OutputError("{}: it cannot be written ({}).".format(folder.ledger, error.strerror))
        return replay(folder.ledger, record.listing.count).count(OPEN) - before.count(OPEN)


def joined(ranges: Iterable[Range]) -> List[Range]:
    """The same indices in as few ranges as will do, in order."""
    found: List[Range] = []
    for start, stop in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        elif start < stop:
            found.append((start, stop))
    return found


def closed(ranges: List[Range], shards: Iterable[Range]) -> List[Range]:
    """Ranges made larger until each shard is in one of them whole, or not at all.

    A shard may lie inside another one's range: that of an image that failed at first.
    """
    while True:
        touched = [shard for shard in shards if any(shard[0] < stop and start < shard[1] for start, stop in ranges)]
        larger = joined(ranges + touched)
        if larger == ranges:
            return ranges
        ranges = larger
