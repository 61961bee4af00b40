"""What a worker has leased and not asked for yet, in pieces; who of its loaders gets which.

Pure, like the queue that owns it.

NOTE [runs]: frames of one video that follow each other in a lease are a run. Decoding a frame means decoding those before
it, so a run belongs to the loader that took its first frame: it decodes each frame once, in order, with the video open. The
other loaders take other pieces, images among them; but a run that follows on one that another loader has is left to that
loader while the engine has work: one loader decodes a video faster than most engines compute. When the engine waits, any
loader takes any piece; and when none is left that belongs to nobody, it splits the longest run and takes the later half,
unless the run is so short that seeking would take longer than decoding on. Nobody waits for ever: a run belongs to a loader
that works on it, and whose loader is gone or stuck belongs to nobody; and when the engine has computed what it has, it
waits.
"""

from __future__ import annotations

import collections
from typing import Callable, Deque, Dict, Iterable, List, NamedTuple, Optional, Tuple

#: Frames; a run shorter than that is not split.
SHORTEST_SPLIT = 16


class Next(NamedTuple):
    """An image to be asked for."""

    block: int
    index: int  # type: ignore[assignment]


class _Piece:
    """Images `start` to `stop - 1` of a block.

    `run`: whether they are frames of one video; `first`: whether the block begins with them, so that those before them in the
    list may be of the same video.
    """

    __slots__ = ("block", "start", "stop", "run", "first")

    def __init__(self, block: int, start: int, stop: int, run: bool, first: bool = False) -> None:
        self.block = block
        self.start = start
        self.stop = stop
        self.run = run
        self.first = first

    def __len__(self) -> int:
        return self.stop - self.start


class Pieces:
    """The pieces, in the order in which they were leased."""

    def __init__(self) -> None:
        self._free: Deque[_Piece] = collections.deque()
        self._taken: Dict[str, _Piece] = {}
        #: Where the last run of each loader ends: what follows there, it decodes best.
        self._ends: Dict[str, int] = {}
        self._left = 0

    def __len__(self) -> int:
        """Images that are left."""
        return self._left

    def add(self, block: int, start: int, stop: int, runs: Iterable[Tuple[int, int]]) -> None:
        """Takes a lease.

        Args:
            block: its number.
            start: its first image.
            stop: behind its last one.
            runs: half-open ranges of indices in it, ascending, each of which is a run (NOTE [runs]).
        """
        self._left += stop - start
        at = start
        for begin, end in runs:
            if at < begin:
                self._free.append(_Piece(block, at, begin, run=False))
            self._free.append(_Piece(block, begin, end, run=True, first=begin == start))
            at = end
        if at < stop:
            self._free.append(_Piece(block, at, stop, run=False))

    def take(self, loader: str, hungry: bool) -> Optional[Next]:
        """The next image for a loader; None when it has to wait, or nothing is left.

        Args:
            loader: its name.
            hungry: whether the engine waits for frames.
        """
        piece = self._taken.get(loader)
        if piece is None:
            piece = self._choose(loader, hungry)
            if piece is None:
                return None
        found = Next(piece.block, piece.start)
        piece.start += 1
        self._left -= 1
        if not piece.run:
            # Of images each loader takes one at a time.
            if len(piece):
                self._free.appendleft(piece)
        else:
            self._ends[loader] = piece.stop
            if len(piece):
                self._taken[loader] = piece
            else:
                self._taken.pop(loader, None)
        return found

    def release(self, loader: str) -> None:
        """That loader will not go on with its run."""
        self._ends.pop(loader, None)
        piece = self._taken.pop(loader, None)
        if piece is not None:
            self._free.appendleft(piece)

    def drop(self, doomed: Callable[[int], bool]) -> List[Next]:
        """Takes out what is left of some runs, and returns it.

        Args:
            doomed: tells of an image in a run whether that run is meant.
        """
        dropped: List[Next] = []
        for piece in list(self._free) + list(self._taken.values()):
            if piece.run and doomed(piece.start):
                dropped += [Next(piece.block, index) for index in range(piece.start, piece.stop)]
                piece.start = piece.stop
        self._free = collections.deque(piece for piece in self._free if len(piece))
        self._taken = {name: piece for name, piece in self._taken.items() if len(piece)}
        self._left -= len(dropped)
        return dropped

    def _choose(self, loader: str, hungry: bool) -> Optional[_Piece]:
        """Of the free pieces the one that follows on the loader's own run, else the first that follows on nobody else's."""
        ends = {end: name for name, end in self._ends.items()}
        chosen: Optional[_Piece] = None
        for piece in self._free:
            owner = ends.get(piece.start) if piece.first else None
            if owner == loader:
                chosen = piece
                break
            if chosen is None and (hungry or owner is None):
                chosen = piece
        if chosen is not None:
            self._free.remove(chosen)
        elif hungry:
            chosen = self._half_a_run()
        return chosen

    def _half_a_run(self) -> Optional[_Piece]:
        holder = max(self._taken, key=lambda name: len(self._taken[name]), default=None)
        if holder is None or len(self._taken[holder]) < SHORTEST_SPLIT:
            return None
        longest = self._taken[holder]
        middle = longest.start + -(-len(longest) // 2)
        half = _Piece(longest.block, middle, longest.stop, run=True)
        longest.stop = self._ends[holder] = middle
        return half
