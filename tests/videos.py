"""Videos for the tests: drawn so that each frame tells its number, and damaged in the ways that files are."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Iterable, List, NamedTuple, Optional

import cv2
import numpy as np

#: Made by `video_files/make.py`, of `FRAMES` frames each.
FILES = Path(__file__).parent / "video_files"
FRAMES = 60
HEIGHT, WIDTH = 48, 64
_DIGITS, _BAR = 6, 10


def draw(number: int) -> np.ndarray:
    """A frame: uint8 `[48, 64, 3]`, upright bars that are bright where the number (below 64) has a binary digit 1."""
    image = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    for digit in range(_DIGITS):
        if number >> digit & 1:
            image[:, _BAR * digit : _BAR * (digit + 1)] = 200
    return image


def seen_number(frame: np.ndarray) -> int:
    """The number of the drawing that a decoded frame shows."""
    bright = frame[:, : _BAR * _DIGITS].reshape(HEIGHT, _DIGITS, _BAR, 3).mean((0, 2, 3)) > 120
    return int(sum(1 << digit for digit in np.flatnonzero(bright)))


class Filmed(NamedTuple):
    """A video and what a player shows for each of its frames: the number of the drawing; None for nothing."""

    path: str
    shown: List[Optional[int]]


def write_video(path: str, frames: int = 20, codec: str = "MJPG", fps: float = 10.0) -> Filmed:
    """Encodes drawings by OpenCV itself; the ending of the path names the container."""
    writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), fps, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(draw(number))
    writer.release()
    return Filmed(path, list(range(frames)))


def made_videos() -> List[Filmed]:
    """The files of `video_files` that can be decoded."""
    plain = list(range(FRAMES))
    return [
        Filmed(str(FILES / "h264.mp4"), plain),  # frames that refer to later ones
        Filmed(str(FILES / "hevc.mp4"), plain),  # key frames that earlier shown frames refer to
        Filmed(str(FILES / "open.mp4"), plain),  # likewise
        Filmed(
            str(FILES / "begins-late.mp4"), plain[12:]
        ),  # the first two stored after frame 12 refer to what was cut off
        Filmed(str(FILES / "negative.mp4"), plain),  # OpenCV 4.8 gives a wrong time for the first frame
        Filmed(str(FILES / "changing.mp4"), plain),  # a rate that changes
        Filmed(str(FILES / "paused.mp4"), plain),  # a pause; OpenCV 4.8 cannot be sent behind it
        Filmed(str(FILES / "tracks.mp4"), plain[::2]),  # two video tracks; the second, longer one is not decoded
        Filmed(str(FILES / "h264.avi"), plain),  # frames that refer to later ones, without times
    ]


def _with_repeats(shown: List[Optional[int]], empties: Iterable[int]) -> List[Optional[int]]:
    shown = list(shown)
    for place in (place for place in sorted(empties) if place <= len(shown)):
        shown.insert(place, shown[place - 1] if place else None)
    return shown


class Chunk(NamedTuple):
    """A chunk of an AVI file: its name, where its 8 bytes of head begin, its content, and its flags in the index."""

    name: bytes
    at: int
    content: bytes
    flags: int


def chunks(data: bytes) -> List[Chunk]:
    """The chunks with frames and sound of a sound AVI file with one part."""
    start = data.index(b"movi") + 4
    at, stop = start, start - 4 + struct.unpack_from("<I", data, start - 8)[0]
    index = data.index(b"idx1") + 8
    found: List[Chunk] = []
    while at < stop:
        name, length = struct.unpack_from("<4sI", data, at)
        flags = struct.unpack_from("<I", data, index + 16 * len(found) + 4)[0]
        found.append(Chunk(name, at, data[at + 8 : at + 8 + length], flags))
        at += 8 + length + length % 2
    return found


def mention(filmed: Filmed, path: str, empties: Iterable[int], index: str = "whole") -> Filmed:
    """Writes an AVI file anew with entries of length 0, as a recorder does that has no new frame in time.

    Args:
        filmed: an AVI file with one part and no sound.
        path: where the new one goes.
        empties: the numbers that these entries get.
        index: "whole"; "only": the entries are in the index, but not among the chunks; "none": there is no index.
    """
    data = Path(filmed.path).read_bytes()
    empties = set(empties)
    empty = Chunk(b"00dc", 0, b"", 0)
    entries, number = [], 0
    for chunk in chunks(data) + [empty]:
        while number in empties:
            entries.append(empty)
            number += 1
        if chunk is not empty:
            entries.append(chunk)
            number += 1
    body, table = b"movi", b""
    for name, _, content, flags in entries:
        table += struct.pack("<4sIII", name, flags, len(body), len(content))
        if content or index != "only":
            body += name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    head = bytearray(data[12 : data.index(b"movi") - 8])
    struct.pack_into("<I", head, head.index(b"strh") + 8 + 32, number)
    struct.pack_into("<I", head, head.index(b"avih") + 8 + 16, number)
    content = b"AVI " + bytes(head) + b"LIST" + struct.pack("<I", len(body)) + body
    if index != "none":
        content += b"idx1" + struct.pack("<I", len(table)) + table
    Path(path).write_bytes(b"RIFF" + struct.pack("<I", len(content)) + content)
    return Filmed(path, _with_repeats(filmed.shown, empties))


def trimmed(path: str, first: int, last: int) -> Filmed:
    """`h264.mp4` with an edit list that shows frames `first` to `last - 1` only."""
    data = bytearray((FILES / "h264.mp4").read_bytes())
    at = data.index(b"elst") + 12
    (begin,) = struct.unpack_from(">i", data, at + 4)
    ticks = struct.unpack_from(">I", data, data.index(b"mdhd") + 16)[0] // 10
    struct.pack_into(">Ii", data, at, 100 * (last - first), begin + first * ticks)
    Path(path).write_bytes(data)
    return Filmed(path, list(range(first, last)))


def turned(path: str) -> str:
    """`h264.mp4` with a quarter turn in its header, as a telephone writes it."""
    data = bytearray((FILES / "h264.mp4").read_bytes())
    turn = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    at = data.index(b"tkhd") + 44
    data[at : at + len(turn)] = turn
    Path(path).write_bytes(data)
    return path


def cut_short(source: str, path: str, part: float) -> str:
    """The first part of a file."""
    data = Path(source).read_bytes()
    Path(path).write_bytes(data[: int(len(data) * part)])
    return path


def overwrite(path: str, at: int, length: int) -> None:
    """Damages a file."""
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(bytes(length))


def count_reads(path: str) -> int:
    """How many frames one gets who reads until nothing comes."""
    capture = cv2.VideoCapture(os.fspath(path), cv2.CAP_FFMPEG)
    count = 0
    while capture.grab():
        count += 1
    capture.release()
    return count
