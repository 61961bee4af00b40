"""What a video file says of its frames, without a pixel being decoded: which there are, and how a decoder's are told apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

#: No video comes near (four days at 30 frames a second); a damaged table that says more would only fill the memory.
MOST_FRAMES = 10**7


class VideoError(Exception):
    """A video that has no table of its frames.

    Attributes:
        kind: a short word for machines: "not-a-video", "unsupported", "truncated", "corrupt".
        reason: one sentence for a person, without the path.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class FrameTable(NamedTuple):
    """The frames of a video, numbered from 0 in the order in which they are shown.

    Attributes:
        times: when each is shown after the first, ticks: int64 `[N]`, ascending.
        ticks_per_second: a rate.
        sources: the number of the frame whose pixels each has, int64 `[N]`: itself, or where the file only mentions it ("as
            the one before") an earlier one; -1 where there is none before.
        cut: which lie behind the end of the file, wholly or in part: bool `[N]`.
        keys: numbers of the frames at which decoding can begin, ascending; none where the file does not tell for certain.
        sound: from this frame on the file's structure is damaged, so that a decoder would give wrong times; `frames` when it
            is sound all through.
        latest: by how many frames the time that a decoder's frame bears may be that of a later one, at most. More than 0 only
            in AVI, which has no other times than those at which data goes into the decoder.
    """

    times: np.ndarray
    ticks_per_second: float
    sources: np.ndarray
    cut: np.ndarray
    keys: np.ndarray
    sound: int
    latest: int

    @property
    def frames(self) -> int:
        """How many there are."""
        return len(self.times)


def sources(empty: np.ndarray) -> np.ndarray:
    """Whose pixels each frame has.

    Args:
        empty: which frames the file only mentions: bool `[N]`.

    Returns:
        `FrameTable.sources`.
    """
    numbers = np.arange(len(empty), dtype=np.int64)
    return np.maximum.accumulate(np.where(empty, -1, numbers))
