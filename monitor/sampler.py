"""The thread that samples a run, once a second, beside the dispatcher: whatever a driver or a disk does to it, the run goes on."""

from __future__ import annotations

import collections
import logging
import threading
import time
from typing import Deque, Dict, List, NamedTuple, Optional

from .gpus import GpuSampler
from .host import HostSampler
from .metricslog import MetricsLog
from .sample import Sample, WorkerSample

log = logging.getLogger("dispatcher")

#: Samples that are kept for who looks at the run from inside: ten minutes at the usual pace.
_RECENT = 600
#: A driver or a disk that hangs must not keep the program from its end.
_END_SECONDS = 2.0


class PoolState(NamedTuple):
    """What the dispatcher knows itself; fields as in `Sample`. `pids`: its processes by role."""

    images: int
    done: int
    failures: int
    stopping: bool
    workers: List[WorkerSample]
    pids: Dict[str, List[int]]


class Sampler:
    """Samples until it is closed.

    Args:
        path: of `metrics.jsonl`.
        gpus: samples the GPUs in use.
        host: samples the machine.
        every: seconds between two samples.
    """

    def __init__(self, path: str, gpus: GpuSampler, host: HostSampler, every: float = 1.0) -> None:
        self._path = path
        self._gpus = gpus
        self._host = host
        self._every = every
        self._start = time.time()
        self._began = time.monotonic()
        self._state: Optional[PoolState] = None
        self._log: Optional[MetricsLog] = None
        self._recent: Deque[Sample] = collections.deque(maxlen=_RECENT)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    @property
    def recent(self) -> List[Sample]:
        """The last samples, the oldest first."""
        return list(self._recent)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def note(self, state: PoolState) -> None:
        """The dispatcher's present state, for the next sample."""
        self._state = state

    def close(self) -> None:
        """Takes the last sample and ends the thread, if it answers."""
        self._over.set()
        self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        try:
            self._log = MetricsLog(self._path)
        except OSError as error:
            self._give_up_log(error)
        over = False
        while not over:
            over = self._over.wait(self._every)
            if self._state is not None:
                self._add(self._sample(self._state), over)
        self._gpus.close()

    def _sample(self, state: PoolState) -> Sample:
        gpus, missing = self._gpus.sample()
        return Sample(
            time=time.time(),
            seconds=time.monotonic() - self._began,
            start=self._start,
            images=state.images,
            done=state.done,
            failures=state.failures,
            stopping=state.stopping,
            workers=state.workers,
            gpus=gpus,
            gpus_missing=missing,
            host=self._host.sample(state.pids),
        )

    def _add(self, sample: Sample, last: bool) -> None:
        self._recent.append(sample)
        if self._log is None:
            return
        try:
            if last:
                self._log.close(sample)
            else:
                self._log.add(sample)
        except OSError as error:
            self._give_up_log(error)

    def _give_up_log(self, error: OSError) -> None:
        # Figures are worth less than results; where the disk is full, those say so.
        log.warning("%s: cannot be written (%s); this start goes on without", self._path, error.strerror or error)
        self._log = None
