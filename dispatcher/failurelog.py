r"""`failures.jsonl`: the ledger's failures for people and scripts, one JSON object a line.

    {"index": 17, "image": "/data/cam1/f17.jpg", "kind": "truncated", "reason": "..."}

Names that are not UTF-8 hold their odd bytes as `\udcXX` escapes (Python's `surrogateescape`).
"""

from __future__ import annotations

import json
import os
from typing import Iterable

from ..imagelist import ImageList
from ..messages import Failure


class FailureLog:
    """Shows failures as they are recorded.

    Args:
        path: where `failures.jsonl` is; written anew.
        images: the image list.
        earlier: failures that the ledger already knows.
    """

    def __init__(self, path: str, images: ImageList, earlier: Iterable[Failure]) -> None:
        self._images = images
        part = path + ".part"
        self._file = open(part, "w", encoding="ascii")
        self.add(earlier)
        os.replace(part, path)

    def add(self, failures: Iterable[Failure]) -> None:
        """Appends failures, which the ledger holds already."""
        for failure in failures:
            line = {
                "index": failure.index,
                "image": os.fsdecode(self._images[failure.index]),
                "kind": failure.kind,
                "reason": failure.reason,
            }
            self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
