"""The thread that samples a run beside the dispatcher: whatever a driver or a disk does to it, the run goes on."""

from __future__ import annotations

import collections
import contextlib
import logging
import threading
import time
from typing import Deque, Dict, List, NamedTuple, Optional, Tuple

from .aside import Aside, NoAnswer
from .gpus import GpuSampler
from .host import HostSampler
from .metricslog import MetricsLog
from .sample import GpuSample, HostSample, Sample, WorkerSample

log = logging.getLogger("dispatcher")

#: Samples that are kept for who looks at the run from inside: ten minutes at the usual pace.
_RECENT = 600
#: A disk that hangs must not keep the program from its end. More than GPUs and host may take (`aside.py`).
_END_SECONDS = 2.5


class PoolState(NamedTuple):
    """What the dispatcher knows itself; fields as in `Sample`. `pids`: its processes by role."""

    images: int
    done: int
    failures: int
    stopping: bool
    workers: List[WorkerSample]
    pids: Dict[str, List[int]]


class Sampler:
    """Samples until it is closed. Only what the operator's disk does can stop it: GPUs and host are asked aside.

    Args:
        path: of `metrics.jsonl`.
        gpus: samples the GPUs in use.
        host: samples the machine.
        every: seconds between two samples.
    """

    def __init__(self, path: str, gpus: GpuSampler, host: HostSampler, every: float = 1.0) -> None:
        self._path = path
        self._uses_gpus = bool(gpus.uuids)
        self._gpus = Aside("gpus", gpus.sample, gpus.close)
        self._host = Aside("host", host.sample)
        self._every = every
        #: When the next sample is taken (`time.monotonic`).
        self.due = 0.0
        self._start = time.time()
        self._began = time.monotonic()
        self._state: Optional[PoolState] = None
        self._log: Optional[MetricsLog] = None
        self._recent: Deque[Sample] = collections.deque(maxlen=_RECENT)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    @property
    def recent(self) -> List[Sample]:
        """The last samples, the oldest first; only the last one has histograms."""
        with self._lock:
            return list(self._recent)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def note(self, state: PoolState) -> None:
        """The dispatcher's present state, for the next sample. Without one there is none."""
        self._state = state

    def close(self) -> None:
        """Takes the last sample and ends the thread, if it answers."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        try:
            self._log = MetricsLog(self._path)
        except OSError as error:
            self._give_up_log(error)
        due = self._began
        over = False
        while not over:
            # Seconds of the clock, not pauses between: else a sample's own time would add up.
            due = self.due = max(due + self._every, time.monotonic())
            # One that is told to end while it takes a sample takes another one: the state is newer.
            over = self._over.wait(due - time.monotonic())
            if self._state is not None:
                self._add(self._sample(self._state))
        if self._log is not None:
            self._close_log(self._log)
        self._gpus.close()
        self._host.close()

    def _sample(self, state: PoolState) -> Sample:
        gpus, missing = self._sample_gpus()
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
            host=self._sample_host(state.pids),
        )

    def _sample_gpus(self) -> Tuple[List[GpuSample], str]:
        if not self._uses_gpus:
            return [], ""
        try:
            return self._gpus.ask()
        except NoAnswer as reason:
            return [], "the NVIDIA driver {}".format(reason)

    def _sample_host(self, pids: Dict[str, List[int]]) -> Optional[HostSample]:
        try:
            return self._host.ask(pids)
        except NoAnswer as reason:
            log.debug("the machine cannot be sampled: it %s", reason)
            return None

    def _add(self, sample: Sample) -> None:
        with self._lock:
            if self._recent:
                self._recent[-1] = self._recent[-1].without_times()
            self._recent.append(sample)
        if self._log is not None:
            try:
                self._log.add(sample)
            except OSError as error:
                self._give_up_log(error)

    def _give_up_log(self, error: OSError) -> None:
        # Figures are worth less than results; where the disk is full, those say so.
        log.warning("%s: cannot be written (%s); this start goes on without", self._path, error.strerror or error)
        if self._log is not None:
            self._close_log(self._log)
        self._log = None

    @staticmethod
    def _close_log(metrics: MetricsLog) -> None:
        with contextlib.suppress(OSError):
            metrics.close()
