"""Samples made of what is known without a sampler: of the pool's own state, of `progress.json`, of `summary.json`.

They have no GPUs, and of the machine at most its cores.
"""

from __future__ import annotations

import collections
import time
from typing import Any, Deque, Dict, List, Mapping, Optional

from ..machine import usable_cpu
from ..messages import WorkerStats
from .sample import HostSample, Sample, WorkerSample
from .sampler import PoolState

#: Samples that are kept, and seconds between two of them.
_RECENT, _EVERY = 600, 1.0


class PoolSamples:
    """Keeps the samples of the pool's state that were taken in the last ten minutes."""

    def __init__(self) -> None:
        self._start = time.time()
        self._began = time.monotonic()
        self._host = HostSample(cores=usable_cpu())
        self._next = 0.0
        self._recent: Deque[Sample] = collections.deque(maxlen=_RECENT)

    @property
    def recent(self) -> List[Sample]:
        """The last samples, the oldest first."""
        return list(self._recent)

    @property
    def due(self) -> bool:
        """Whether it is time for one."""
        return time.monotonic() >= self._next

    def note(self, state: PoolState) -> None:
        """Takes one: the dispatcher's present state."""
        now = time.monotonic()
        self._next = now + _EVERY
        self._recent.append(
            Sample(
                time=time.time(),
                seconds=now - self._began,
                start=self._start,
                images=state.images,
                done=state.done,
                failures=state.failures,
                stopping=state.stopping,
                workers=state.workers,
                host=self._host,
            )
        )


def sample_of_live(live: Mapping[str, Any]) -> Optional[Sample]:
    """The content of `progress.json` as a sample; None when it does not tell enough."""
    try:
        return Sample(
            time=live["time"],
            seconds=live["seconds"],
            start=live["time"] - live["seconds"],
            images=live["images"],
            done=live["done"],
            failures=live["failures"],
            stopping=live["stopping"],
            workers=[_worker(number, worker) for number, worker in enumerate(live["workers"])],
            host=HostSample(cores=live["cores"]),
        )
    except (KeyError, TypeError):
        return None


def sample_of_summary(summary: Mapping[str, Any]) -> Optional[Sample]:
    """The content of `summary.json` as the last sample of its start; None when it does not tell enough."""
    try:
        return Sample(
            time=0.0,
            seconds=summary["seconds"],
            images=summary["images"],
            done=summary["results"] + summary["failures"],
            failures=summary["failures"],
            workers=[_worker(number, worker) for number, worker in enumerate(summary["workers"])],
        )
    except (KeyError, TypeError):
        return None


def _worker(number: int, worker: Mapping[str, Any]) -> WorkerSample:
    stats: Dict[str, Any] = worker["stats"]
    return WorkerSample(
        number=number,
        device=worker["device"],
        state=worker.get("state", "closed"),
        reason=worker.get("reason", ""),
        restarts=worker["restarts"],
        loaders=worker.get("loaders", stats.get("loaders", 0)),
        silent=worker.get("silent", 0.0),
        stats=WorkerStats(**{name: stats[name] for name in WorkerStats._fields if name in stats}),
    )
