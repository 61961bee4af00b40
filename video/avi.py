"""The frames of an AVI file: each chunk of its video stream is one, also the chunks without content.

NOTE [mentioned frames]: a recorder that had no new frame in time writes an entry of length 0, in the index and usually
among the chunks too. It stands for "the same as the last one" and counts: the file's length, its sound and other programs'
annotations go by it. A decoder gives nothing for it, so whoever counts what the decoder gives numbers all later frames too
low.

NOTE [index and chunks]: the old index (`idx1`) tells all frames at once, so lists are made from it; it may mention frames
that have no chunk. FFmpeg counts the chunks that it meets, and behind a damaged one it counts too few: so whoever decodes
has to know where index and chunks begin to differ. A file without such an index, or in several parts (OpenDML, above 1 GB:
its old index covers the first only), is read by its chunks.
"""

from __future__ import annotations

import os
import struct
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from .table import MOST_FRAMES, FrameTable, VideoError, sources

_KEY_FRAME = 0x10
#: Bytes; headers have some hundred.
_MOST_HEADER_BYTES = 1 << 24
#: Codecs in which each frame stands alone, by what the stream's format calls them (`biCompression`, in capitals).
_ALONE = frozenset(b"MJPG JPEG LJPG AVRN MPNG HFYU FFVH DVSD YUY2 UYVY".split() + [b"DIB ", b"RAW ", bytes(4)])
#: How many frames codecs hold back that may refer to later ones; all others at most one.
_HELD_BACK = {b"H264": 16, b"X264": 16, b"AVC1": 16, b"DAVC": 16, b"VSSH": 16, b"HEVC": 16, b"HEV1": 16, b"HVC1": 16}


class _Stream(NamedTuple):
    """The video stream: the first two characters of its chunks' names, frames a second, frames, frames held back at most."""

    prefix: bytes
    rate: float
    length: int
    latest: int


class _Index(NamedTuple):
    """The video stream's entries in the old index: length in bytes, and whether each is a key frame."""

    lengths: np.ndarray
    keys: np.ndarray


class _Part(NamedTuple):
    """A list of chunks (`movi`): where it begins, and where it says it ends."""

    start: int
    stop: int


def read_avi(descriptor: int, size: int, thorough: bool) -> FrameTable:
    """Reads the table of an AVI file.

    Args:
        descriptor: the file, open for reading.
        size: its length, bytes.
        thorough: find out where the structure is `sound`, by reading the head of each chunk; else it counts as sound.

    Raises:
        VideoError: when it has no video stream, or its structure is damaged.
    """
    stream: Optional[_Stream] = None
    parts: List[_Part] = []
    index: Optional[_Index] = None
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
            if not _is_name(name):
                break
            end = inside + 8 + length
            if name == b"LIST" and kind == b"hdrl" and stream is None:
                stream = _video_stream(os.pread(descriptor, min(length, _MOST_HEADER_BYTES), inside + 8)[4:])
            elif name == b"LIST" and kind == b"movi":
                parts.append(_Part(inside + 12, end if length > 4 else size))
                end = parts[-1].stop
            elif name == b"idx1" and stream is not None and end <= size:
                index = _read_index(os.pread(descriptor, length, inside + 8), stream.prefix)
            inside = end + end % 2
        at = max(inside, stop + stop % 2) if len(parts) else stop + stop % 2
    if stream is None or not parts:
        raise VideoError("truncated", "the AVI file ends before its frames begin")
    return _table(descriptor, size, stream, parts, index, thorough)


def _table(
    descriptor: int, size: int, stream: _Stream, parts: List[_Part], index: Optional[_Index], thorough: bool
) -> FrameTable:
    complete = parts[-1].stop <= size
    indexed = index is not None and len(parts) == 1 and complete and len(index.lengths) > 0
    walked = _walk(descriptor, size, parts, stream.prefix) if thorough or not indexed else np.zeros(0, np.int64)
    if indexed and index is not None:
        lengths, keys = index
        sound = _agreement(lengths, walked) if thorough else len(lengths)
        # An index in which all are key frames tells nothing: some programs write that whatever there is.
        keys = keys if not stream.latest or not keys[lengths > 0].all() else np.zeros(len(keys), bool)
    else:
        # What is missing at the end is known from the header, if it was ever filled in; each would take 8 bytes or more.
        most = min(MOST_FRAMES, sum(part.stop - part.start for part in parts) // 8)
        missing = stream.length - len(walked) if len(walked) < stream.length <= most else 0
        lengths = np.append(walked, np.ones(missing, np.int64))
        sound = len(walked)
        keys = np.full(len(lengths), not stream.latest)
    cut = np.zeros(len(lengths), bool)
    if not complete:
        cut[sound:] = True
        sound = len(lengths)
    return FrameTable(
        times=np.arange(len(lengths), dtype=np.int64),
        ticks_per_second=stream.rate,
        sources=sources(lengths == 0),
        cut=cut,
        keys=np.flatnonzero(keys & (lengths > 0)),
        sound=sound,
        latest=stream.latest,
    )


def _agreement(indexed: np.ndarray, walked: np.ndarray) -> int:
    """How many frames of the index agree with the chunks; entries without content may lack a chunk."""
    given, found = np.flatnonzero(indexed), walked[walked > 0]
    common = min(len(given), len(found))
    differing = np.flatnonzero(indexed[given[:common]] != found[:common])
    agreeing = int(differing[0]) if len(differing) else common
    return int(given[agreeing]) if agreeing < len(given) else len(indexed)


def _video_stream(header: bytes) -> _Stream:
    """Finds the first video stream in the file's header list."""
    number = -1
    for name, start, stop in _chunks(header, 0, len(header)):
        if name != b"LIST" or header[start : start + 4] != b"strl":
            continue
        number += 1
        found: Dict[bytes, bytes] = {name: header[first:last] for name, first, last in _chunks(header, start + 4, stop)}
        described, form = found.get(b"strh", b""), found.get(b"strf", b"")
        if described[:4] != b"vids":
            continue
        scale, rate, _, length = struct.unpack_from("<IIII", described, 20)
        if not scale or not rate:
            raise VideoError("corrupt", "the AVI file does not say how many frames a second it has")
        return _Stream(b"%02d" % number, rate / scale, length, _latest(form[16:20].upper()))
    raise VideoError("not-a-video", "the AVI file has no video stream")


def _is_name(name: bytes) -> bool:
    return all(32 <= letter < 127 for letter in name)


def _latest(codec: bytes) -> int:
    return 0 if codec in _ALONE else _HELD_BACK.get(codec, 1)


def _chunks(data: bytes, at: int, stop: int) -> List[Tuple[bytes, int, int]]:
    found = []
    while at + 8 <= stop:
        name, length = struct.unpack_from("<4sI", data, at)
        found.append((name, at + 8, min(at + 8 + length, stop)))
        at += 8 + length + length % 2
    return found


def _read_index(data: bytes, prefix: bytes) -> _Index:
    entries = np.frombuffer(
        data[: len(data) // 16 * 16], [("name", "S4"), ("flags", "<u4"), ("place", "<u4"), ("length", "<u4")]
    )
    mine = (entries["name"] == prefix + b"dc") | (entries["name"] == prefix + b"db")
    return _Index(entries["length"][mine].astype(np.int64), (entries["flags"][mine] & _KEY_FRAME) > 0)


def _walk(descriptor: int, size: int, parts: List[_Part], prefix: bytes) -> np.ndarray:
    """Length of each chunk of the video stream, up to the first damage or the end of the file."""
    lengths: List[int] = []
    for part in parts:
        at, odd = part.start, False
        while at + 8 <= min(part.stop, size):
            name, length = struct.unpack("<4sI", os.pread(descriptor, 8, at))
            if name == b"LIST":  # Chunks that belong together lie in a list of their own.
                at += 12
                continue
            if not _is_name(name):
                if not odd:
                    return np.array(lengths, np.int64)
                # Some programs leave out the byte that makes a length even.
                at, odd = at - 1, False
                continue
            if at + 8 + length > size:
                return np.array(lengths, np.int64)
            if name[:2] == prefix and name[2:] in (b"dc", b"db"):
                lengths.append(length)
            odd = length % 2 == 1
            at += 8 + length + length % 2
    return np.array(lengths, np.int64)
