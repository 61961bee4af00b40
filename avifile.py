"""The frames of an AVI file: each chunk of its video stream is one, also the chunks without content.

NOTE [mentioned frames]: a recorder that had no new frame in time writes an entry of length 0, in the index and usually among the
chunks too. It stands for "the same as the last one" and counts: the file's length, its sound and other programs' annotations go by
it. A decoder gives nothing for it, so whoever counts what the decoder gives numbers all later frames too low.

NOTE [index or chunks]: FFmpeg goes by the old index (`idx1`) where there is one, also for entries without a chunk, and by the chunks
where there is none; so does this, since both must number alike. A file in several parts (OpenDML, above 1 GB) is read by its
chunks: its old index covers the first part only.
"""

from __future__ import annotations

import os
import struct
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from .frametable import MOST_FRAMES, FrameTable, VideoError, sources

_KEY_FRAME = 0x10
#: Codecs in which each frame stands alone, by what the stream's format calls them (`biCompression`, in capitals).
_EACH_ALONE = frozenset(
    (b"MJPG", b"JPEG", b"LJPG", b"AVRN", b"MPNG", b"HFYU", b"FFVH", b"DVSD", b"DIB ", b"RAW ", b"YUY2", b"UYVY", bytes(4))
)
_NO_CHUNKS = (np.zeros(0, np.int64), np.zeros(0, bool))


class _Stream(NamedTuple):
    """The video stream: the first two characters of its chunks' names, frames a second, frames, whether each stands alone."""

    prefix: bytes
    rate: float
    length: int
    each_alone: bool


class _Part(NamedTuple):
    """A list of chunks (`movi`): where it begins, and where it says it ends."""

    start: int
    stop: int


def read_avi(descriptor: int, size: int) -> FrameTable:
    """Reads the table of an AVI file.

    Args:
        descriptor: the file, open for reading.
        size: its length, bytes.

    Raises:
        VideoError: when it has no video stream, or its structure is damaged.
    """
    stream: Optional[_Stream] = None
    parts: List[_Part] = []
    index: Optional[Tuple[np.ndarray, np.ndarray]] = None
    at = 0
    while at + 12 <= size:
        name, length, kind = struct.unpack("<4sI4s", os.pread(descriptor, 12, at))
        if name != b"RIFF" or kind not in (b"AVI ", b"AVIX"):
            break
        # A recording that was cut short never got its length.
        stop = at + 8 + length if length else size
        inside = at + 12
        while inside + 12 <= min(stop, size):
            name, length, kind = struct.unpack("<4sI4s", os.pread(descriptor, 12, inside))
            end = inside + 8 + length
            if name == b"LIST" and kind == b"hdrl" and stream is None:
                stream = _video_stream(os.pread(descriptor, length, inside + 8)[4:])
            elif name == b"LIST" and kind == b"movi":
                parts.append(_Part(inside + 12, end if length > 4 else size))
                end = parts[-1].stop
            elif name == b"idx1" and stream is not None and end <= size:
                index = _read_index(os.pread(descriptor, length, inside + 8), stream.prefix)
            inside = end + end % 2
        at = max(inside, stop + stop % 2) if len(parts) else stop + stop % 2
    if stream is None or not parts:
        raise VideoError("truncated", "the AVI file ends before its frames begin")
    complete = parts[-1].stop <= size
    if index is not None and len(parts) == 1 and complete and len(index[0]):
        lengths, keys = index
        cut = np.zeros(len(lengths), bool)
        # An index in which all are key frames tells nothing: some programs write that whatever there is.
        keys = keys if stream.each_alone or not keys[lengths > 0].all() else np.zeros(len(keys), bool)
    else:
        lengths, cut = _walk(descriptor, size, parts, stream.prefix)
        keys = np.full(len(lengths), stream.each_alone)
    if not complete and len(lengths) < stream.length <= min(MOST_FRAMES, (parts[-1].stop - parts[0].start) // 8):
        missing = stream.length - len(lengths)
        lengths = np.append(lengths, np.ones(missing, np.int64))
        cut = np.append(cut, np.ones(missing, bool))
        keys = np.append(keys, np.zeros(missing, bool))
    return FrameTable(
        times=np.arange(len(lengths), dtype=np.int64),
        ticks_per_second=stream.rate,
        sources=sources(lengths == 0),
        cut=cut,
        keys=np.flatnonzero(keys & (lengths > 0)),
        late=not stream.each_alone,
    )


def _video_stream(header: bytes) -> _Stream:
    """Finds the first video stream in the file's header list."""
    number = -1
    for name, start, stop in _chunks(header, 0, len(header)):
        if name != b"LIST" or header[start : start + 4] != b"strl":
            continue
        number += 1
        found: Dict[bytes, bytes] = {
            name: header[first:last] for name, first, last in _chunks(header, start + 4, stop)
        }
        described, form = found.get(b"strh", b""), found.get(b"strf", b"")
        if described[:4] != b"vids":
            continue
        scale, rate, _, length = struct.unpack_from("<IIII", described, 20)
        if not scale or not rate:
            raise VideoError("corrupt", "the AVI file does not say how many frames a second it has")
        return _Stream(b"%02d" % number, rate / scale, length, form[16:20].upper() in _EACH_ALONE)
    raise VideoError("not-a-video", "the AVI file has no video stream")


def _chunks(data: bytes, at: int, stop: int) -> List[Tuple[bytes, int, int]]:
    found = []
    while at + 8 <= stop:
        name, length = struct.unpack_from("<4sI", data, at)
        found.append((name, at + 8, min(at + 8 + length, stop)))
        at += 8 + length + length % 2
    return found


def _read_index(data: bytes, prefix: bytes) -> Tuple[np.ndarray, np.ndarray]:
    """Length, and whether it is a key frame, of each entry of the video stream."""
    entries = np.frombuffer(
        data[: len(data) // 16 * 16], [("name", "S4"), ("flags", "<u4"), ("place", "<u4"), ("length", "<u4")]
    )
    mine = (entries["name"] == prefix + b"dc") | (entries["name"] == prefix + b"db")
    return entries["length"][mine].astype(np.int64), (entries["flags"][mine] & _KEY_FRAME) > 0


def _walk(descriptor: int, size: int, parts: List[_Part], prefix: bytes) -> Tuple[np.ndarray, np.ndarray]:
    """Length of each chunk of the video stream, and whether the file ends before it does."""
    lengths: List[int] = []
    cut: List[bool] = []
    for part in parts:
        at = part.start
        while at + 8 <= min(part.stop, size):
            name, length = struct.unpack("<4sI", os.pread(descriptor, 8, at))
            if name == b"LIST":  # Chunks that belong together lie in a list of their own.
                at += 12
                continue
            if not name.isalnum() and name[:2] != b"ix":
                raise VideoError("corrupt", "the AVI file is damaged at byte {:,}".format(at))
            if name[:2] == prefix and name[2:] in (b"dc", b"db"):
                lengths.append(length)
                cut.append(at + 8 + length > size)
            at += 8 + length + length % 2
    return (np.array(lengths, np.int64), np.array(cut, bool)) if lengths else _NO_CHUNKS
