"""What was found: detections by class and score, of results spread evenly over the run."""

from __future__ import annotations

import collections
import os
import random
import time
from typing import Any, Counter, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, TypeVar

import numpy as np

from ..errors import OutputError
from ..imagelist import ImageList
from ..ledger import RESULT, Progress
from ..naming import JSON
from ..output.encoding import decode_json
from ..output.results import read_shard
from ..output.schema import fault
from ..output.shards import Shard, known_shards, shard_name
from ..runfolder import RunFolder
from ..runrecord import RunRecord
from .metrics import spread

#: Results that are read, where each is a file; where some hundred share one, about as many, and so many files at least.
MOST_RESULTS, _LEAST_SHARDS = 1000, 4
#: A disk that is slower than this is not kept longer.
MOST_SECONDS = 5.0
#: A larger file is passed over: its results would take the memory that the report must not.
_MOST_BYTES = 16 << 20
SCORE_BINS = 20
_CHUNK = 1 << 20
#: Classes that are told apart; a model has fewer, and the results of a strange engine do no harm.
_MOST_CLASSES = 10000
#: Images that may be shown; fewer will be, but some cannot be read any more.
_CANDIDATES = 40

Thing = TypeVar("Thing")


class Found(NamedTuple):
    """An image with its detections, dicts as in a result file."""

    image: bytes
    detections: List[Dict[str, Any]]


class _Looked(NamedTuple):
    """What came of reading a result.

    Attributes:
        place: of its image in the list.
        found: what it says; None when it cannot be read.
        images: how many images this is about: of a file that they share and that cannot be read, all of them.
    """

    place: int
    found: Optional[Found]
    images: int = 1


class Survey(NamedTuple):
    """Results that were looked at.

    Attributes:
        images: how many.
        of: how many there are.
        detections: on the images that were looked at.
        classes: how many of each class, by name.
        scores: how many by score: SCORE_BINS bins from 0 to 1.
        empty: images without a detection.
        unreadable: results that could not be read, or not be told from something else, or are in too large a file.
        candidates: images to show, in the list's order.
    """

    images: int
    of: int
    detections: int
    classes: Dict[str, int]
    scores: List[int]
    empty: int
    unreadable: int
    candidates: List[Found]


def survey_results(
    folder: RunFolder, record: RunRecord, images: ImageList, progress: Progress, seconds: float = MOST_SECONDS
) -> Survey:
    """Reads some results, in such an order that those are spread evenly over the run for which there was time.

    Args:
        folder: the run folder.
        record: what runs.
        images: its list.
        progress: the ledger's replay.
        seconds: after which no further result is read.
    """
    until = 0.0
    results = progress.count(RESULT)
    classes: Counter[str] = collections.Counter()
    scores = np.zeros(SCORE_BINS, np.int64)
    seen = detections = empty = unreadable = 0
    candidates: List[Tuple[int, Found]] = []
    lots = random.Random(0)
    looks = _files(folder, record, images, progress) if record.format == JSON else _shards(folder, record, progress)
    for place, found, many in looks:
        # From the first result on: a library may have had to be loaded for it.
        until = until or time.monotonic() + seconds
        if found is None:
            unreadable += many
        else:
            seen += 1
            detections += len(found.detections)
            empty += not found.detections
            for detection in found.detections:
                name = detection["cat_name"]
                if name in classes or len(classes) < _MOST_CLASSES:
                    classes[name] += 1
                scores[_bin(detection["score"])] += 1
            if found.detections:
                # By lot, each with the same chance, whatever the order; never many in memory.
                lot = lots.randrange(seen - empty)
                if len(candidates) < _CANDIDATES:
                    candidates.append((place, found))
                elif lot < _CANDIDATES:
                    candidates[lot] = place, found
        if time.monotonic() > until:
            break
    candidates.sort(key=lambda candidate: candidate[0])
    shown = [found for _, found in candidates]
    return Survey(seen, results, detections, dict(classes), scores.tolist(), empty, unreadable, shown)


def _bin(score: float) -> int:
    return min(SCORE_BINS - 1, max(0, int(score * SCORE_BINS)))


def _files(folder: RunFolder, record: RunRecord, images: ImageList, progress: Progress) -> Iterator[_Looked]:
    out = os.fsencode(folder.out)
    for index in _scattered(places_of(progress, RESULT, MOST_RESULTS)):
        image = images[index]
        content = _content(os.path.join(out, record.listing.naming.result_name(image)))
        try:
            detections = None if content is None else decode_json(content)
        except ValueError:
            detections = None
        yield _looked(index, image, detections)


def _shards(folder: RunFolder, record: RunRecord, progress: Progress) -> Iterator[_Looked]:
    known = sorted(known_shards(folder.ledger, progress))
    wanted = -(-MOST_RESULTS * len(known) // max(1, progress.count(RESULT)))
    for start, stop in _scattered([known[place] for place in spread(len(known), max(_LEAST_SHARDS, wanted))]):
        path = os.path.join(folder.out, shard_name(start, stop, record.format))
        try:
            rows = read_shard(Shard(start, stop, path), record.format) if os.path.getsize(path) <= _MOST_BYTES else None
        except (OSError, OutputError):
            rows = None
        if rows is None:
            yield _Looked(start, None, int(np.count_nonzero(progress.states[start:stop] == RESULT)))
            continue
        for row in rows:
            yield _looked(row.index, row.image, row.detections)


def _looked(place: int, image: bytes, detections: Any) -> _Looked:
    return _Looked(place, Found(image, detections) if fault(detections) is None else None)


def _scattered(things: Sequence[Thing]) -> List[Thing]:
    """In such an order that the first ones, however many, are spread evenly over all: by the binary digits, backwards."""
    width = max(1, (len(things) - 1).bit_length())
    order = sorted(range(len(things)), key=lambda place: int("{:0{}b}".format(place, width)[::-1], 2))
    return [things[place] for place in order]


def _content(path: bytes) -> Optional[bytes]:
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError):
        return None
    return content if len(content) <= _MOST_BYTES else None


def places_of(progress: Progress, state: int, wanted: int) -> Sequence[int]:
    """Up to `wanted` images in a state, evenly spread over all of them, in order.

    Args:
        progress: the ledger's replay.
        state: of `ledger`.
        wanted: at least 2.
    """
    ranks = np.array(spread(progress.count(state), wanted), np.int64)
    found: List[int] = []
    passed = 0
    for base in range(0, len(progress.states), _CHUNK):
        inside = np.flatnonzero(progress.states[base : base + _CHUNK] == state)
        here = ranks[(ranks >= passed) & (ranks < passed + len(inside))] - passed
        found += (inside[here] + base).tolist()
        passed += len(inside)
    return found
