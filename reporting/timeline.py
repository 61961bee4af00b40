"""What happened when: the samples of a run's starts as curves over its running time."""

from __future__ import annotations

import collections
import statistics
from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..messages import WorkerStats
from ..monitor.change import bridged
from ..monitor.facts import ratio
from ..monitor.sample import DISPATCHER, GpuSample, Sample
from .metrics import spread

#: Points of a curve, over all starts: more cannot be told apart on paper.
MOST_POINTS = 240
#: Samples are missing where none came for so many seconds, and for so many times the usual pause.
_LEAST_GAP, _GAP_STEPS = 10.0, 5.0
#: The label of the whole machine's curve beside those of the roles.
ALL_PROGRAMS = "all programs"
_GIBI = float(1 << 30)

Values = List[Optional[float]]


class Curve(NamedTuple):
    """Something over time.

    Attributes:
        label: whose.
        values: one an interval of its timeline; None where it is not known.
    """

    label: str
    values: Values


class Timeline(NamedTuple):
    """A run over time, in intervals. What is between two starts is left out.

    Attributes:
        times: the middle of each interval, seconds of running time. Between two starts, and where samples are missing for long,
            there is one with None in all curves.
        lengths: of each interval, seconds; 0 for those.
        begins: where each start begins, seconds of running time.
        seconds: running time altogether.
        frames: results a second, all workers together.
        busy: share of its time from the first batch on in which each worker's engine computed, 0 to 1.
        queue: share of its queue that was filled, 0 to 1.
        gpu_utilisation: of each GPU, as its driver says, 0 to 1.
        gpu_memory: GiB in use on each.
        gpu_power: watts.
        gpu_temperature: degrees Celsius.
        cpu: cores in use by each role, and by all programs of the machine.
        memory: GiB in use by each role, and in the whole machine.
    """

    times: List[float]
    lengths: List[float]
    begins: List[float]
    seconds: float
    frames: Values
    busy: List[Curve]
    queue: List[Curve]
    gpu_utilisation: List[Curve]
    gpu_memory: List[Curve]
    gpu_power: List[Curve]
    gpu_temperature: List[Curve]
    cpu: List[Curve]
    memory: List[Curve]


class _Interval(NamedTuple):
    """The samples after `before` up to the last of `samples`, in one start that began `offset` seconds into running time."""

    offset: float
    before: Optional[Sample]
    samples: List[Sample]

    @property
    def last(self) -> Sample:
        return self.samples[-1]

    @property
    def since(self) -> float:
        return self.before.seconds if self.before else 0.0

    @property
    def longest_step(self) -> float:
        """Seconds from one sample to the next, at most."""
        times = [self.since, *(sample.seconds for sample in self.samples)]
        return max(later - earlier for earlier, later in zip(times, times[1:]))


def make_timeline(starts: Sequence[Sequence[Sample]], most: int = MOST_POINTS) -> Timeline:
    """Makes curves of samples.

    Args:
        starts: the samples of each start, in order; none is empty.
        most: points of a curve, roughly.
    """
    intervals: List[Optional[_Interval]] = []
    begins: List[float] = []
    offset = 0.0
    total = sum(samples[-1].seconds for samples in starts)
    for samples in starts:
        if begins:
            intervals.append(None)
        begins.append(offset)
        share = ratio(samples[-1].seconds, total)
        intervals += _with_gaps(list(_intervals(offset, samples, max(2, int(most * share)))), samples)
        offset += samples[-1].seconds
    return Timeline(
        times=_times(intervals),
        lengths=[interval.last.seconds - interval.since if interval else 0.0 for interval in intervals],
        begins=begins,
        seconds=offset,
        frames=_frames(intervals),
        busy=_by_worker(intervals, _busy),
        queue=_by_worker(intervals, _queue),
        gpu_utilisation=_by_gpu(intervals, lambda gpu: gpu.utilisation),
        gpu_memory=_by_gpu(intervals, lambda gpu: None if gpu.memory_used is None else gpu.memory_used / _GIBI),
        gpu_power=_by_gpu(intervals, lambda gpu: gpu.power),
        gpu_temperature=_by_gpu(intervals, lambda gpu: gpu.temperature),
        cpu=_of_host(intervals, _cpu),
        memory=_of_host(intervals, _memory),
    )


def worker_name(number: int, device: str) -> str:
    """What a worker is called where there is little room: "GPU 2", which is its own alone, or "worker 2"."""
    return device.split(" (")[0] if device.startswith("GPU ") else "worker {}".format(number)


def gpu_names(numbers: Mapping[str, int]) -> Dict[str, str]:
    """What each GPU is called, "GPU 2", or "GPU 2 MIG-...90b1c2" where several slices of it are in use.

    Args:
        numbers: of the GPUs by UUID.
    """
    often = collections.Counter(numbers.values())
    # Of a slice's UUID the end is its own: it may begin with the GPU's.
    return {
        uuid: "GPU {}".format(number) if often[number] == 1 else "GPU {} {}...{}".format(number, uuid[:4], uuid[-6:])
        for uuid, number in numbers.items()
    }


def role_name(role: str) -> str:
    """What all processes of a role are called: there is one dispatcher."""
    return role if role == DISPATCHER else role + "s"


def _intervals(offset: float, samples: Sequence[Sample], wanted: int) -> Iterator[_Interval]:
    before: Optional[Sample] = None
    begin = 0
    for end in spread(len(samples), wanted):
        if samples[end].seconds > (before.seconds if before else 0.0):
            yield _Interval(offset, before, list(samples[begin : end + 1]))
            before, begin = samples[end], end + 1


def _with_gaps(intervals: Sequence[_Interval], samples: Sequence[Sample]) -> Iterator[Optional[_Interval]]:
    """None for those in which samples are missing for long: the dispatcher was stopped, or its disk hung."""
    steps = [later.seconds - earlier.seconds for earlier, later in zip(samples, samples[1:])]
    usual = statistics.median(steps) if steps else 0.0
    for interval in intervals:
        missing = interval.before is not None and interval.longest_step > max(_LEAST_GAP, _GAP_STEPS * usual)
        yield None if missing and interval is not intervals[-1] else interval


def _times(intervals: Sequence[Optional[_Interval]]) -> List[float]:
    times: List[float] = []
    following = 0.0
    for interval in reversed(intervals):
        if interval is not None:
            times.append(interval.offset + (interval.since + interval.last.seconds) / 2)
            following = interval.offset + interval.since
        else:
            times.append(following)
    return times[::-1]


def _stats(sample: Optional[Sample]) -> Dict[Tuple[int, str], WorkerStats]:
    return {(worker.number, worker.device): worker.stats for worker in sample.workers} if sample else {}


def _frames(intervals: Sequence[Optional[_Interval]]) -> Values:
    curves = _by_worker(intervals, _rate)
    return [
        None if interval is None else sum(curve.values[place] or 0.0 for curve in curves)
        for place, interval in enumerate(intervals)
    ]


def _rate(before: WorkerStats, now: WorkerStats, _: Sequence[WorkerStats]) -> Optional[float]:
    # By the worker's own clock, as everywhere: its figures come once a second, not when the sample was taken.
    there = now.span + now.warm_up - before.span - before.warm_up
    return max(0, now.images - before.images) / there if there > 0 else None


def _busy(before: WorkerStats, now: WorkerStats, _: Sequence[WorkerStats]) -> Optional[float]:
    span = now.span - before.span
    return min(1.0, max(0.0, (now.busy - before.busy) / span)) if span > 0 else None


def _queue(before: WorkerStats, now: WorkerStats, moments: Sequence[WorkerStats]) -> Optional[float]:
    return _mean([stats.queued / stats.slots for stats in moments if stats.slots])


def _by_worker(
    intervals: Sequence[Optional[_Interval]],
    value: Callable[[WorkerStats, WorkerStats, Sequence[WorkerStats]], Optional[float]],
) -> List[Curve]:
    curves: Dict[Tuple[int, str], Curve] = {}
    for place, interval in enumerate(intervals):
        if interval is None:
            continue
        before = _stats(interval.before)
        moments = [_stats(sample) for sample in interval.samples]
        for worker in interval.last.workers:
            key = worker.number, worker.device
            curve = curves.setdefault(key, Curve(worker_name(*key), [None] * len(intervals)))
            seen = [stats[key] for stats in moments if key in stats]
            curve.values[place] = value(before.get(key, WorkerStats()), worker.stats, seen)
    return [_bridged(curves[key], intervals) for key in sorted(curves) if _known(curves[key].values)]


def _bridged(curve: Curve, intervals: Sequence[Optional[_Interval]]) -> Curve:
    """Bridged within each start, not from one to the next."""
    values = zip(intervals, bridged(curve.values))
    return curve._replace(values=[None if interval is None else value for interval, value in values])


def _by_gpu(intervals: Sequence[Optional[_Interval]], value: Callable[[GpuSample], Optional[float]]) -> List[Curve]:
    curves: Dict[str, Curve] = {}
    numbers: Dict[str, int] = {}
    for place, interval in enumerate(intervals):
        found: Dict[str, List[float]] = {}
        for gpu in (gpu for sample in interval.samples for gpu in sample.gpus) if interval else ():
            numbers[gpu.uuid] = gpu.index
            curves.setdefault(gpu.uuid, Curve("", [None] * len(intervals)))
            one = None if gpu.gone else value(gpu)
            if one is not None:
                found.setdefault(gpu.uuid, []).append(one)
        for uuid, values in found.items():
            curves[uuid].values[place] = _mean(values)
    names = gpu_names(numbers)
    ordered = sorted(curves, key=lambda uuid: (numbers[uuid], names[uuid]))
    return [curves[uuid]._replace(label=names[uuid]) for uuid in ordered if _known(curves[uuid].values)]


def _of_host(
    intervals: Sequence[Optional[_Interval]], values: Callable[[Sample], Dict[str, Optional[float]]]
) -> List[Curve]:
    curves: Dict[str, Curve] = {}
    for place, interval in enumerate(intervals):
        found: Dict[str, List[float]] = {}
        for sample in interval.samples if interval else ():
            for label, one in values(sample).items():
                if one is not None:
                    found.setdefault(label, []).append(one)
        for label, several in found.items():
            curves.setdefault(label, Curve(label, [None] * len(intervals))).values[place] = _mean(several)
    # In the same order wherever they stand, so that they have the same colours.
    order = sorted(curves.values(), key=lambda curve: (curve.label == ALL_PROGRAMS, curve.label))
    return [curve for curve in order if _known(curve.values)]


def _cpu(sample: Sample) -> Dict[str, Optional[float]]:
    if sample.host is None:
        return {}
    found: Dict[str, Optional[float]] = {role_name(role): one.cpu for role, one in sample.host.roles.items()}
    return dict(found, **{ALL_PROGRAMS: sample.host.cpu})


def _memory(sample: Sample) -> Dict[str, Optional[float]]:
    if sample.host is None:
        return {}
    found = {role_name(role): None if one.pss is None else one.pss / _GIBI for role, one in sample.host.roles.items()}
    return dict(found, **{ALL_PROGRAMS: sample.host.memory_used / _GIBI})


def _known(values: Values) -> bool:
    return any(value is not None for value in values)


def _mean(values: Sequence[float]) -> Optional[float]:
    return sum(values) / len(values) if values else None
