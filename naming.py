"""Where an image's result goes.

Three rules, one a run, chosen when the list is read (`dispatcher/listing.py`) and kept in `run.json`:

    stem    <root>/cam1/a.jpg -> <out>/cam1/a.json         the usual one
    full    <root>/cam1/a.jpg -> <out>/cam1/a.jpg.json     when two images of the list differ in nothing but the extension
    flat    <root>/cam1/a.jpg -> <out>/a.json              as in 2019, on request

A frame of a video has no extension, so the video keeps its own: <root>/cam1/a.mp4/00000123 -> <out>/cam1/a.mp4/00000123.json.

`root` is the folder all listed images and videos have in common (or the folder given to `--images`).
"""

from __future__ import annotations

import os
from typing import NamedTuple

STEM, FULL, FLAT = "stem", "full", "flat"

#: Result formats: a file an image, or files of some hundred (see `output/format.py`). The rules above are for the first.
JSON, JSONL, PARQUET = "json", "jsonl", "parquet"
FORMATS = (JSON, JSONL, PARQUET)


class Naming(NamedTuple):
    """The rule of one run.

    Attributes:
        rule: STEM, FULL or FLAT.
        root: absolute path without a slash at its end (the empty path for the root folder itself).
    """

    rule: str
    root: bytes

    def result_name(self, image: bytes) -> bytes:
        """The result's path relative to the output folder.

        Args:
            image: absolute path of an image below `root`.
        """
        if self.rule == FLAT:
            name = image[image.rindex(b"/") + 1 :]
        else:
            name = image[len(self.root) + 1 :]
        if self.rule == FULL:
            return name + b".json"
        return os.path.splitext(name)[0] + b".json"
