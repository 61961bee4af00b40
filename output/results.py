"""Reads a run's results, in the order of its list, while the run goes on or after."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from ..errors import OutputError
from ..imagelist import ImageList
from ..ledger import RESULT, Progress, replay, standing_failures
from ..messages import Failure
from ..naming import JSON, PARQUET
from ..runfolder import RunFolder
from ..runrecord import RunRecord, read_run_record
from .encoding import decode_json
from .format import Row
from .formats import CODECS
from .parquet import check_pyarrow
from .schema import fault
from .shards import Shard, known_shards, shard_name


class Result(NamedTuple):
    """One listed image.

    Attributes:
        index: position in the list, from 0.
        image: absolute path of the image.
        path: absolute path of the file that holds its result, or would hold it; "" for an image in no shard.
        detections: dicts with `category_id`, `cat_name`, `score`, `bbox` (`[x, y, width, height]` in pixels of the image),
            `segmentation`; None when the ledger knows of no result: the image failed, or is still to do.
        image_size: the image's height and width, pixels; None where the format does not tell.
    """

    index: int  # type: ignore[assignment]
    image: str
    path: str
    detections: Optional[List[Dict[str, Any]]]
    image_size: Optional[Tuple[int, int]]


def results(out: str) -> Iterator[Result]:
    """Iterates over a run's images.

    Args:
        out: the output folder.

    Yields:
        One entry for each listed image, in the list's order.

    Raises:
        OutputError: when the folder holds no run, or a result file is damaged.
    """
    folder = RunFolder(out)
    record = read_run_record(folder)
    progress = replay(folder.ledger, record.listing.count)
    images = ImageList(folder.list, folder.index)
    read = _files if record.format == JSON else _shards
    if record.format == PARQUET:
        check_pyarrow()
    try:
        yield from read(folder, images, record, progress)
    finally:
        images.close()


def _files(folder: RunFolder, images: ImageList, record: RunRecord, progress: Progress) -> Iterator[Result]:
    out, naming = os.fsencode(folder.out), record.listing.naming
    for index, image in enumerate(images):
        path = os.fsdecode(os.path.join(out, naming.result_name(image)))
        detections = None
        # The ledger tells what is a result of this run; an unknown file may be an earlier run's.
        if progress.states[index] == RESULT:
            detections = read_result_file(path)
        yield Result(index, os.fsdecode(image), path, detections, _size_in(detections))


def _shards(folder: RunFolder, images: ImageList, record: RunRecord, progress: Progress) -> Iterator[Result]:
    with_size = record.config["result_style"] == "later"
    waiting = iter(sorted(known_shards(folder.ledger, progress)))
    following = next(waiting, None)
    rows: Dict[int, Tuple[Row, str]] = {}
    for index, image in enumerate(images):
        while following is not None and following[0] <= index:
            shard = Shard(*following, os.path.join(folder.out, shard_name(*following, record.format)))
            rows.update((row.index, (row, shard.path)) for row in read_shard(shard, record.format))
            following = next(waiting, None)
        row, path = rows.pop(index, (None, ""))
        if row is None:
            yield Result(index, os.fsdecode(image), path, None, None)
            continue
        yield _result(row, image, path, with_size)


class Lookup:
    """A run's results by their place in its list: for a few of millions.

    Args:
        out: the output folder.

    Attributes:
        folder: the run folder.
        record: what runs.
        images: the image list.
        progress: what the ledger said when this was made.

    Raises:
        OutputError: when the folder holds no run.
    """

    def __init__(self, out: str) -> None:
        self.folder = RunFolder(out)
        self.record = read_run_record(self.folder)
        if self.record.format == PARQUET:
            check_pyarrow()
        self.progress = replay(self.folder.ledger, self.record.listing.count)
        known = [] if self.record.format == JSON else sorted(known_shards(self.folder.ledger, self.progress))
        self._shards = np.array(known, np.int64).reshape(-1, 2)
        self._last: Tuple[str, Dict[int, Row]] = ("", {})
        self.images = ImageList(self.folder.list, self.folder.index)

    def at(self, index: int) -> Result:
        """The result of image `index`, as `results` gives it.

        Raises:
            OutputError: when the file that holds it is damaged.
        """
        image = self.images[index]
        if self.record.format == JSON:
            path = os.path.join(self.folder.out, os.fsdecode(self.record.listing.naming.result_name(image)))
            detections = read_result_file(path) if self.progress.states[index] == RESULT else None
            return Result(index, os.fsdecode(image), path, detections, _size_in(detections))
        # A failed image that was tried again has a shard of its own, in the middle of another one.
        for start, stop in self._shards[(self._shards[:, 0] <= index) & (index < self._shards[:, 1])].tolist():
            path = os.path.join(self.folder.out, shard_name(start, stop, self.record.format))
            if self._last[0] != path:
                self._last = path, {row.index: row for row in read_shard(Shard(start, stop, path), self.record.format)}
            row = self._last[1].get(index)
            if row is not None:
                return _result(row, image, path, self.record.config["result_style"] == "later")
        return Result(index, os.fsdecode(image), "", None, None)

    def failures(self) -> Iterator[Failure]:
        """The failures that stand."""
        return standing_failures(self.folder.ledger, self.progress)

    def close(self) -> None:
        """Closes the list."""
        self.images.close()


def _result(row: Row, image: bytes, path: str, with_size: bool) -> Result:
    if with_size:
        for detection in row.detections:
            detection["im_size"] = list(row.image_size)
    return Result(row.index, os.fsdecode(image), path, row.detections, row.image_size)


def _size_in(detections: Optional[List[Dict[str, Any]]]) -> Optional[Tuple[int, int]]:
    size = tuple(detections[0].get("im_size", ())) if detections else ()
    return size or None  # type: ignore[return-value]


def read_result_file(path: str) -> List[Dict[str, Any]]:
    """The detections in a JSON file.

    Args:
        path: the file.

    Raises:
        OutputError: when it is damaged.
    """
    try:
        with open(path, "rb") as file:
            detections = decode_json(file.read())
    except (OSError, ValueError) as error:
        raise _damaged(path, error)
    wrong = fault(detections)
    if wrong is not None:
        raise _damaged(path, wrong)
    return detections  # type: ignore[no-any-return]


def read_shard(shard: Shard, name: str) -> List[Row]:
    """A shard's rows.

    Args:
        shard: the shard.
        name: its format.

    Raises:
        OutputError: when it is damaged.
    """
    try:
        with open(shard.path, "rb") as file:
            return list(CODECS[name].decode(file.read()))
    except Exception as error:  # A Parquet library raises errors of its own.
        raise _damaged(shard.path, error)


def _damaged(path: str, error: object) -> OutputError:
    return OutputError(
        "{}: this result cannot be read ({}). `divainfer verify` tells which others cannot.".format(path, error)
    )
