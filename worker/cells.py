"""Where frames lie: the frame memory in cells of one batch each.

Pure. The images of a cell are asked for in order and each is told its place beforehand, so that a full cell of one shape lies
side by side and is handed to the engine as a view. Cells, not single slots, because loaders finish out of order: a batch made
of the first frames that happen to be ready would rarely lie side by side. Frames of a cell with several shapes wait for
others of their shape.

NOTE [stride]: places are as far apart as the largest frame is long. Smaller frames would lie apart and had to be copied
together. So when they are of one size, cell after cell, places are only as far apart as these frames are long. A frame that
does not fit any more is asked for once more, and places are apart as before, until it has been quiet for longer.
"""

from __future__ import annotations

import collections
from typing import Deque, Dict, List, NamedTuple, Optional, Tuple

from .commands import Frame

#: Cells begin at multiples of this, so that TensorFlow takes a batch as it lies instead of copying it.
ALIGNMENT = 64
#: Cells in a row with frames of one size, until places are moved together; doubled when a frame did not fit, up to a limit.
_QUIET, _MOST_QUIET = 2, 64


class Place(NamedTuple):
    """Where a frame goes: into the `room` bytes at `offset` of the frame memory, which are in that cell."""

    cell: int
    offset: int
    room: int


class _Cell:
    """The places of one batch. `asked`: places handed out; `open`: frames awaited; `held`: places in use."""

    __slots__ = ("stride", "asked", "open", "held", "frames")

    def __init__(self, stride: int) -> None:
        self.stride = stride
        self.asked = self.open = self.held = 0
        self.frames: List[Frame] = []


class Cells:
    """The frame memory's places.

    Args:
        slots: frames of the largest size that the memory holds; a multiple of `batch_size`.
        batch_size: frames the engine takes in one step.
        frame_bytes: bytes of the largest frame.
    """

    def __init__(self, slots: int, batch_size: int, frame_bytes: int) -> None:
        if slots < batch_size or slots % batch_size:
            raise ValueError("{} slots do not divide into batches of {}".format(slots, batch_size))
        self._batch_size = batch_size
        self._frame_bytes = frame_bytes
        self._cell_bytes = cell_bytes(frame_bytes, batch_size)
        self._stride = frame_bytes
        self._size_seen = self._cells_seen = 0
        self._quiet = _QUIET
        count = slots // batch_size
        self._cells = [_Cell(frame_bytes) for _ in range(count)]
        self._free: Deque[int] = collections.deque(range(count))
        self._filling: Optional[int] = None
        self._leftovers: Dict[Tuple[int, int], List[Frame]] = {}

    @property
    def any_free(self) -> bool:
        """Whether `take` has a place."""
        return self._filling is not None or bool(self._free)

    @property
    def waiting(self) -> int:
        """Frames that wait for others of their shape."""
        return sum(len(frames) for frames in self._leftovers.values())

    def take(self) -> Place:
        """A place for the next image; only while `any_free`."""
        if self._filling is None:
            self._filling = self._free.popleft()
            self._cells[self._filling] = _Cell(self._stride)
        number = self._filling
        cell = self._cells[number]
        place = Place(number, number * self._cell_bytes + cell.asked * cell.stride, cell.stride)
        cell.asked += 1
        cell.open += 1
        cell.held += 1
        if cell.asked == self._batch_size:
            self._filling = None
        return place

    def ready(self, frame: Frame) -> List[List[Frame]]:
        """A frame has come into its place. Returns the batches that became complete."""
        cell = self._cells[frame.cell]
        cell.open -= 1
        cell.frames.append(frame)
        return self._close(frame.cell)

    def failed(self, place: Place) -> List[List[Frame]]:
        """Nothing comes into a place. Returns the batches that became complete."""
        self._cells[place.cell].open -= 1
        self.release(place.cell)
        return self._close(place.cell)

    def too_large(self, place: Place) -> List[List[Frame]]:
        """A frame did not fit into its place. As `failed`; the next places are large enough for any frame."""
        if self._stride < self._frame_bytes:
            self._stride = self._frame_bytes
            self._quiet = min(2 * self._quiet, _MOST_QUIET)
        self._cells_seen = 0
        batches = self.failed(place)
        if self._filling is not None and self._cells[self._filling].stride < self._frame_bytes:
            batches += self.cut()
        return batches

    def release(self, number: int) -> None:
        """A place of that cell is not needed any more."""
        self._cells[number].held -= 1
        self._free_if_empty(number)

    def cut(self) -> List[List[Frame]]:
        """Nothing more comes into the cell that is being filled, if any is. Returns the batches that became complete."""
        if self._filling is None:
            return []
        number, self._filling = self._filling, None
        self._free_if_empty(number)
        return self._close(number)

    def leftovers(self) -> List[List[Frame]]:
        """The largest batch of frames that wait for others of their shape; none when none wait."""
        if not self._leftovers:
            return []
        shape = max(self._leftovers, key=lambda shape: len(self._leftovers[shape]))
        return [self._leftovers.pop(shape)]

    def _close(self, number: int) -> List[List[Frame]]:
        """The frames of a cell, once all that were asked for have come."""
        cell = self._cells[number]
        if cell.open or number == self._filling or not cell.frames:
            return []
        frames, cell.frames = sorted(cell.frames, key=lambda frame: frame.offset), []
        self._learn(frames)
        if len(frames) == 1 or len({(frame.height, frame.width) for frame in frames}) == 1:
            return [frames]
        batches: List[List[Frame]] = []
        for frame in frames:
            waiting = self._leftovers.setdefault((frame.height, frame.width), [])
            waiting.append(frame)
            if len(waiting) == self._batch_size:
                batches.append(self._leftovers.pop((frame.height, frame.width)))
        return batches

    def _learn(self, frames: List[Frame]) -> None:
        """Moves places together when that is worth it (NOTE [stride])."""
        if self._batch_size == 1:
            return
        sizes = {frame.height * frame.width * 3 for frame in frames}
        size = sizes.pop()
        if sizes or size != self._size_seen:
            self._size_seen, self._cells_seen = size, 0
        self._cells_seen += not sizes
        if self._cells_seen >= self._quiet:
            self._stride = size

    def _free_if_empty(self, number: int) -> None:
        if not self._cells[number].held and number != self._filling:
            self._free.append(number)


def cell_bytes(frame_bytes: int, batch_size: int) -> int:
    """Bytes of a cell: those of a batch of the largest frames, rounded up.

    Args:
        frame_bytes: bytes of the largest frame.
        batch_size: frames a step.
    """
    size = frame_bytes * batch_size
    return size + -size % ALIGNMENT
