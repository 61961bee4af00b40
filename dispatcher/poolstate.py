"""What the dispatcher knows of its pool, as samples have it."""

from __future__ import annotations

from typing import List

from ..monitor.sample import WorkerSample
from ..monitor.sampler import PoolState
from .crew import Crew
from .pool import Pool


def pool_state(pool: Pool, images: int, earlier: int, earlier_failures: int, stopping: bool) -> PoolState:
    """The pool's present state.

    Args:
        pool: the pool.
        images: images in the list.
        earlier: how many were done before this start.
        earlier_failures: how many of those failed.
        stopping: whether the operator asked for the end.
    """
    return PoolState(
        images=images,
        done=earlier + pool.done,
        failures=earlier_failures + pool.failures,
        stopping=stopping,
        workers=_workers(pool.crews),
        pids={},
    )


def _workers(crews: List[Crew]) -> List[WorkerSample]:
    return [
        WorkerSample(
            number=crew.seat,
            device=crew.device.label,
            uuid=crew.device.name if crew.device.on_gpu else "",
            state=crew.state,
            reason=crew.reason,
            restarts=crew.restarts,
            loaders=crew.count,
            stats=crew.stats,
        )
        for crew in crews
    ]
