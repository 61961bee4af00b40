"""What the frame queue says to do: its commands, and the frames and ranges they speak of."""

from __future__ import annotations

from typing import List, NamedTuple, Tuple, Union

from ..messages import Failure


class Frame(NamedTuple):
    """A decoded frame in its place, at `offset` of the frame memory; heights and widths in pixels."""

    index: int  # type: ignore[assignment]
    block: int
    cell: int
    offset: int
    height: int
    width: int
    image_height: int
    image_width: int


class Ask(NamedTuple):
    """Send this ticket to that loader; its frame goes into the `room` bytes at `offset` of the frame memory."""

    loader: str
    ticket: int
    index: int  # type: ignore[assignment]
    offset: int
    room: int


class Compute(NamedTuple):
    """Frames of one shape, to be computed in one step; `number` is handed back to `computed` and `written`."""

    number: int
    frames: Tuple[Frame, ...]


class Want(NamedTuple):
    """Ask the dispatcher for more images."""

    images: int


class Part(NamedTuple):
    """Images `start` to `stop - 1` of a block are done; `failures` are those of them without a result."""

    start: int
    stop: int
    failures: List[Failure]


class Done(NamedTuple):
    """Those parts of a block are done that were not named before.

    Attributes:
        block: the lease.
        parts: ranges of its images.
        over: whether that ends the lease; after `drain` images in no part are given back.
    """

    block: int
    parts: List[Part]
    over: bool = True


class Stuck(NamedTuple):
    """That loader has held one ticket for too long."""

    loader: str


class Retired(NamedTuple):
    """That loader was to be retired, and holds no ticket any more."""

    loader: str


Command = Union[Ask, Compute, Want, Done, Stuck, Retired]
