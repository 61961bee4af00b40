"""How many slots a worker's queue gets, and how large they are."""

from __future__ import annotations

from ..errors import EngineBootError
from ..geometry import frame_bytes

#: Frames begin at multiples of this where they can, so that TensorFlow takes them as they lie instead of copying them.
_ALIGNMENT = 64


def slot_bytes(short_edge_size: int, max_size: int, batch_size: int) -> int:
    """Bytes of a slot: those of the largest frame.

    Args:
        short_edge_size: pixels.
        max_size: pixels.
        batch_size: frames a step. Only with 1 is the size rounded up: in a larger batch frames must touch.
    """
    size = frame_bytes(short_edge_size, max_size)
    return size + (-size % _ALIGNMENT if batch_size == 1 else 0)


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
    affordable = memory_bytes // (frame_bytes * batch_size)
    if affordable < least:
        raise EngineBootError(
            "--queue-mem: {:.0f} MB hold fewer than {} frames of {:.1f} MB; give at least {:.0f} MB.".format(
                memory_bytes / 1e6, least * batch_size, frame_bytes / 1e6, least * batch_size * frame_bytes / 1e6 + 1
            )
        )
    return min(max(cells, -(-16 // batch_size)), affordable) * batch_size
