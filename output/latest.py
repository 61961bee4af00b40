"""The latest results of a run, without reading the others: those of the last records in its ledger."""

from __future__ import annotations

import os
from typing import Dict, List, Optional, Sequence, Set, Tuple

from ..errors import OutputError
from ..imagelist import ImageList
from ..ledger import RESULT, DoneRecord, OpenedRecord, Record, last_records
from ..naming import JSON
from ..runfolder import RunFolder
from ..runrecord import RunRecord
from .format import Row
from .results import Result, read_result_file, read_shard
from .shards import Shard, shard_name

#: Images of one block lie side by side in the list and look alike; so there are only a few of each, while there are others.
_OF_A_BLOCK = 4
#: Bytes at the ledger's end in which they are looked for: some thousand blocks.
_LEDGER_END = 1 << 18
#: Results that cannot be read, for each that is wanted, after which no more are tried: they were moved away, or a disk is ill.
_MOST_UNREADABLE = 10


class LatestResults:
    """Finds them, again and again while the run goes on.

    Args:
        folder: the run folder.
        record: what runs.
        images: the image list.
    """

    def __init__(self, folder: RunFolder, record: RunRecord, images: ImageList) -> None:
        self._folder = folder
        self._record = record
        self._images = images
        self._shard: Tuple[str, Dict[int, Row]] = ("", {})
        self._seen: Tuple[int, int, int] = (-1, -1, -1)
        self._found: List[Result] = []

    def find(self, count: int) -> List[Result]:
        """So many of them at most, the latest first; results that cannot be read are passed over."""
        try:
            status = os.stat(self._folder.ledger)
            seen = (status.st_size, status.st_mtime_ns, count)
            if seen != self._seen:
                records = last_records(self._folder.ledger, len(self._images), _LEDGER_END)
                self._found = self._find(records, count, _OF_A_BLOCK)
                if len(self._found) < count:
                    self._found = self._find(records, count, count)
                self._seen = seen
        except OSError:
            return []
        return self._found

    def _find(self, records: Sequence[Record], count: int, of_a_block: int) -> List[Result]:
        found: List[Result] = []
        opened: List[OpenedRecord] = []
        taken: Set[int] = set()
        for record in reversed(records):
            if isinstance(record, OpenedRecord):
                opened += [record] if record.state == RESULT else []
                continue
            for index in self._to_take(record, opened, of_a_block):
                if index in taken:
                    continue
                taken.add(index)
                result = self._result(record, index)
                found += [result] if result is not None else []
                if len(found) == count or len(taken) - len(found) == _MOST_UNREADABLE * count:
                    return found
        return found

    @staticmethod
    def _to_take(record: DoneRecord, opened: List[OpenedRecord], most: int) -> List[int]:
        """A few of its images with a result, the last first; none if any was opened again since."""
        begin, end = record.start, record.start + record.count
        if any(one.start < end and begin < one.start + one.count for one in opened):
            return []
        failed = {failure.index for failure in record.failures}
        done = [index for index in range(begin, end) if index not in failed]
        step = max(1, len(done) // most)
        return done[::-1][::step][:most]

    def _result(self, record: DoneRecord, index: int) -> Optional[Result]:
        image = self._images[index]
        if self._record.format == JSON:
            name = self._record.listing.naming.result_name(image)
            path = os.fsdecode(os.path.join(os.fsencode(self._folder.out), name))
            try:
                return Result(index, os.fsdecode(image), path, read_result_file(path), None)
            except OutputError:
                return None
        name_of_shard = shard_name(record.start, record.start + record.count, self._record.format)
        shard = Shard(record.start, record.start + record.count, os.path.join(self._folder.out, name_of_shard))
        if self._shard[0] != shard.path:
            try:
                rows = {row.index: row for row in read_shard(shard, self._record.format)}
            except OutputError:
                rows = {}
            self._shard = shard.path, rows
        row = self._shard[1].get(index)
        if row is None:
            return None
        return Result(index, os.fsdecode(image), shard.path, row.detections, row.image_size)
