"""How many slots a worker's queue gets."""

from __future__ import annotations

from ..errors import EngineBootError
from .cells import cell_bytes

#: Small frames get this much memory, bytes, for at most so many: each loader has many of them in hand.
_SMALL, _MOST_SMALL = 1 << 26, 512


def slot_count(memory_bytes: int, frame_bytes: int, batch_size: int, streams: int, loaders: int) -> int:
    """How many slots a queue gets: enough that the next batch is ready, never more than the memory allows.

    Args:
        memory_bytes: the limit (`--queue-mem`).
        frame_bytes: bytes of the largest frame.
        batch_size: frames a step.
        streams: batches in flight on the device.
        loaders: loader processes.

    Returns:
        A multiple of `batch_size`.

    Raises:
        EngineBootError: when the limit does not hold what the engine computes and one batch more.
    """
    # What is computed, the batch that is ready after each, and what the loaders work on; the same again lets the queue
    # ride out a slow read.
    cells = 2 * (2 * streams + -(-2 * loaders // batch_size))
    least = streams + 1
    size = cell_bytes(frame_bytes, batch_size)
    affordable = memory_bytes // size
    if affordable < least:
        raise EngineBootError(
            "--queue-mem: {:.0f} MB hold fewer than {} frames of {:.1f} MB; give at least {:.0f} MB.".format(
                memory_bytes / 1e6, least * batch_size, frame_bytes / 1e6, least * batch_size * frame_bytes / 1e6 + 1
            )
        )
    small = min(_SMALL // size, _MOST_SMALL // batch_size)
    return min(max(cells, -(-16 // batch_size), small), affordable) * batch_size
