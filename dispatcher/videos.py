"""Puts the frames of a video into the image list in place of the video."""

from __future__ import annotations

import os
import re
import stat
from typing import Iterable, Iterator, List

from ..opening import open_without_waiting
from ..video.file import EXTENSIONS, frame_path, is_video, read_frame_table
from ..video.table import VideoError

_BATCH = 1 << 14
_A_VIDEO = re.compile(b"(?:%s)\\0" % b"|".join(map(re.escape, EXTENSIONS)), re.IGNORECASE)


class Videos:
    """The videos of one list.

    A video whose frames cannot be counted stays in the list as it is: one entry, which a loader will turn into a failure
    with the reason.

    Args:
        step: every which frame is taken, from frame 0.

    Attributes:
        listed: videos that were replaced by their frames.
        frames: how many these are.
        unreadable: videos that stayed.
    """

    def __init__(self, step: int) -> None:
        self._step = step
        self.listed: List[bytes] = []
        self.frames = 0
        self.unreadable: List[bytes] = []

    def expand(self, batches: Iterable[List[bytes]]) -> Iterator[List[bytes]]:
        """The same paths in the same order, with each video's frames where the video was.

        Args:
            batches: absolute paths, many at a time.
        """
        for paths in batches:
            if _has_videos(paths):
                yield from self._expand(paths)
            else:
                yield paths

    def _expand(self, paths: List[bytes]) -> Iterator[List[bytes]]:
        batch: List[bytes] = []
        for path in paths:
            frames = self._count(path) if is_video(path) else 0
            if not frames:
                batch.append(path)
            for first in range(0, frames, self._step * _BATCH):
                numbers = range(first, min(frames, first + self._step * _BATCH), self._step)
                batch += [frame_path(path, number) for number in numbers]
                if len(batch) >= _BATCH:
                    yield batch
                    batch = []
        yield batch

    def _count(self, path: bytes) -> int:
        """How many frames a video has; 0 when that is not to be found out."""
        frames = _frames(path)
        if frames:
            self.listed.append(path)
            self.frames += -(-frames // self._step)
        else:
            self.unreadable.append(path)
        return frames


def _has_videos(paths: List[bytes]) -> bool:
    """As `any(map(is_video, paths))`; ten million looks at single paths take seconds."""
    return _A_VIDEO.search(b"\0".join(paths) + b"\0") is not None


def _frames(path: bytes) -> int:
    try:
        descriptor = open_without_waiting(path)
    except OSError:
        return 0
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return 0
        return read_frame_table(descriptor, thorough=False).frames
    except (OSError, VideoError):
        return 0
    finally:
        os.close(descriptor)
