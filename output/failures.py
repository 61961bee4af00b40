"""Reads a run's failures from its folder, while the run goes on or after."""

from __future__ import annotations

import os
from typing import Iterator, NamedTuple

from ..commandline import repeat_command
from ..imagelist import ImageList
from ..ledger import replay, standing_failures
from ..runfolder import RunFolder
from ..runrecord import read_run_record


class FailedImage(NamedTuple):
    """An image without a result.

    Attributes:
        index: position in the list, from 0.
        image: its absolute path.
        kind: one word, see docs/reference/files.md.
        reason: one sentence.
        repeat: the command that tries this image alone.
    """

    index: int  # type: ignore[assignment]
    image: str
    kind: str
    reason: str
    repeat: str


def failures(out: str) -> Iterator[FailedImage]:
    """Iterates over the failures that stand, in the order they were recorded.

    Args:
        out: the output folder.

    Raises:
        OutputError: when the folder holds no run.
    """
    folder = RunFolder(out)
    record = read_run_record(folder)
    images = ImageList(folder.list, folder.index)
    try:
        progress = replay(folder.ledger, record.listing.count)
        for failure in standing_failures(folder.ledger, progress):
            image = os.fsdecode(images[failure.index])
            yield FailedImage(*failure[:1], image, *failure[1:], repeat_command(record.config, failure.index, image))
    finally:
        images.close()
