"""What is known of where a run's time went: the workers' figures, and what they come to together."""

from __future__ import annotations

import statistics
from typing import Any, Iterable, Mapping, NamedTuple, Optional, Tuple

from ..messages import WorkerStats

#: Stands for everything larger, so that no figure is infinite.
_LARGEST = 1e12
#: Workers that did less say nothing about their device's speed.
_TELLING_BATCHES, _TELLING_IMAGES = 10, 20


class WorkerFacts(NamedTuple):
    """One worker.

    Attributes:
        label: its device's label, such as "GPU 2 (NVIDIA H200)".
        on_gpu: whether that is a GPU.
        loaders: how many loaders it has; 0 where that is not known.
        stats: its figures.
    """

    label: str
    on_gpu: bool
    loaders: int
    stats: WorkerStats


class Slower(NamedTuple):
    """A worker whose device is slower than the others: by `share` of their median speed, 0 to 1."""

    number: int
    label: str
    share: float


class Facts(NamedTuple):
    """What a verdict is found from. Seconds of workers are means over those that took part.

    Attributes:
        workers: one entry a worker, also for those that never came up.
        cores: CPU cores the run may use.
        seconds: wall time of this start.
        loaders_fixed: whether the operator chose the number of loaders.
        streams: batches in flight on one device.
        format: the result format.
        fast_decode: whether JPEGs are decoded at a smaller scale; None where there is no such option.
    """

    workers: Tuple[WorkerFacts, ...]
    cores: float
    seconds: float
    loaders_fixed: bool
    streams: int
    format: str
    fast_decode: Optional[bool]

    @property
    def on_gpu(self) -> bool:
        """Whether the workers compute on GPUs."""
        return any(worker.on_gpu for worker in self.workers)

    def total(self, name: str) -> float:
        """The sum of one of the fields of `WorkerStats` over all workers."""
        return float(sum(getattr(worker.stats, name) for worker in self.workers))

    @property
    def taking_part(self) -> int:
        """Workers that had anything to do, or would have."""
        return sum(worker.stats.span > 0 for worker in self.workers)

    def mean(self, *names: str) -> float:
        """The sum of some fields of `WorkerStats` for each worker, on average."""
        return ratio(sum(self.total(name) for name in names), self.taking_part)

    @property
    def active(self) -> float:
        """Seconds in which a worker had images to work on, from its first batch on."""
        return self.mean("busy", "starved", "blocked")

    @property
    def span(self) -> float:
        """Seconds from a worker's first batch on."""
        return self.active + self.mean("idle")

    @property
    def longest_span(self) -> float:
        """The same of the worker that was there longest; others may have been lost on the way."""
        return max((worker.stats.span for worker in self.workers), default=0.0)

    @property
    def wall(self) -> float:
        """Seconds of the whole start; at least what its workers report."""
        return max(self.seconds, self.longest_span)

    @property
    def loaders(self) -> float:
        """Loaders a worker has; 1 where it is not known."""
        known = [worker.loaders for worker in self.workers if worker.loaders]
        return statistics.mean(known) if known else 1.0

    @property
    def loaders_at_work(self) -> float:
        """Share of their time in which the loaders were reading, decoding or waiting for a core, 0 to 1."""
        # There may have been more or fewer of them before.
        time = self.mean("loader_time") or self.span * self.loaders
        return min(1.0, ratio(self.mean("decoding"), time))

    @property
    def decoding_cores(self) -> float:
        """Cores that loaders used, on average. A little too many in a short run: they began before the engines were up."""
        return min(self.cores, ratio(self.total("decoding_cpu"), self.longest_span))

    @property
    def engine_cores(self) -> float:
        """Cores that the workers' own processes used, on average."""
        return min(self.cores, ratio(self.total("cpu"), self.longest_span))

    @property
    def used_cores(self) -> float:
        """Cores that loaders and workers used, on average."""
        return min(self.cores, self.decoding_cores + self.engine_cores)

    @property
    def used_share(self) -> float:
        """The same as a share of the usable cores, 0 to 1."""
        return ratio(self.used_cores, self.cores)

    @property
    def waiting_for_files(self) -> float:
        """Share of the loaders' working time in which they waited for files, 0 to 1."""
        without_core = max(0.0, self.total("decoding") - self.total("decoding_cpu"))
        # What the kernel takes to copy a file out of its cache is reading, but no wait.
        return min(1.0, ratio(min(self.total("reading"), without_core), self.total("decoding")))

    @property
    def waiting_for_cores(self) -> float:
        """Share of the loaders' working time in which they waited neither for files nor had a core, 0 to 1."""
        without_core = self.total("decoding") - self.total("decoding_cpu") - self.total("reading")
        return min(1.0, ratio(max(0.0, without_core), self.total("decoding")))

    @property
    def host_share(self) -> float:
        """CPU seconds of a worker's own process for each second in which it had images and for each of its streams."""
        return ratio(self.mean("cpu"), self.active * self.streams)

    def slower(self, by: float) -> Optional[Slower]:
        """The slowest worker, if its device computes frames slower than the others' median by that share, 0 to 1."""
        speeds = {
            number: ratio(worker.stats.images, worker.stats.busy)
            for number, worker in enumerate(self.workers)
            if worker.stats.batches >= _TELLING_BATCHES and worker.stats.images >= _TELLING_IMAGES
        }
        if len(speeds) < 2:
            return None
        slowest = min(speeds, key=lambda number: speeds[number])
        median = statistics.median(speed for number, speed in speeds.items() if number != slowest)
        share = 1 - ratio(speeds[slowest], median)
        return Slower(slowest, self.workers[slowest].label, share) if median and share >= by else None


def make_facts(workers: Iterable[WorkerFacts], cores: float, seconds: float, config: Mapping[str, Any]) -> Facts:
    """Facts of a run with these options.

    Args:
        workers: one entry a worker.
        cores: CPU cores the run may use.
        seconds: wall time of this start.
        config: the options, as `config.to_json` gives them.
    """
    return Facts(
        workers=tuple(worker._replace(stats=_with_all_idle(worker.stats)) for worker in workers),
        cores=cores,
        seconds=seconds,
        loaders_fixed=config["loaders"] != "auto",
        streams=config["streams"],
        format=config["format"],
        fast_decode=config.get("fast_decode"),
    )


def _with_all_idle(stats: WorkerStats) -> WorkerStats:
    """A worker that came up and never got a batch does not warm up; it has nothing to do."""
    return stats if stats.batches else stats._replace(idle=stats.idle + stats.warm_up, warm_up=0.0)


def ratio(part: float, whole: float) -> float:
    """`part / whole`; 0 when the whole is nothing, and never infinite."""
    return min(part / whole, _LARGEST) if whole > 0 else 0.0
