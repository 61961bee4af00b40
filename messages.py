"""The messages between dispatcher, workers and loaders: typed records, msgpack on the wire, nothing else accepted.

    dispatcher                    worker                         loader
        |  <---- WorkerUp, WantBlock |  <---------- LoaderUp         |
        |  Lease ------------------> |  Memory, Ticket ------------> |
        |  <-- BlockPart, BlockDone  |  <---- FrameReady/FrameFailed |
        |  <-- Heartbeat, LoaderHere |                               |
        |  LoaderGone, Stop -------> |  Retire -------------------> |
        |  RetireLoader -----------> |                               |

Every socket is a ROUTER on the left and a DEALER on the right; the DEALER's identity is its process's name.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Tuple, Type, Union

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
        blocked: time in which the engine waited for the writer.
        idle: time without any image to work on.
        warm_up: from the engine's readiness to the start of its first batch.
        writing: time the writer spent encoding and writing (beside the engine, not instead of it).
        decoded: images its loaders are through with, those they could not decode included.
        decoding: time its loaders spent reading, decoding and resizing, added up.
        reading: the part of `decoding` in which a loader waited for a file.
        decoding_cpu: CPU time its loaders spent in `decoding`; less than the rest of it where they wait for a core.
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
    batches: int = 0
    cpu: float = 0.0
    queued: int = 0
    slots: int = 0
    loaders: int = 0


class Cost(NamedTuple):
    """What an image took a loader, seconds.

    Attributes:
        seconds: wall time of all.
        reading: the part of it spent on opening and reading the file.
        cpu: CPU time.
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
    """A sign of life, once a second; `stats` are the values of `WorkerStats`, in order."""

    stats: List[Any]


class LoaderHere(NamedTuple):
    """A loader has come up. Sent before the next `Heartbeat`, so that one without it says that the loader is not there."""

    loader: str


class LoaderStuck(NamedTuple):
    """A loader held one ticket beyond the deadline; it is to be killed, then reported with `LoaderGone`."""

    loader: str


class WorkerDone(NamedTuple):
    """The last message of a worker that was told to stop; `stats` as in `Heartbeat`."""

    stats: List[Any]


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
    """Where the frames go: a file to map, divided into `slots` of `slot_bytes` each."""

    path: str
    slots: int
    slot_bytes: int


class Ticket(NamedTuple):
    """One image asked of a loader, to be put into one slot."""

    ticket: int
    path: bytes
    slot: int


class Retire(NamedTuple):
    """No more tickets will come; the loader ends."""


class FrameReady(NamedTuple):
    """The slot of that ticket holds a frame: uint8 `[height, width, 3]` of an image of the given size, in pixels.

    `cost` are the values of `Cost`.
    """

    ticket: int
    height: int
    width: int
    image_height: int
    image_width: int
    cost: List[Any]


class FrameFailed(NamedTuple):
    """The image of that ticket cannot be decoded."""

    ticket: int
    kind: str
    reason: str
    cost: List[Any]


Message = Union[
    WorkerUp, WorkerFailed, WantBlock, BlockPart, BlockDone, Heartbeat, LoaderHere, LoaderStuck, WorkerDone, Lease, LoaderGone,
    RetireLoader, Stop, LoaderUp, Memory, Ticket, Retire, FrameReady, FrameFailed,
]  # fmt: skip

_KINDS: Tuple[Type[Any], ...] = Message.__args__  # type: ignore[attr-defined]
_BY_NAME: Dict[str, Type[Any]] = {kind.__name__: kind for kind in _KINDS}
_PYTHON_TYPES = {
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
        kind_name, *values = parts
        kind = _BY_NAME[kind_name]
        annotations = kind.__annotations__
        if len(values) != len(annotations):
            raise ValueError("{} fields instead of {}".format(len(values), len(annotations)))
        for (field, annotation), value in zip(annotations.items(), values):
            if not isinstance(value, _PYTHON_TYPES[_annotation_name(annotation)]):
                raise ValueError("{}.{} is {!r}".format(kind_name, field, value))
    except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
        raise ProtocolError("a message that is none of ours: {!r} ({!r})".format(bytes(data[:80]), error))
    return kind(*values)  # type: ignore[no-any-return]


def _annotation_name(annotation: Any) -> str:
    # NamedTuple wraps text annotations in ForwardRef on some Python versions and leaves them as text on others.
    return getattr(annotation, "__forward_arg__", annotation)  # type: ignore[no-any-return]
