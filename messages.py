"""The messages between dispatcher, workers and loaders: typed records, msgpack on the wire, nothing else accepted.

    dispatcher                    worker                         loader
        |  <---- WorkerUp, WantBlock |  <---------- LoaderUp         |
        |  Lease ------------------> |  Memory, Tickets -----------> |
        |  <-- BlockPart, BlockDone  |  <------------------- Loaded  |
        |  <-- Heartbeat, LoaderHere |                               |
        |  LoaderGone, Stop -------> |  Retire -------------------> |
        |  RetireLoader -----------> |                               |

Every socket is a ROUTER on the left and a DEALER on the right; the DEALER's identity is its process's name.
"""

from __future__ import annotations

import functools
from typing import Any, Callable, Dict, List, NamedTuple, Tuple, Type, Union

import msgpack

from .errors import ProtocolError


class Failure(NamedTuple):
    """Why a listed image has no result.

    Attributes:
        index: position in the image list, from 0.
        kind: one word for machines, such as "truncated".
        reason: one sentence for people.
    """

    index: int  # type: ignore[assignment]
    kind: str
    reason: str


class WorkerStats(NamedTuple):
    """What a worker has done since it came up. Times in seconds.

    Attributes:
        images: results written.
        failures: failure records.
        detections: detections written.
        busy: time in which at least one batch was being computed.
        starved: time in which none was, though images were on their way: the engine waited for frames.
        blocked: time in which the engine waited for the writer, or nothing but writing was left to do.
        idle: time without any image to work on.
        warm_up: from the engine's readiness to the start of its first batch.
        writing: time the writer spent encoding and writing (beside the engine, not instead of it).
        decoded: images its loaders are through with, those they could not decode included.
        decoding: time its loaders spent reading, decoding and resizing, added up.
        reading: the part of `decoding` in which a loader waited for a file.
        decoding_cpu: CPU time its loaders spent in `decoding`; less than the rest of it where they wait for a core.
        loader_time: time of all its loaders since the engine's readiness, at work or not, added up.
        batches: batches computed.
        cpu: CPU time of the worker's own process since the engine's readiness: the CPU part of the graph, and the queue.
        queued: decoded frames waiting now.
        slots: frames the queue can hold.
        loaders: loaders at work now.
    """

    images: int = 0
    failures: int = 0
    detections: int = 0
    busy: float = 0.0
    starved: float = 0.0
    blocked: float = 0.0
    idle: float = 0.0
    warm_up: float = 0.0
    writing: float = 0.0
    decoded: int = 0
    decoding: float = 0.0
    reading: float = 0.0
    decoding_cpu: float = 0.0
    loader_time: float = 0.0
    batches: int = 0
    cpu: float = 0.0
    queued: int = 0
    slots: int = 0
    loaders: int = 0

    @property
    def working(self) -> float:
        """Seconds from the first batch on in which there were images to work on."""
        return self.busy + self.starved + self.blocked

    @property
    def span(self) -> float:
        """Seconds from the first batch on."""
        return self.working + self.idle


class Cost(NamedTuple):
    """What images took a loader, seconds.

    Attributes:
        seconds: wall time of all.
        reading: the part of it spent on opening and reading the file.
        cpu: CPU time of the loader since it said so the last time.
    """

    seconds: float
    reading: float
    cpu: float


# --- worker to dispatcher


class WorkerUp(NamedTuple):
    """The engine is loaded. Leases were asked for before, so that the first frames are ready now."""

    pid: int
    description: str
    batch_size: int
    boot_seconds: float


class WorkerFailed(NamedTuple):
    """The worker gives up. `reason` is the engine's or the system's own sentence; `final`: another worker would meet it too."""

    final: bool
    reason: str


class WantBlock(NamedTuple):
    """The worker can take this many more images now. Stays valid until a `Lease` answers it."""

    images: int


class BlockPart(NamedTuple):
    """Some images of a leased block are done; the lease goes on for the others. `finished` as in `BlockDone`."""

    block: int
    finished: List[Any]


class BlockDone(NamedTuple):
    """The end of a lease: what has become of it besides the parts reported before.

    What is in no part is given back, because the worker was told to stop.

    Attributes:
        block: the lease.
        finished: for each finished range `start, stop, failures, checksums, worker` (`output.format.Finished`); of a failed
            image its `index, kind, reason`. Each other image of the range has its result written.
    """

    block: int
    finished: List[Any]


class Heartbeat(NamedTuple):
    """A sign of life, once a second; `stats` and `times` are the values of `WorkerStats` and `histogram.Times`, in order."""

    stats: List[Any]
    times: List[Any]


class LoaderHere(NamedTuple):
    """A loader has come up. Sent before the next `Heartbeat`, so that one without it says that the loader is not there."""

    loader: str


class LoaderStuck(NamedTuple):
    """A loader held one ticket beyond the deadline; it is to be killed, then reported with `LoaderGone`."""

    loader: str


class WorkerDone(NamedTuple):
    """The last message of a worker that was told to stop; `stats` and `times` as in `Heartbeat`."""

    stats: List[Any]
    times: List[Any]


# --- dispatcher to worker


class Lease(NamedTuple):
    """Images `start` to `start + count - 1` of the list are this worker's to do."""

    block: int
    start: int
    count: int  # type: ignore[assignment]


class LoaderGone(NamedTuple):
    """That loader's process has ended (it is certain); its tickets may be handed out again."""

    loader: str
    how: str


class RetireLoader(NamedTuple):
    """That loader is to get no more tickets, and `Retire` once it holds none. The dispatcher sees its process end."""

    loader: str


class Stop(NamedTuple):
    """Finish what is being computed or written, then say `WorkerDone` and end."""


# --- between worker and loader


class LoaderUp(NamedTuple):
    """A loader is there and wants tickets."""

    pid: int


class Memory(NamedTuple):
    """Where the frames go: a file of `bytes` bytes to map."""

    path: str
    bytes: int


class Ticket(NamedTuple):
    """One image asked of a loader, whose frame goes into the `room` bytes at `offset` of the frame memory."""

    ticket: int
    path: bytes
    offset: int
    room: int


class Tickets(NamedTuple):
    """The next images for a loader, in order."""

    tickets: List[Ticket]


class Retire(NamedTuple):
    """No more tickets will come; the loader ends."""


class FrameReady(NamedTuple):
    """A frame is in its place: uint8 `[height, width, 3]`, of an image of the given size, in pixels."""

    ticket: int
    height: int
    width: int
    image_height: int
    image_width: int


class FrameFailed(NamedTuple):
    """The image of that ticket cannot be decoded."""

    ticket: int
    kind: str
    reason: str


class Loaded(NamedTuple):
    """A loader is through with these tickets, which cost it so much altogether.

    `too_large` are tickets whose frames do not fit into their room; `times` has a byte for each ticket, the bucket
    (`histogram.py`) of the time it took.
    """

    ready: List[FrameReady]
    failed: List[FrameFailed]
    too_large: List[int]
    cost: Cost
    times: bytes


Message = Union[
    WorkerUp, WorkerFailed, WantBlock, BlockPart, BlockDone, Heartbeat, LoaderHere, LoaderStuck, WorkerDone, Lease, LoaderGone,
    RetireLoader, Stop, LoaderUp, Memory, Tickets, Retire, Loaded,
]  # fmt: skip

#: What travels inside of messages: one, or a list of them.
_Row = Union[Ticket, FrameReady, FrameFailed, Cost]

_KINDS: Tuple[Type[Any], ...] = Message.__args__  # type: ignore[attr-defined]
_ROWS: Tuple[Type[Any], ...] = _Row.__args__  # type: ignore[attr-defined]
_BY_NAME: Dict[str, Type[Any]] = {kind.__name__: kind for kind in _KINDS}
_PYTHON_TYPES: Dict[str, Tuple[Type[Any], ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bytes": (bytes,),
    "bool": (bool,),
    "List[Any]": (list,),
}


def encode(message: Message) -> bytes:
    """The message as it travels: a msgpack list of its kind and its fields."""
    return msgpack.packb([type(message).__name__] + list(message), use_bin_type=True, unicode_errors="surrogateescape")  # type: ignore[no-any-return]


def decode(data: bytes) -> Message:
    """The message in `data`.

    Raises:
        ProtocolError: when it is of no known kind, or its fields are not the kind's.
    """
    try:
        parts = msgpack.unpackb(data, raw=False, unicode_errors="surrogateescape")
        if not isinstance(parts, list):
            raise ValueError("not a list")
        return _fields(_BY_NAME[parts[0]], parts[1:])  # type: ignore[no-any-return]
    except (ValueError, TypeError, KeyError, IndexError, msgpack.UnpackException) as error:
        raise ProtocolError("a message that is none of ours: {!r} ({!r})".format(bytes(data[:80]), error))


def _fields(kind: Type[Any], values: List[Any]) -> Any:
    """Values as fields of a message or a row."""
    checks = _CHECKS[kind]
    if len(values) != len(checks):
        raise ValueError("{} fields instead of {}".format(len(values), len(checks)))
    return kind(*[check(value) for check, value in zip(checks, values)])


def _check_of(annotation: str) -> Callable[[Any], Any]:
    """What checks and returns a field's value."""
    for row in _ROWS:
        if annotation == row.__name__:
            return functools.partial(_fields, row)
        if annotation == "List[{}]".format(row.__name__):
            return functools.partial(_list_of, functools.partial(_fields, row))
    if annotation == "List[int]":
        return functools.partial(_list_of, functools.partial(_plain, (int,)))
    return functools.partial(_plain, _PYTHON_TYPES[annotation])


def _plain(types: Tuple[Type[Any], ...], value: Any) -> Any:
    if not isinstance(value, types):
        raise ValueError("{!r} is not {}".format(value, types[-1].__name__))
    return value


def _list_of(check: Callable[[Any], Any], values: Any) -> List[Any]:
    return [check(value) for value in _plain((list,), values)]


def _annotation_name(annotation: Any) -> str:
    # NamedTuple wraps text annotations in ForwardRef on some Python versions and leaves them as text on others.
    return getattr(annotation, "__forward_arg__", annotation)  # type: ignore[no-any-return]


_CHECKS: Dict[Type[Any], List[Callable[[Any], Any]]] = {
    kind: [_check_of(_annotation_name(annotation)) for annotation in kind.__annotations__.values()]
    for kind in _KINDS + _ROWS
}
