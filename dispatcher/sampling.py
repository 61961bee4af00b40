"""What a start tells its sampler, if it has one (`--sample-every`), and whoever shows it meanwhile."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Callable, Iterator, List, Optional, Sequence

from ..config import RunConfig
from ..errors import ConfigError
from ..monitor.exporter import Exporter
from ..monitor.gpus import GpuSampler
from ..monitor.host import HostSampler
from ..monitor.madesamples import PoolSamples
from ..monitor.sample import DISPATCHER, LOADER, WORKER, Sample, WorkerSample
from ..monitor.sampler import PoolState, Sampler
from .crew import Crew
from .devices import Device

#: As often as the pool shows itself when nothing happens; while messages come it does so far more often.
_SECONDS = 0.2
#: Where samples are rarer, what is shown is made of the pool's own state.
_SHOWN_SECONDS = 2.0


class Sampling:
    """Samples one start.

    Args:
        path: of `metrics.jsonl`.
        devices: what its workers compute on.
        images: images in the list.
        earlier: how many were done before this start.
        earlier_failures: how many of those failed.
        every: seconds between two samples; 0 for none.
    """

    def __init__(
        self, path: str, devices: Sequence[Device], images: int, earlier: int, earlier_failures: int, every: float
    ) -> None:
        self._images = images
        self._earlier = earlier
        self._earlier_failures = earlier_failures
        self._next = 0.0
        self._last: Optional[PoolState] = None
        self._crews: List[Crew] = []
        self._sampler: Optional[Sampler] = None
        self._made = None if 0 < every <= _SHOWN_SECONDS else PoolSamples()
        if every:
            uuids = [device.name for device in devices if device.on_gpu]
            self._sampler = Sampler(path, GpuSampler(uuids), HostSampler(), every)

    @property
    def recent(self) -> List[Sample]:
        """The last samples, the oldest first."""
        return self._sampler.recent if self._sampler is not None else []

    @property
    def latest(self) -> Optional[Sample]:
        """The last sample; None while there is none."""
        return next(reversed(self.recent), None)

    @property
    def shown(self) -> List[Sample]:
        """The same for a view, which needs one every second or two; without a sampler they have no GPUs and no machine."""
        return self.recent if self._made is None else self._made.recent

    def start(self) -> None:
        """Starts the thread."""
        if self._sampler is not None:
            self._sampler.start()

    def update(self, done: int, failures: int, stopping: bool, crews: List[Crew]) -> None:
        """The present state; called as often as one likes.

        Args:
            done: images done by this start.
            failures: how many of them failed.
            stopping: whether the operator asked for the end.
            crews: the crews.
        """
        self._crews = crews
        self._last = PoolState(self._images, self._earlier + done, self._earlier_failures + failures, stopping, [], {})
        now = time.monotonic()
        # Many workers take a while to be looked at: only when a sample is near.
        if now >= self._next and self._is_due(now):
            self._next = now + _SECONDS
            self._note(self._state())

    def close(self) -> None:
        """Has the state of the last `update`, with the workers' last words, sampled, and ends."""
        if self._sampler is not None:
            if self._last is not None:
                self._sampler.note(self._state())
            self._sampler.close()

    def _is_due(self, now: float) -> bool:
        if self._made is not None and self._made.due:
            return True
        return self._sampler is not None and now >= self._sampler.due - _SECONDS

    def _note(self, state: PoolState) -> None:
        if self._sampler is not None:
            self._sampler.note(state)
        if self._made is not None and self._made.due:
            self._made.note(state)

    def _state(self) -> PoolState:
        assert self._last is not None
        workers = [_worker(crew) for crew in self._crews]
        pids = {
            DISPATCHER: [os.getpid()],
            WORKER: [pid for crew in self._crews for pid in crew.worker_pids],
            LOADER: [pid for crew in self._crews for pid in crew.loader_pids],
        }
        return self._last._replace(workers=workers, pids=pids)


@contextlib.contextmanager
def exporting(config: RunConfig, say: Callable[[str], None]) -> Iterator[Optional[Exporter]]:
    """What serves a run's samples to Prometheus meanwhile: `--metrics-port`.

    Args:
        config: the options.
        say: takes a sentence that says where.

    Raises:
        ConfigError: when nothing can be served there, or there is nothing to serve.
    """
    if not config.metrics_port:
        yield None
        return
    if not config.sample_every:
        raise ConfigError("--metrics-port: with --sample-every 0 there is nothing to serve; leave one of them out.")
    exporter = Exporter(config.metrics_port)
    try:
        say("Figures for Prometheus: {}".format(exporter.url))
        yield exporter
    finally:
        exporter.close()


def _worker(crew: Crew) -> WorkerSample:
    return WorkerSample(
        number=crew.seat,
        device=crew.device.label,
        uuid=crew.device.name if crew.device.on_gpu else "",
        state=crew.state,
        reason=crew.reason,
        restarts=crew.restarts,
        loaders=crew.count,
        silent=crew.silent(time.monotonic()),
        stats=crew.stats,
        times=crew.times._asdict(),
    )
