"""Videos as sources of frames: what counts as one, how its frames are named, and its table of them.

In an image list a frame is `<path of the video>/<number, 8 digits>`. The video is a file, so no image can have that path;
each frame has a place in the list like any image, and naming, ledger and resume know nothing of videos.
"""

from __future__ import annotations

import os
import struct
from typing import List, NamedTuple, Optional, Tuple

from .avi import read_avi
from .mp4 import read_mp4
from .table import FrameTable, VideoError

#: The kinds of files with a table of frames; what is in them is found out by their content.
EXTENSIONS = (b".mp4", b".m4v", b".mov", b".avi")
#: Videos too, but without such a table.
OTHER_EXTENSIONS = (b".mkv", b".webm", b".mpg", b".mpeg", b".m2ts", b".wmv", b".flv")
_DIGITS = 8


class VideoFrame(NamedTuple):
    """A frame's place: the path of its video, and its number from 0."""

    video: bytes
    number: int


def is_video(path: bytes) -> bool:
    """Whether a path is named like a video that can be taken."""
    return path[-4:].lower() in EXTENSIONS


def is_other_video(path: bytes) -> bool:
    """Whether a path is named like a video of another kind."""
    return os.path.splitext(path)[1].lower() in OTHER_EXTENSIONS


def frame_path(video: bytes, number: int) -> bytes:
    """A frame's path in an image list."""
    return b"%s/%08d" % (video, number)


def parse_frame_path(path: bytes) -> Optional[VideoFrame]:
    """The frame that a path of an image list means; None when it is not a frame's."""
    number = path[-_DIGITS:]
    if path[-_DIGITS - 1 : -_DIGITS] != b"/" or not number.isdigit() or not is_video(path[: -_DIGITS - 1]):
        return None
    return VideoFrame(path[: -_DIGITS - 1], int(number))


def runs_of_frames(paths: List[bytes]) -> List[Tuple[int, int]]:
    """Where frames of one video follow each other: half-open ranges of positions in `paths`, each of two or more."""
    runs: List[Tuple[int, int]] = []
    before: Optional[bytes] = None
    for position, path in enumerate(paths):
        frame = parse_frame_path(path)
        video = None if frame is None else frame.video
        if video is not None and video == before:
            start = runs.pop()[0] if runs and runs[-1][1] == position else position - 1
            runs.append((start, position + 1))
        before = video
    return runs


def read_frame_table(descriptor: int, thorough: bool = True) -> FrameTable:
    """Reads which frames a video has. No frame is read or decoded.

    Args:
        descriptor: the video, a regular file open for reading.
        thorough: as whoever decodes needs it (`FrameTable.sound`); to list the frames less will do, in milliseconds.

    Returns:
        At least one frame.

    Raises:
        VideoError: when the file does not tell.
        OSError: when it cannot be read.
    """
    size = os.fstat(descriptor).st_size
    start = os.pread(descriptor, 12, 0)
    try:
        if start[:4] == b"RIFF" and start[8:] == b"AVI ":
            table = read_avi(descriptor, size, thorough)
        elif start[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"):
            table = read_mp4(descriptor, size)
        else:
            raise VideoError(
                "not-a-video" if start else "empty",
                "it is not an MP4, QuickTime or AVI file (it begins with {})".format(repr(start)[1:])
                if start
                else "the file is empty",
            )
    except (struct.error, ValueError, IndexError, OverflowError, MemoryError):
        raise VideoError("corrupt", "its table of frames is damaged")
    if not table.frames:
        raise VideoError("not-a-video", "there is no frame in it")
    return table
