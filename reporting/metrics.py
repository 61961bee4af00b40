"""Of the samples in `metrics.jsonl` as many as a report needs: a bounded number, however long the run was."""

from __future__ import annotations

import re
from typing import BinaryIO, Dict, List, NamedTuple, Optional

import orjson

from ..monitor.sample import Sample

#: Samples that are read in full. Charts show a few hundred points; medians are the better the more there are.
MOST_SAMPLES = 2000
#: Of a run that was started more often than this, the latest starts are shown.
MOST_STARTS = 100
#: A line's start is told by its beginning, without reading all that its workers say.
_START = re.compile(rb'"start":\s*([-+.0-9eE]+)')


class Metrics(NamedTuple):
    """What was read.

    Attributes:
        starts: the samples of each start, the oldest first, each from its first sample to its last.
        read: how many samples these are.
        found: how many the file has.
        left_out: starts before these, whose samples were passed over.
    """

    starts: List[List[Sample]]
    read: int
    found: int
    left_out: int


def read_some(path: str, most: int = MOST_SAMPLES, most_starts: int = MOST_STARTS) -> Metrics:
    """Reads samples evenly spread over each start, its first and its last one always among them.

    Args:
        path: `metrics.jsonl`; nothing is found where there is none. Lines that are no sample are passed over.
        most: samples to read, apart from those two of each start.
        most_starts: the latest starts that are read.
    """
    try:
        file = open(path, "rb")
    except OSError:
        return Metrics([], 0, 0, 0)
    with file:
        places = _places(file)
        latest = sorted(places)[-most_starts:]
        found = sum(map(len, places.values()))
        kept = sum(len(places[start]) for start in latest)
        share = min(1.0, most / kept) if kept else 1.0
        starts = [_read(file, places[start], max(2, int(share * len(places[start])))) for start in latest]
    starts = [samples for samples in starts if samples]
    return Metrics(starts, sum(map(len, starts)), found, len(places) - len(latest))


def spread(count: int, wanted: int) -> List[int]:
    """Up to `wanted` (two or more) positions evenly spread over `count`, the first and the last among them."""
    if count <= wanted:
        return list(range(count))
    return [round(number * (count - 1) / (wanted - 1)) for number in range(wanted)]


def _places(file: BinaryIO) -> Dict[float, List[int]]:
    """Where the samples of each start begin in the file."""
    places: Dict[float, List[int]] = {}
    at = 0
    for line in file:
        match = _START.search(line)
        if match is not None:
            try:
                places.setdefault(float(match.group(1)), []).append(at)
            except ValueError:
                pass
        at += len(line)
    return places


def _read(file: BinaryIO, places: List[int], wanted: int) -> List[Sample]:
    chosen = {position: _sample_at(file, places[position]) for position in spread(len(places), wanted)}
    # A dispatcher that was killed, or a full disk, may have left the last one torn; it has the start's sums.
    last = len(places) - 1
    while last > 0 and chosen.setdefault(last, _sample_at(file, places[last])) is None:
        last -= 1
    samples = (chosen[position] for position in sorted(chosen))
    return [sample for sample in samples if sample is not None]


def _sample_at(file: BinaryIO, place: int) -> Optional[Sample]:
    file.seek(place)
    try:
        return Sample.from_json(orjson.loads(file.readline()))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
