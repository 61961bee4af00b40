r"""`failures.jsonl`: the ledger's failures for people and scripts, one JSON object a line.

    {"index": 17, "image": "/data/cam1/f17.jpg", "kind": "truncated", "reason": "...", "repeat": "divainfer run ..."}

`repeat` is there for the kinds `crash` and `engine`. Names that are not UTF-8 hold their odd bytes as `\udcXX` escapes
(Python's `surrogateescape`).
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterable

from ..commandline import repeat_command
from ..imagelist import ImageList
from ..messages import Failure

#: Kinds of which somebody may want to see again how they come about.
_REPEATABLE = frozenset(("crash", "engine"))


class FailureLog:
    """Shows failures as they are recorded.

    Args:
        path: where `failures.jsonl` is; written anew.
        images: the image list.
        config: the run's options, to tell how an image is tried alone.
        earlier: failures that the ledger already knows.
    """

    def __init__(self, path: str, images: ImageList, config: Dict[str, Any], earlier: Iterable[Failure]) -> None:
        self._images = images
        self._config = config
        part = path + ".part"
        self._file = open(part, "w", encoding="ascii")
        self.add(earlier)
        os.replace(part, path)

    def add(self, failures: Iterable[Failure]) -> None:
        """Appends failures, which the ledger holds already."""
        for failure in failures:
            image = os.fsdecode(self._images[failure.index])
            line = {
                "index": failure.index,
                "image": image,
                "kind": failure.kind,
                "reason": failure.reason,
            }
            if failure.kind in _REPEATABLE:
                line["repeat"] = repeat_command(self._config, failure.index, image)
            self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
