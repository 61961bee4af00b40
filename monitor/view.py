"""What is shown of a run: out of its last samples and how it stands. Terminal, page and `monitor --json` show the same.

"Now" is a mean over the last seconds, since engines compute in batches; a run that is over is shown as a whole.
"""

from __future__ import annotations

import bisect
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from .bounds import pool_verdict, worker_bounds
from .change import Change, Shares, bridged, frames_per_second, last_seconds, steps
from .notices import notices
from .sample import GpuSample, HostSample, Sample
from .status import RUNNING, SILENT, STOPPING

#: One more state than `status.py` has: at work, and no engine is up yet.
STARTING = "starting"
AT_WORK = (STARTING, RUNNING, STOPPING, SILENT)
_UP = "up"

#: Seconds that "now" stands for: of shares and frames/s, of what bounds it, and of the rate that tells when it will be done.
_NOW, _BOUND, _RATE = 10.0, 30.0, 60.0
#: Seconds that are shown of a run at work.
_HISTORY = 600.0


class Standing(NamedTuple):
    """How a run stands, besides its samples.

    Attributes:
        out: the output folder.
        state: as `status` calls it.
        config: the options, as `config.to_json` gives them.
        images: images in the list.
        done: how many are done by the ledger, failed ones included; None to take it from the last sample.
        failures: how many of them failed; None likewise.
        error: why the last start ended, where it said so.
        verdict: what bounded it, once it is over.
        silent: seconds since its dispatcher was last heard of, while it is at work.
    """

    out: str
    state: str
    config: Mapping[str, Any]
    images: int
    done: Optional[int] = None
    failures: Optional[int] = None
    error: str = ""
    verdict: Optional[Mapping[str, Any]] = None
    silent: float = 0.0


class WorkerView(NamedTuple):
    """One worker, now. None where nothing tells.

    Attributes:
        number: its place in `--gpus`, from 0.
        device: its device's label.
        uuid: the GPU's; "" on a CPU.
        state: "booting", "up", "ending", "paused" or "closed".
        reason: why it is not at work.
        restarts: how often it was started again.
        images: its results in this start.
        failures: its failures in this start.
        shares: where its time goes.
        frames_per_second: results a second.
        queued: decoded frames that wait.
        slots: frames the queue can hold.
        loaders: its loaders.
        bound: what bounds it, a word of docs/how-to/bottleneck.md; "" when nothing tells.
        history: its busy share in each step of `View.history`.
    """

    number: int
    device: str
    uuid: str
    state: str
    reason: str
    restarts: int
    images: int
    failures: int
    shares: Optional[Shares]
    frames_per_second: Optional[float]
    queued: int
    slots: int
    loaders: int
    bound: str
    history: List[Optional[float]]


class GpuView(NamedTuple):
    """One GPU: its last sample, its utilisation now (0 to 1), and that in each step of `View.history`."""

    last: GpuSample
    utilisation: Optional[float]
    history: List[Optional[float]]


class HostView(NamedTuple):
    """The machine: its last sample, and bytes a second now. None where two samples do not tell."""

    last: HostSample
    disk_read: Optional[float]
    disk_written: Optional[float]
    received: Optional[float]
    sent: Optional[float]


class History(NamedTuple):
    """What happened in steps of equal length, the last one up to now. None where nothing tells.

    Attributes:
        step: length of a step, seconds.
        begin: where the first one begins, seconds since the start.
        images_per_second: results of all workers.
        shares: where the workers' time went, all together.
    """

    step: float
    begin: float
    images_per_second: List[Optional[float]]
    shares: List[Optional[Shares]]


class View(NamedTuple):
    """What is shown of a run.

    Attributes:
        out: the output folder.
        state: STARTING, or as `status` calls it.
        at_work: whether a dispatcher works on it.
        error: why the last start ended, where it said so.
        time: when the last sample was taken, seconds since 1970; 0 without any.
        seconds: how long this start has been at work, or was.
        images: images in the list.
        done: how many are done, failed ones included, over all starts.
        failures: how many of them failed.
        images_per_second: over the last minute; of all this start when it is over.
        seconds_left: at that rate.
        workers_up: workers whose engine is ready.
        verdict: `bound`, `sentence` and `gain`: what bounds it now, or bounded it.
        notices: what needs somebody, a clause each, the most important first.
        workers: the workers.
        gpus: the GPUs in use.
        gpus_missing: why there is none; "" when there is, or none is in use.
        host: the machine.
        history: the last ten minutes, or all of it when it is over.
    """

    out: str
    state: str
    at_work: bool
    error: str
    time: float
    seconds: float
    images: int
    done: int
    failures: int
    images_per_second: Optional[float]
    seconds_left: Optional[float]
    workers_up: int
    verdict: Optional[Mapping[str, Any]]
    notices: List[str]
    workers: List[WorkerView]
    gpus: List[GpuView]
    gpus_missing: str
    host: Optional[HostView]
    history: Optional[History]

    @property
    def share(self) -> float:
        """How much of the list is done, 0 to 1."""
        return self.done / self.images if self.images else 1.0

    def to_json(self) -> Dict[str, Any]:
        """Plain values."""
        return dict(_plain(self))


def make_view(samples: Sequence[Sample], standing: Standing, points: int = 121) -> View:
    """What is to be shown.

    Args:
        samples: the last ones of one start, the oldest first; of a start that is over, from its begin. None is fine.
        standing: how the run stands.
        points: steps of the history at most; 0 for none.
    """
    if not samples:
        return _view(standing, Sample(0.0), None)
    last = samples[-1]
    at_work = standing.state in AT_WORK
    if at_work:
        now, bound, rate = last_seconds(samples, _NOW), last_seconds(samples, _BOUND), _rate_change(samples)
    else:
        now = bound = rate = Change(None, last)
    step, changes = steps(samples, _HISTORY if at_work else last.seconds, points) if points else (1.0, [])
    utilisations = [_Utilisation(samples, number) for number in range(len(last.gpus))]
    found = _view(standing, last, rate.images_per_second)
    return found._replace(
        verdict=standing.verdict or pool_verdict(bound, standing.config, at_work),
        workers=_workers(now, worker_bounds(bound, standing.config, at_work), changes),
        gpus=[
            GpuView(gpu, None if gpu.gone else mean.during(now), [mean.during(change) for change in changes])
            for gpu, mean in zip(last.gpus, utilisations)
        ],
        host=None if last.host is None else _host(now, last.host),
        history=_history(step, changes, last.seconds) if points else None,
    )


def _view(standing: Standing, last: Sample, rate: Optional[float]) -> View:
    """What the last sample tells alone."""
    state = standing.state
    images = standing.images or last.images
    done = last.done if standing.done is None else standing.done
    up = sum(worker.state == _UP for worker in last.workers)
    if state == RUNNING:
        begun = up or any(worker.stats.images for worker in last.workers)
        state = STOPPING if last.stopping else RUNNING if begun else STARTING
    at_work = state in AT_WORK
    left = images - done
    return View(
        out=standing.out,
        state=state,
        at_work=at_work,
        error=standing.error,
        time=last.time,
        seconds=last.seconds,
        images=images,
        done=done,
        failures=last.failures if standing.failures is None else standing.failures,
        images_per_second=rate,
        # One that is told to stop does not do what is left.
        seconds_left=left / rate if at_work and rate and state != STOPPING else None,
        workers_up=up,
        verdict=standing.verdict,
        notices=notices(state, standing.error, last, at_work and state != STARTING, standing.silent),
        workers=[],
        gpus=[],
        gpus_missing=last.gpus_missing,
        host=None,
        history=None,
    )


def _rate_change(samples: Sequence[Sample]) -> Change:
    """The last minute, but not the time before the first image, which is none to expect again."""
    before = [sample for sample in samples if not any(worker.stats.images for worker in sample.workers)]
    change = last_seconds(samples, _RATE)
    if before and change.before is not None and before[-1].seconds > change.before.seconds:
        return Change(before[-1], change.after)
    return change


def _workers(now: Change, bounds: Mapping[int, str], changes: Sequence[Optional[Change]]) -> List[WorkerView]:
    found = []
    for worker in now.after.workers:
        stats = now.stats(worker.number)
        found.append(
            WorkerView(
                number=worker.number,
                device=worker.device,
                uuid=worker.uuid,
                state=worker.state,
                reason=worker.reason,
                restarts=worker.restarts,
                images=worker.stats.images,
                failures=worker.stats.failures,
                shares=now.shares(worker.number),
                frames_per_second=frames_per_second(stats),
                queued=stats.queued,
                slots=stats.slots,
                loaders=stats.loaders or worker.loaders,
                bound=bounds.get(worker.number, ""),
                history=_busy_history(changes, worker.number),
            )
        )
    return found


def _busy_history(changes: Sequence[Optional[Change]], number: int) -> List[Optional[float]]:
    shares = [None if change is None else change.shares(number) for change in changes]
    return bridged([None if split is None else split.busy for split in shares])


def _history(step: float, changes: Sequence[Optional[Change]], seconds: float) -> History:
    return History(
        step=step,
        begin=(seconds // step - len(changes) + 1) * step,
        images_per_second=_rates(changes),
        shares=[None if change is None else change.pool_shares for change in changes],
    )


def _rates(changes: Sequence[Optional[Change]]) -> List[Optional[float]]:
    """Results a second of all workers in each step."""
    numbers = {worker.number for change in changes if change is not None for worker in change.after.workers}
    rates = [
        bridged([None if change is None else frames_per_second(change.stats(number)) for change in changes])
        for number in numbers
    ]
    return [
        None if change is None else sum(several[place] or 0.0 for several in rates)
        for place, change in enumerate(changes)
    ]


class _Utilisation:
    """The mean utilisation of the GPU at a place of the samples' lists."""

    def __init__(self, samples: Sequence[Sample], place: int) -> None:
        self._times = [sample.seconds for sample in samples]
        self._values = [sample.gpus[place].utilisation if place < len(sample.gpus) else None for sample in samples]

    def during(self, change: Optional[Change]) -> Optional[float]:
        """None when no sample tells."""
        if change is None:
            return None
        first = 0 if change.before is None else bisect.bisect_right(self._times, change.before.seconds)
        last = bisect.bisect_right(self._times, change.after.seconds)
        known = [value for value in self._values[first:last] if value is not None]
        return sum(known) / len(known) if known else None


def _host(now: Change, host: HostSample) -> HostView:
    before = None if now.before is None else now.before.host

    def rate(name: str) -> Optional[float]:
        if before is None or now.seconds <= 0:
            return None
        return float(max(0, getattr(host, name) - getattr(before, name))) / now.seconds

    return HostView(host, rate("disk_read"), rate("disk_written"), rate("received"), rate("sent"))


def _plain(value: Any) -> Any:
    """Records as dictionaries, whatever is in them too."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
