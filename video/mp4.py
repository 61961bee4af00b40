"""The frames of an MP4 or QuickTime file: each sample of its video track is one, in the order in which they are shown.

NOTE [shown frames]: an edit list may leave frames out at either end; players pass them over, and so do we. So are frames
that come before the first sample when shown, though they are stored after it: they refer to frames that the file does not
have, which is what is left of a video that was cut without being encoded anew. FFmpeg's time 0 is the first sample's, or,
where an edit leaves that one out, that of the first frame shown.
"""

from __future__ import annotations

import os
import struct
from typing import Dict, List, Optional, Tuple

import numpy as np

from .table import MOST_FRAMES, FrameTable, VideoError, sources

#: Bytes. The tables of a video of some days.
_MOST_TABLE_BYTES = 1 << 30
_REMEDY = "; `ffmpeg -i OLD.mp4 -c copy NEW.mp4` makes one that has it, with the same frames"

Place = Tuple[int, int]


class _Boxes:
    """The boxes in a stretch of the file's header, by name."""

    def __init__(self, data: bytes, place: Place) -> None:
        self._data = data
        self._found: Dict[bytes, List[Place]] = {}
        at, stop = place
        while at + 8 <= stop:
            length, name = struct.unpack_from(">I4s", data, at)
            start = at + 8
            if length == 1:
                (length,) = struct.unpack_from(">Q", data, start)
                start += 8
            end = at + length if length else stop
            if end < start or end > stop:
                raise VideoError(
                    "corrupt", "the MP4 file's table of frames is damaged ({!r})".format(name.decode("latin-1"))
                )
            self._found.setdefault(name, []).append((start, end))
            at = end

    def all(self, name: bytes) -> List["_Boxes"]:
        """What is in each box of a name."""
        return [_Boxes(self._data, place) for place in self._found.get(name, [])]

    def content(self, name: bytes) -> Optional[bytes]:
        """The bytes of the first box of a name."""
        places = self._found.get(name)
        return self._data[places[0][0] : places[0][1]] if places else None

    def numbers(self, name: bytes, columns: int, kind: str = ">u4") -> Optional[np.ndarray]:
        """A box that holds a table: integers `[rows, columns]`; None when there is no such box."""
        content = self.content(name)
        if content is None:
            return None
        (rows,) = struct.unpack_from(">I", content, 4)
        return np.frombuffer(content, kind, rows * columns, 8).astype(np.int64).reshape(rows, columns)


def read_mp4(descriptor: int, size: int) -> FrameTable:
    """Reads the table of an MP4 or QuickTime file.

    Args:
        descriptor: the file, open for reading.
        size: its length, bytes.

    Raises:
        VideoError: when there is no such table, or none that tells all.
    """
    movie = _movie(descriptor, size)
    tracks = [track for track in movie.all(b"trak") if _is_video(track)]
    if not tracks:
        raise VideoError("not-a-video", "the MP4 file has no video track")
    if movie.content(b"mvex") is not None:
        raise VideoError("unsupported", "it is an MP4 file in fragments, without a table of all frames" + _REMEDY)
    # The first one is what OpenCV decodes.
    return _table(movie, tracks[0], size)


def _movie(descriptor: int, size: int) -> _Boxes:
    at = 0
    fragments = False
    while at + 8 <= size:
        length, name = struct.unpack(">I4s", os.pread(descriptor, 8, at))
        start = at + 8
        if length == 1:
            (length,) = struct.unpack(">Q", os.pread(descriptor, 8, start))
            start += 8
        end = at + length if length else size
        if name == b"moov" and end <= size and end - start <= _MOST_TABLE_BYTES:
            return _Boxes(os.pread(descriptor, end - start, start), (0, end - start))
        fragments = fragments or name == b"moof"
        if end < start or name == b"moov":
            break
        at = end
    if fragments:
        raise VideoError("unsupported", "it is a part of an MP4 stream, without a table of frames")
    raise VideoError("truncated", "the MP4 file has no table of its frames; its recording or copying was cut short")


def _is_video(track: _Boxes) -> bool:
    return any((media.content(b"hdlr") or b"")[8:12] == b"vide" for media in track.all(b"mdia"))


def _table(movie: _Boxes, track: _Boxes, size: int) -> FrameTable:
    media = track.all(b"mdia")[0]
    timescale = _timescale(media, b"mdhd")
    samples = media.all(b"minf")[0].all(b"stbl")[0]
    lengths = _lengths(samples)
    count = len(lengths)
    times = _decoding_times(samples, count) + _offsets(samples, count)
    shown = _shown(movie, track, times, timescale)
    if not shown.any():
        nothing = np.zeros(0, np.int64)
        return FrameTable(nothing, timescale, nothing, nothing.astype(bool), nothing, sound=0, latest=0)
    if shown[0]:
        shown &= times >= times[0]
    order = np.flatnonzero(shown)
    order = order[np.argsort(times[order], kind="stable")]
    begin = _key_samples(samples, count)
    return FrameTable(
        times=times[order] - times[order[0]],
        ticks_per_second=float(timescale),
        sources=sources(lengths[order] == 0),
        cut=(_places(samples, lengths) + lengths > size)[order],
        keys=np.flatnonzero(begin[order]),
        # Each sample's place is in the table, so nothing depends on what lies between.
        sound=len(order),
        latest=0,
    )


def _timescale(boxes: _Boxes, name: bytes) -> int:
    content = boxes.content(name) or b""
    (ticks,) = struct.unpack_from(">I", content, 20 if content[:1] == b"\1" else 12)
    if not ticks:
        raise VideoError("corrupt", "the MP4 file does not say how long a second is")
    return int(ticks)


def _lengths(samples: _Boxes) -> np.ndarray:
    content = samples.content(b"stsz")
    if content is None:
        raise VideoError("unsupported", "the MP4 file has no table of its frames' lengths" + _REMEDY)
    length, count = struct.unpack_from(">II", content, 4)
    if count > MOST_FRAMES:
        raise VideoError("corrupt", "the MP4 file's table speaks of {:,} frames".format(count))
    if length:
        return np.full(count, length, np.int64)
    return np.frombuffer(content, ">u4", count, 12).astype(np.int64)


def _decoding_times(samples: _Boxes, count: int) -> np.ndarray:
    steps = samples.numbers(b"stts", 2)
    if steps is None:
        raise VideoError("corrupt", "the MP4 file has no table of its frames' times")
    each = _spread(steps, count)
    times: np.ndarray = np.cumsum(each) - each
    return times


def _offsets(samples: _Boxes, count: int) -> np.ndarray:
    """From the time a frame is decoded to the time it is shown, ticks."""
    offsets = samples.numbers(b"ctts", 2, ">i4")
    return np.zeros(count, np.int64) if offsets is None else _spread(offsets, count)


def _spread(runs: np.ndarray, count: int) -> np.ndarray:
    """A table of (how many, value) as a value for each sample; the last one holds for what the table leaves out."""
    many = np.minimum(np.maximum(runs[:, 0], 0), count)
    # Cut where the samples end, before memory is taken for what a damaged table says.
    many = np.diff(np.minimum(np.cumsum(many), count), prepend=0)
    values = np.repeat(runs[:, 1], many)
    return np.append(values, np.full(count - len(values), runs[-1, 1] if len(runs) else 0, np.int64))


def _key_samples(samples: _Boxes, count: int) -> np.ndarray:
    numbers = samples.numbers(b"stss", 1)
    if numbers is None:
        return np.ones(count, bool)
    begin = np.zeros(count, bool)
    begin[numbers[(numbers > 0) & (numbers <= count)] - 1] = True
    return begin


def _places(samples: _Boxes, lengths: np.ndarray) -> np.ndarray:
    """Where in the file each sample begins."""
    chunks = samples.numbers(b"co64", 1, ">u8")
    chunks = samples.numbers(b"stco", 1) if chunks is None else chunks
    runs = samples.numbers(b"stsc", 3)
    if chunks is None or runs is None or not len(runs):
        raise VideoError("corrupt", "the MP4 file does not say where its frames lie")
    # Each run says how many samples a chunk has, from its first chunk (from 1) up to the next run's.
    chunk = np.arange(1, len(chunks) + 1)
    many = runs[np.maximum(np.searchsorted(runs[:, 0], chunk, "right") - 1, 0), 1]
    of_chunk = np.repeat(np.arange(len(chunks)), np.minimum(many, len(lengths)))[: len(lengths)]
    if len(of_chunk) < len(lengths):
        raise VideoError("corrupt", "the MP4 file does not say where all of its frames lie")
    before = np.cumsum(lengths) - lengths
    first = np.searchsorted(of_chunk, of_chunk, "left")
    places: np.ndarray = chunks[of_chunk, 0] + before - before[first]
    return places


def _shown(movie: _Boxes, track: _Boxes, times: np.ndarray, timescale: int) -> np.ndarray:
    """Which samples the edit list shows."""
    edits = [(length, start) for edit in track.all(b"edts") for length, start in _edits(edit) if start >= 0]
    if not edits:
        return np.ones(len(times), bool)
    if len(edits) > 1:
        raise VideoError(
            "unsupported", "its edit list joins {} pieces of the video; encode it anew to have one".format(len(edits))
        )
    length, start = edits[0]
    stop = start + length * timescale / _timescale(movie, b"mvhd")
    return (times >= start) & (times < stop)


def _edits(edit: _Boxes) -> List[Tuple[int, int]]:
    """Each edit's length, in ticks of the movie, and where in the track it begins, in ticks of the track (-1: a pause)."""
    content = edit.content(b"elst")
    if content is None:
        return []
    (rows,) = struct.unpack_from(">I", content, 4)
    layout = struct.Struct(">QqI" if content[:1] == b"\1" else ">IiI")
    return [layout.unpack_from(content, 8 + row * layout.size)[:2] for row in range(rows)]
