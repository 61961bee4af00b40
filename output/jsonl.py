"""JSON Lines: `{"index": 17, "image": "/data/f17.jpg", "im_size": [1080, 1920], "detections": [...]}`, one image a line."""

from __future__ import annotations

import os
from typing import Iterator, List

from .encoding import decode_json, encode_json
from .format import Row


def encode(rows: List[Row]) -> bytes:
    r"""A file's content. Odd bytes of names are `\udcXX` escapes (Python's `surrogateescape`)."""
    lines = [
        encode_json(
            {
                "index": row.index,
                "image": os.fsdecode(row.image),
                "im_size": list(row.image_size),
                "detections": row.detections,
            }
        )
        for row in rows
    ]
    return b"".join(line + b"\n" for line in lines)


def decode(content: bytes) -> Iterator[Row]:
    """The rows of a file.

    Raises:
        ValueError, KeyError, TypeError: when it is no such file.
    """
    for line in content.splitlines():
        row = decode_json(line)
        height, width = row["im_size"]
        yield Row(row["index"], os.fsencode(row["image"]), (height, width), row["detections"])
