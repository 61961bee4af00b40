"""What was found: detections by class and score, of results spread evenly over the run."""

from __future__ import annotations

import collections
import os
import time
from typing import Any, Counter, Dict, Iterator, List, NamedTuple, Optional, Sequence

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
#: Images that may be shown, for each that will be: some cannot be read any more.
_CANDIDATES = 24


class Found(NamedTuple):
    """An image with its detections, dicts as in a result file."""

    image: bytes
    detections: List[Dict[str, Any]]


class Survey(NamedTuple):
    """Results that were looked at.

    Attributes:
        images: how many.
        of: how many there are.
        detections: on the images that were looked at.
        classes: how many of each class, by name.
        scores: how many by score: SCORE_BINS bins from 0 to 1.
        empty: images without a detection.
        unreadable: results that could not be read, or not be told from something else.
        candidates: images to show.
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
    """Reads some results.

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
    candidates: List[Found] = []
    step = 1
    files = _files(folder, record, images, progress) if record.format == JSON else _shards(folder, record, progress)
    for found in files:
        # From the first result on: a library may have had to be loaded for it.
        until = until or time.monotonic() + seconds
        if found is None:
            unreadable += 1
            continue
        seen += 1
        detections += len(found.detections)
        empty += not found.detections
        for detection in found.detections:
            name = detection["cat_name"]
            if name in classes or len(classes) < _MOST_CLASSES:
                classes[name] += 1
            scores[_bin(detection["score"])] += 1
        if found.detections and seen % step == 0:
            candidates.append(found)
        if len(candidates) == 2 * _CANDIDATES:
            # Evenly spread still, however many there will be, and never many in memory.
            candidates, step = candidates[::2], 2 * step
        if time.monotonic() > until:
            break
    return Survey(seen, results, detections, dict(classes), scores.tolist(), empty, unreadable, candidates)


def _bin(score: float) -> int:
    return min(SCORE_BINS - 1, max(0, int(score * SCORE_BINS)))


def _files(folder: RunFolder, record: RunRecord, images: ImageList, progress: Progress) -> Iterator[Optional[Found]]:
    out = os.fsencode(folder.out)
    for index in places_of(progress, RESULT, MOST_RESULTS):
        image = images[index]
        content = _content(os.path.join(out, record.listing.naming.result_name(image)))
        try:
            detections = None if content is None else decode_json(content)
        except ValueError:
            detections = None
        yield None if fault(detections) is not None else Found(image, detections)  # type: ignore[arg-type]


def _shards(folder: RunFolder, record: RunRecord, progress: Progress) -> Iterator[Optional[Found]]:
    known = sorted(known_shards(folder.ledger, progress))
    wanted = -(-MOST_RESULTS * len(known) // max(1, progress.count(RESULT)))
    for place in spread(len(known), max(_LEAST_SHARDS, wanted)):
        path = os.path.join(folder.out, shard_name(*known[place], record.format))
        try:
            if os.path.getsize(path) > _MOST_BYTES:
                continue
            rows = read_shard(Shard(*known[place], path), record.format)
        except (OSError, OutputError):
            yield None
            continue
        for row in rows:
            yield Found(row.image, row.detections) if fault(row.detections) is None else None


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
