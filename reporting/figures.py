"""A run in figures: what its starts did together. Pure: of workers' sums and of samples, as they were recorded."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..histogram import sum_of
from ..messages import WorkerStats
from ..monitor.facts import ratio
from ..monitor.sample import GpuSample, Sample
from . import weighted
from .timeline import Timeline, gpu_names
from .weighted import Weighted

#: What a worker's time goes to from its first batch on, in the order in which it is shown.
STATES = ("busy", "starved", "blocked", "idle")
#: What a start is known by.
METRICS, SUMMARY, PROGRESS = "metrics.jsonl", "summary.json", "progress.json"


class Worker(NamedTuple):
    """A worker in one start, or in all.

    Attributes:
        number: its place in `--gpus`.
        device: its device's label.
        on_gpu: whether that is a GPU.
        restarts: how often it was started again.
        loaders: how many it had at the end; 0 where that is not known.
        stats: its sums.
        times: histograms by what they are of; empty where there are none.
        description: of its engine, by itself; "" where that is not known.
    """

    number: int
    device: str
    on_gpu: bool
    restarts: int
    loaders: int
    stats: WorkerStats
    times: Dict[str, List[int]] = {}
    description: str = ""

    @property
    def shares(self) -> Dict[str, float]:
        """Shares of its time from its first batch on, 0 to 1, by state: the engine's own record."""
        return {state: ratio(getattr(self.stats, state), self.stats.span) for state in STATES}


class StartFigures(NamedTuple):
    """One start.

    Attributes:
        began: seconds since 1970; None where that is not known.
        seconds: its wall time.
        workers: an entry a worker.
        source: which file tells.
    """

    began: Optional[float]
    seconds: float
    workers: Tuple[Worker, ...]
    source: str


class Gpu(NamedTuple):
    """A GPU over all samples; None where its driver does not say.

    Attributes:
        uuid: its name for the driver.
        label: "GPU 2 (NVIDIA H200)", of a slice with part of its UUID.
        utilisation: mean of what its driver says, 0 to 1.
        memory_used: bytes, the most there were.
        memory_total: bytes.
        power: watts, mean.
        power_limit: watts.
        temperature: degrees Celsius, the most there were.
        clock: MHz, mean.
        throttled: share of the time in which its clock was lower than it could be, 0 to 1, by reason.
        ecc_errors: uncorrected memory errors at the end.
        xids: critical errors (NVIDIA's Xid codes), each code once.
        gone: why it does not answer any more; "" when it does.
    """

    uuid: str
    label: str
    utilisation: Optional[float]
    memory_used: Optional[float]
    memory_total: Optional[int]
    power: Optional[float]
    power_limit: Optional[float]
    temperature: Optional[float]
    clock: Optional[float]
    throttled: Dict[str, float]
    ecc_errors: Optional[int]
    xids: Tuple[int, ...]
    gone: str


class Figures(NamedTuple):
    """All starts together.

    Attributes:
        starts: one entry a start, the oldest first.
        workers: their sums over all starts.
        busy_median: of the workers' busy shares over time; None without samples.
        utilisation: mean of the GPUs' utilisation as their driver says, 0 to 1; None where there is none.
        utilisation_median: the median of the same.
        utilisation_samples: of how many these are.
        gpus: one entry a GPU; empty where none was sampled.
    """

    starts: Tuple[StartFigures, ...]
    workers: Tuple[Worker, ...]
    busy_median: Optional[float]
    utilisation: Optional[float]
    utilisation_median: Optional[float]
    utilisation_samples: int
    gpus: Tuple[Gpu, ...]

    @property
    def seconds(self) -> float:
        """Wall time of all starts."""
        return sum(start.seconds for start in self.starts)

    @property
    def images(self) -> int:
        """Results written in these starts."""
        return int(self.total("images"))

    @property
    def failures(self) -> int:
        """Failure records made in these starts."""
        return int(self.total("failures"))

    @property
    def on_gpu(self) -> bool:
        """Whether there are GPUs."""
        return any(worker.on_gpu for worker in self.workers)

    @property
    def processes(self) -> int:
        """Workers of the start that had most. Each has a device of its own."""
        return max((len(start.workers) for start in self.starts), default=0)

    @property
    def busy(self) -> Optional[float]:
        """Share of the workers' time from their first batch on in which their engines computed; None without a batch."""
        span = self.total("span")
        return self.total("busy") / span if span else None

    @property
    def frames_per_second(self) -> float:
        """Results a second of wall time, the engines' start included, as in the seed's tables."""
        return ratio(self.images, self.seconds)

    @property
    def frames_per_device(self) -> float:
        """The same for each device."""
        return ratio(self.images, sum(start.seconds * len(start.workers) for start in self.starts))

    @property
    def restarts(self) -> int:
        """Workers that were started again."""
        return sum(worker.restarts for worker in self.workers)

    def total(self, name: str) -> float:
        """The sum over all workers of a field of `WorkerStats`."""
        return float(sum(getattr(worker.stats, name) for worker in self.workers))

    def share(self, state: str) -> float:
        """The share of one of STATES in the time of all workers, 0 to 1."""
        return ratio(self.total(state), self.total("span"))

    def times(self, name: str) -> List[int]:
        """A histogram of all workers together."""
        return sum_of(worker.times.get(name, []) for worker in self.workers)


def make_figures(
    starts: Sequence[StartFigures], samples: Sequence[Sequence[Sample]], timeline: Optional[Timeline]
) -> Figures:
    """Adds up.

    Args:
        starts: one entry a start, the oldest first.
        samples: of these starts, where there are any.
        timeline: of these samples.
    """
    gpus = [
        (gpu, seconds) for start in samples for sample, seconds in weighted.with_seconds(start) for gpu in sample.gpus
    ]
    utilisation = [Weighted(gpu.utilisation, seconds) for gpu, seconds in gpus if not gpu.gone]
    busy = [one for curve in timeline.busy for one in map(Weighted, curve.values, timeline.lengths)] if timeline else []
    return Figures(
        starts=tuple(starts),
        workers=_together(starts),
        busy_median=weighted.median(busy),
        utilisation=weighted.mean(utilisation),
        utilisation_median=weighted.median(utilisation),
        utilisation_samples=sum(one.value is not None for one in utilisation),
        gpus=_gpus(gpus),
    )


def workers_of(sample: Sample, on_gpu: Dict[str, bool]) -> Tuple[Worker, ...]:
    """The workers as a sample has them.

    Args:
        sample: a start's last one.
        on_gpu: whether a device of this label is a GPU, where it is known otherwise.
    """
    return tuple(
        Worker(
            worker.number,
            worker.device,
            on_gpu.get(worker.device, bool(worker.uuid)),
            worker.restarts,
            worker.loaders,
            worker.stats,
            worker.times,
        )
        for worker in sample.workers
    )


def _gpus(samples: Sequence[Tuple[GpuSample, float]]) -> Tuple[Gpu, ...]:
    by_uuid: Dict[str, List[Tuple[GpuSample, float]]] = {}
    for sample, seconds in samples:
        by_uuid.setdefault(sample.uuid, []).append((sample, seconds))
    numbers = {uuid: several[-1][0].index for uuid, several in by_uuid.items()}
    names = gpu_names(numbers)
    ordered = sorted(by_uuid, key=lambda uuid: (numbers[uuid], names[uuid]))
    return tuple(_gpu(names[uuid], by_uuid[uuid]) for uuid in ordered)


def _gpu(name: str, samples: Sequence[Tuple[GpuSample, float]]) -> Gpu:
    latest = samples[-1][0]
    answered = [(sample, seconds) for sample, seconds in samples if not sample.gone] or [samples[-1]]
    last = answered[-1][0]

    def mean(name: str) -> Optional[float]:
        return weighted.mean(Weighted(getattr(sample, name), seconds) for sample, seconds in answered)

    def most(name: str) -> Optional[float]:
        values = [getattr(sample, name) for sample, _ in answered]
        return max((float(value) for value in values if value is not None), default=None)

    throttled: Dict[str, float] = {}
    for sample, seconds in answered:
        for reason in sample.throttled:
            throttled[reason] = throttled.get(reason, 0.0) + seconds
    total = sum(seconds for _, seconds in answered)
    return Gpu(
        uuid=latest.uuid,
        label="{} ({})".format(name, last.name or "no name"),
        utilisation=mean("utilisation"),
        memory_used=most("memory_used"),
        memory_total=last.memory_total,
        power=mean("power"),
        power_limit=last.power_limit,
        temperature=most("temperature"),
        clock=mean("clock"),
        throttled={
            reason: ratio(throttled[reason], total) for reason in sorted(throttled, key=lambda one: -throttled[one])
        },
        ecc_errors=last.ecc_errors,
        xids=tuple(dict.fromkeys(xid for sample, _ in samples for xid in sample.xids)),
        gone=latest.gone,
    )


def _together(starts: Sequence[StartFigures]) -> Tuple[Worker, ...]:
    sums: Dict[Tuple[int, str], Worker] = {}
    for worker in (worker for start in starts for worker in start.workers):
        key = worker.number, worker.device
        if key not in sums:
            sums[key] = worker
            continue
        before = sums[key]
        added = [a + b for a, b in zip(before.stats, worker.stats)]
        stats = WorkerStats(*added)._replace(  # type: ignore[arg-type]
            queued=worker.stats.queued, slots=worker.stats.slots, loaders=worker.stats.loaders
        )
        names = sorted(set(before.times) | set(worker.times))
        sums[key] = worker._replace(
            restarts=before.restarts + worker.restarts,
            stats=stats,
            times={name: sum_of([before.times.get(name, []), worker.times.get(name, [])]) for name in names},
            description=worker.description or before.description,
        )
    return tuple(sums[key] for key in sorted(sums))
