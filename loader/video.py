"""Frames out of a video, by number: decoded in order where that is shorter, else sought.

NOTE [which frame this is]: what OpenCV gives is never counted, since it gives nothing for frames that the file only
mentions and for damaged ones, and since seeking lands somewhere near. Each decoded frame has a time, and the file's table
of frames (`video/file.py`) tells whose it is. OpenCV 4.8 reports a wrong time for a frame of time 0; that can only be the
first one, and the one after it shows it.

NOTE [late times]: AVI has no times at which frames are shown. Where its codec reorders frames, each comes out with the time
of the data that went in last. There frames are counted from the beginning after all, and the times, which must keep a
constant distance, are the proof that none is missing; behind a damaged frame the proof is gone, and the frames there fail.
Such a video is never sought.
"""

from __future__ import annotations

import collections
import os
from typing import Any, List, Optional, Tuple

import cv2
import numpy as np

from ..video.file import is_other_video, is_video, parse_frame_path, read_frame_table
from ..video.table import FrameTable, VideoError
from .imagefile import ImageError, check_pixels, open_image_file, read_error

# What FFmpeg writes on stderr about a bad video is said better in the failure record.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

#: Frames by which OpenCV itself goes back before the place it is asked for; a key frame nearer than that is no use.
_OPENCV_BACK = 16
#: Frames before the wanted one at which a seek aims; one that lands behind it aims further back.
_AIMS = (1, 32, 256)
#: Damaged frames in a row after which a video is given up.
_MOST_DAMAGED = 500
#: Videos that stay open; each holds some frames in its decoder's memory.
_MOST_OPEN = 4


class Video:
    """One open video.

    Args:
        path: the file.
        max_pixels: one with larger frames is refused.

    Raises:
        ImageError: when no frame can be had of it. Kinds: those of `read_image_file` (without "too-large" for long files),
            "not-a-video", "unsupported", "truncated", "corrupt", and "too-large" for `max_pixels`.
        OSError: when the machine has run out of something (file descriptors, memory).
    """

    def __init__(self, path: bytes, max_pixels: int) -> None:
        self.path = path
        self._file = open_image_file(path)
        self._capture: Any = None
        self._pixels: Any = None
        try:
            self._table: FrameTable = read_frame_table(self._file)
            #: Numbers of the frames that the decoder should give, in order.
            self._given = np.flatnonzero(self._table.sources == np.arange(self._table.frames))
            self._lag = 0
            self._begin()
            size = int(self._get(cv2.CAP_PROP_FRAME_HEIGHT)), int(self._get(cv2.CAP_PROP_FRAME_WIDTH))
            check_pixels(size, max_pixels)
            self._first, self._lag = self._look_at_first()
            self._seekable = len(self._table.keys) > 0 and not self._lag
            self._begin()
        except VideoError as error:
            self.close()
            raise ImageError(error.kind, error.reason)
        except ImageError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise read_error(error)

    def close(self) -> None:
        """Closes the file."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def frame(self, number: int) -> np.ndarray:
        """A frame, upright, 8 bit.

        Args:
            number: the frame's place in the file, from 0, counting also frames that the file only mentions: they have the
                pixels of the one before.

        Returns:
            uint8 `[H, W, 3]`, BGR, C-contiguous; to be read before the next call.

        Raises:
            ImageError: kind "missing" (there is no such number), "empty" (only mentioned, and none before), "truncated" (behind
                the end of the file) or "corrupt" (the decoder gives nothing for it).
        """
        table = self._table
        if number >= table.frames:
            raise ImageError("missing", "the video has {:,} frames, numbered from 0".format(table.frames))
        wanted = int(table.sources[number])
        if wanted < 0:
            raise ImageError("empty", "the video only mentions this frame, and there is none before it")
        if number >= table.sound:
            raise ImageError("corrupt", "the structure of the video file is damaged before this frame")
        if table.cut[wanted]:
            raise ImageError("truncated", "the video file is cut short before this frame")
        if not self._reaches(wanted):
            raise ImageError("corrupt", "the video is damaged here: its decoder gives nothing for this frame")
        pixels = self._pixels
        if pixels is None:
            found, pixels = self._capture.retrieve()
            if not found:
                raise ImageError("corrupt", "the video is damaged here: its decoder gives no pixels for this frame")
            self._pixels = pixels
        return pixels  # type: ignore[no-any-return]

    # --- to the wanted frame

    def _reaches(self, wanted: int) -> bool:
        """Goes on, or seeks, to a frame; returns whether the decoder gives it."""
        if self._gap < wanted < self._at or (self._over and wanted > self._at and not self._key_between(wanted)):
            return False
        # Behind the last frame its pixels cannot be had any more.
        gone = wanted == self._at and self._over and self._pixels is None
        if wanted < self._at or gone or self._key_between(wanted):
            self._seek(wanted)
        self._go_on_to(wanted)
        if self._over and self._sought and self._at < wanted:
            # OpenCV 4.8 counts on from the place it has sought by the average rate, and stops where it has counted as many
            # as there are: too early in a video of changing rate.
            self._seekable = False
            self._begin()
            self._go_on_to(wanted)
        return self._at == wanted

    def _go_on_to(self, wanted: int) -> None:
        while self._at < wanted and self._advance():
            pass

    def _key_between(self, wanted: int) -> bool:
        """Whether decoding can begin anew between here and the wanted frame."""
        keys = self._table.keys
        before = int(np.searchsorted(keys, wanted - _OPENCV_BACK, "right"))
        return self._seekable and before > 0 and int(keys[before - 1]) > max(self._at, _OPENCV_BACK)

    def _seek(self, wanted: int) -> None:
        """Goes to some frame that is not behind the wanted one; at worst to the beginning."""
        for aim in _AIMS if self._seekable else ():
            target = wanted - aim
            # Frame 0 must never be met after a seek: its time may be wrong.
            if target <= _OPENCV_BACK:
                break
            self._forget()
            self._fresh, self._sought = False, True
            seconds = self._table.times[target] / self._table.ticks_per_second
            self._capture.set(cv2.CAP_PROP_POS_MSEC, 1000.0 * seconds)
            if self._advance(sought=True) and self._at <= wanted:
                return
        self._begin()

    def _begin(self) -> None:
        """Opens the video anew, before its first frame."""
        if self._capture is not None:
            self._capture.release()
        # By its descriptor: a path may be no UTF-8, and the file may have another name by now. One thread: the parallelism is
        # that of the loaders.
        self._capture = cv2.VideoCapture(
            "/proc/self/fd/{}".format(self._file), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1]
        )
        if not self._capture.isOpened():
            raise ImageError("unsupported", "this OpenCV {} cannot decode it".format(cv2.__version__))
        self._forget()
        self._fresh, self._sought = True, False
        self._count = 0
        self._lost = False

    def _forget(self) -> None:
        self._at = self._gap = -1
        self._over = False
        self._pixels = None

    # --- which frame this is

    def _advance(self, sought: bool = False) -> bool:
        """Decodes the next frame whose number is certain; returns whether there is one."""
        while self._grab():
            number = self._number(self._get(cv2.CAP_PROP_POS_MSEC))
            if number > self._at:
                # What lies between two frames that follow each other was passed over by the decoder; after a seek nobody knows.
                self._gap, self._at = (number if sought else self._at), number
                self._pixels = None
                return True
        self._over = True
        return False

    def _grab(self) -> bool:
        """Decodes the next frame. OpenCV says no at a damaged one as it does at the end, and may go on when asked again."""
        return any(self._capture.grab() for _ in range(_MOST_DAMAGED))

    def _number(self, milliseconds: float) -> int:
        """The number of the frame that was just decoded; -1 when it is uncertain."""
        fresh, self._fresh = self._fresh, False
        if self._lag:
            return self._by_count(milliseconds)
        return self._first if fresh else self._by_time(milliseconds)

    def _by_count(self, milliseconds: float) -> int:
        """NOTE [late times]. The last frames come out when nothing goes in any more, and have no time."""
        goes_in = self._count + self._lag
        if goes_in < len(self._given) and self._ticks(milliseconds) != int(self._given[goes_in]):
            self._lost = True
        self._count += 1
        return -1 if self._lost or self._count > len(self._given) else int(self._given[self._count - 1])

    def _by_time(self, milliseconds: float) -> int:
        times = self._table.times
        ticks = self._ticks(milliseconds)
        first, stop = np.searchsorted(times, [ticks, ticks + 1])
        # Some cameras give two frames one time.
        number = max(int(first), self._at + 1) if first <= self._at < stop else int(first)
        return number if number < stop else -1

    def _ticks(self, milliseconds: float) -> int:
        return int(round(milliseconds * self._table.ticks_per_second / 1000.0))

    def _look_at_first(self) -> Tuple[int, int]:
        """The number of the first frame that the decoder gives, and by how many frames times are late."""
        found: List[float] = []
        while len(found) < 2 and self._grab():
            found.append(self._get(cv2.CAP_PROP_POS_MSEC))
        if not found:
            raise ImageError("corrupt", "its decoder gives no frame at all")
        number = self._by_time(found[0])
        if self._table.latest:
            rank = int(np.searchsorted(self._given, number))
            if rank:
                self._check_beginning(rank, len(found))
            return int(self._given[0]), rank
        if number < 0 or (len(found) == 2 and self._ticks(found[1]) <= self._ticks(found[0])):
            return int(self._given[0]), 0
        return number, 0

    def _check_beginning(self, rank: int, grabbed: int) -> None:
        """Makes sure that a decoder whose first frame has the time of a later one holds frames back, and has not lost any.

        One that lost the first begins at a key frame. Where this is one, only the number of frames can tell.
        """
        if rank <= self._table.latest and self._given[rank] not in self._table.keys:
            return
        while rank <= self._table.latest and self._grab():
            grabbed += 1
        if grabbed != len(self._given):
            raise ImageError("corrupt", "it is damaged, and nothing in it tells which frames are left")

    def _get(self, name: int) -> float:
        return float(self._capture.get(name))


class Videos:
    """Frames of any videos; those used last stay open, since a list may have the frames of several cameras in order of time.

    Args:
        max_pixels: as for `Video`.
    """

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._open: "collections.OrderedDict[bytes, Video]" = collections.OrderedDict()

    def frame(self, path: bytes, number: int) -> np.ndarray:
        """As `Video.frame`, and raises what `Video` raises.

        Args:
            path: the video.
            number: the frame.
        """
        if path not in self._open:
            while len(self._open) >= _MOST_OPEN:
                self._open.popitem(last=False)[1].close()
            self._open[path] = Video(path, self._max_pixels)
        self._open.move_to_end(path)
        return self._open[path].frame(number)

    def at(self, path: bytes) -> Optional[np.ndarray]:
        """The frame that a path of an image list means; None when it is an image's.

        Args:
            path: as the list has it.

        Returns:
            As `Video.frame`.

        Raises:
            ImageError: as `frame`, and when a video itself stands in the list, since it has no frames.
        """
        if is_video(path) or is_other_video(path):
            raise why_no_frames(path)
        frame = parse_frame_path(path)
        # A folder may be named like a video, and an image in it like a frame.
        if frame is None or os.path.isdir(frame.video):
            return None
        return self.frame(*frame)

    def close(self) -> None:
        """Closes what is open."""
        while self._open:
            self._open.popitem()[1].close()


def why_no_frames(path: bytes) -> ImageError:
    """Why a video stands in the image list by its own path instead of by its frames.

    Args:
        path: the video.
    """
    if is_other_video(path):
        return ImageError(
            "unsupported",
            "videos are taken as MP4, QuickTime or AVI; `ffmpeg -i OLD -c copy NEW.mp4` makes one with the same frames",
        )
    try:
        Video(path, 2**62).close()
    except ImageError as error:
        return error
    return ImageError("corrupt", "its frames could not be counted when the list was made; they can now: make a new run")
