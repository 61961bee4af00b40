"""JSON Lines: `{"index": 17, "image": "/data/f17.jpg", "im_size": [1080, 1920], "detections": [...]}`, one image a line."""

from __future__ import annotations

import json
import os
from typing import Iterator, List

from .format import Row


def encode(rows: List[Row]) -> bytes:
    r"""A file's content. Odd bytes of names are `\udcXX` escapes (Python's `surrogateescape`)."""
    lines = [
        json.dumps(
            {
                "index": row.index,
                "image": os.fsdecode(row.image),
                "im_size": list(row.image_size),
                "detections": row.detections,
            }
        )
        for row in rows
    ]
    return "".join(line + "\n" for line in lines).encode("ascii")


def decode(content: bytes) -> Iterator[Row]:
    """The rows of a file.

    Raises:
        ValueError, KeyError, TypeError: when it is no such file.
    """
    for line in content.splitlines():
        row = json.loads(line.decode("ascii"))
        height, width = row["im_size"]
        yield Row(row["index"], os.fsencode(row["image"]), (height, width), row["detections"])
