"""Chooses the parts of a format by its name."""

from __future__ import annotations

import contextlib
import os
from typing import Callable, Dict, Iterator, List, NamedTuple

from ..errors import OutputError
from ..imagelist import ImageList
from ..naming import JSON, JSONL, PARQUET, Naming
from ..output import jsonl, parquet
from ..runfolder import RunFolder
from .format import Keeper, Row, Store
from .jsonfiles import JsonFiles, JsonFilesKeeper
from .shards import Shards, ShardsKeeper, shards_in


class Codec(NamedTuple):
    """How a shard's rows become bytes, and come back."""

    encode: Callable[[List[Row]], bytes]
    decode: Callable[[bytes], Iterator[Row]]


CODECS: Dict[str, Codec] = {
    JSONL: Codec(jsonl.encode, jsonl.decode),
    PARQUET: Codec(parquet.encode, parquet.decode),
}
#: Images of a block at most. A shard is a block, and files of a few hundred images serve whoever reads them.
BLOCK_IMAGES = {JSON: 64, JSONL: 512, PARQUET: 512}
#: Seconds after which the finished part of a block is recorded, though the block is not done. For a shard format each part is
#: a file.
REPORT_EVERY = {JSON: 5.0, JSONL: 60.0, PARQUET: 60.0}
#: Bytes an image takes on the disk when nothing is known yet: twenty detections.
USUAL_BYTES = {JSON: 4096, JSONL: 2500, PARQUET: 500}


def begin_anew(folder: RunFolder) -> None:
    """Forgets the run in a folder, of which nothing is done: its ledger, which is about another list, its shards and figures.

    Args:
        folder: the run folder.

    Raises:
        OutputError: when there are shards but no ledger, so that nobody knows whether they are worth keeping.
        OSError: when the disk refuses.
    """
    shards = [shard for suffix in CODECS for shard in shards_in(folder.out, suffix)]
    if shards and not os.path.exists(folder.ledger):
        raise OutputError(
            "--out {}: there are {:,} shards ({} for one), but no ledger that knows them. Choose another folder, or remove "
            "them.".format(folder.out, len(shards), os.path.basename(shards[0].path))
        )
    for shard in shards:
        os.unlink(shard.path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(folder.ledger)
    for path in (folder.metrics, folder.progress, folder.summary, folder.report):
        with contextlib.suppress(OSError):
            os.unlink(path)


def make_store(name: str, worker: str, folder: RunFolder, naming: Naming) -> Store:
    """A worker's side of a format.

    Args:
        name: the format.
        worker: the worker's name.
        folder: the run folder.
        naming: how result files are named.
    """
    if name == JSON:
        return JsonFiles(worker, folder, naming)
    return Shards(worker, folder, name, CODECS[name].encode)


def make_keeper(name: str, folder: RunFolder, images: ImageList, naming: Naming) -> Keeper:
    """The dispatcher's side of a format; arguments as `make_store`, and the image list."""
    if name == JSON:
        return JsonFilesKeeper(folder, images, naming)
    return ShardsKeeper(folder, name)
