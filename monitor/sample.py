"""What is measured, once a second: one schema for `metrics.jsonl`, live view, page, report and Prometheus.

A sample is one JSON object a line. Figures that only grow (`WorkerStats`, histograms, bytes) are sums since their process or
the start began, so that any two samples tell what happened between them, however many were left out. A worker's figures are up
to a second old: shares of its time are shares of its own seconds (`WorkerStats.span`), not of those between samples.

Fields that a reader does not know are passed over, and those that a writer did not have get their defaults: old runs can be
read by new programs.

Units: seconds, bytes, watts, degrees Celsius, MHz; shares from 0 to 1; CPU in cores.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Type, TypeVar

from ..messages import WorkerStats

#: What processes are there for, as `HostSample.roles` names them.
DISPATCHER, WORKER, LOADER = "dispatcher", "worker", "loader"
#: What histograms are of, as `WorkerSample.times` names them; see `histogram.Times`.
DECODE, COMPUTE, WRITE = "decode", "compute", "write"

_Record = TypeVar("_Record")


class GpuSample(NamedTuple):
    """A GPU, or a MIG slice of one. None where its driver does not say.

    A slice has its own memory; its power, clocks, temperature and errors are those of the whole GPU.

    Attributes:
        uuid: "GPU-..." or "MIG-...".
        index: its number in PCI bus order.
        name: the product's name.
        utilisation: share of the last driver interval (a sixth of a second to a second) in which a kernel ran.
        memory_used: bytes, of all processes.
        memory_total: bytes.
        power: watts.
        power_limit: watts.
        clock: of the multiprocessors, MHz.
        clock_limit: the same at most, MHz.
        temperature: degrees Celsius.
        throttled: why its clock is lower than it could be, in the driver's words; empty when it is not.
        ecc_errors: uncorrected memory errors since the driver was loaded.
        xids: critical errors (NVIDIA's Xid codes) that the driver has told of it since the start, the last sixteen.
        gone: why it does not answer; "" when it does.
    """

    uuid: str
    index: int = 0  # type: ignore[assignment]
    name: str = ""
    utilisation: Optional[float] = None
    memory_used: Optional[int] = None
    memory_total: Optional[int] = None
    power: Optional[float] = None
    power_limit: Optional[float] = None
    clock: Optional[float] = None
    clock_limit: Optional[float] = None
    temperature: Optional[float] = None
    throttled: List[str] = []
    ecc_errors: Optional[int] = None
    xids: List[int] = []
    gone: str = ""


class RoleSample(NamedTuple):
    """All processes of one role.

    Attributes:
        processes: how many there are.
        cpu: cores in use since the last sample.
        pss: memory, bytes, shared pages counted in part; None until it was looked at, which is done in turn.
    """

    processes: int = 0
    cpu: float = 0.0
    pss: Optional[int] = None


class HostSample(NamedTuple):
    """The machine.

    Attributes:
        cores: that this run may use.
        cpu: cores in use by all programs since the last sample.
        memory_used: bytes.
        memory_total: bytes.
        shared_used: bytes of `/dev/shm`.
        shared_total: bytes of `/dev/shm`.
        disk_read: bytes since the machine's start, all disks.
        disk_written: bytes since the machine's start, all disks.
        received: bytes since the machine's start, all networks.
        sent: bytes since the machine's start, all networks.
        roles: this run's processes by role.
    """

    cores: float = 0.0
    cpu: float = 0.0
    memory_used: int = 0
    memory_total: int = 0
    shared_used: int = 0
    shared_total: int = 0
    disk_read: int = 0
    disk_written: int = 0
    received: int = 0
    sent: int = 0
    roles: Dict[str, RoleSample] = {}


class WorkerSample(NamedTuple):
    """A worker and its loaders.

    Attributes:
        number: its place in `--gpus`, from 0.
        device: its device's label.
        uuid: the GPU's, as in `GpuSample`; "" on a CPU.
        state: "booting", "up", "ending", "paused" or "closed".
        reason: why it is not at work, or how it ended; "" while it is at work.
        restarts: how often it was started again.
        loaders: how many it is to have.
        silent: seconds since it was last heard of; 0 while it is not at work.
        stats: its figures since the start, over restarts.
        times: histograms (`histogram.py`) by what they are of.
    """

    number: int
    device: str = ""
    uuid: str = ""
    state: str = ""
    reason: str = ""
    restarts: int = 0
    loaders: int = 0
    silent: float = 0.0
    stats: WorkerStats = WorkerStats()
    times: Dict[str, List[int]] = {}


class Sample(NamedTuple):
    """One moment of a start.

    Attributes:
        time: seconds since 1970.
        seconds: since the start began.
        start: when that start began, seconds since 1970: samples of one start have the same.
        images: images in the list.
        done: images with a result or a failure record, over all starts.
        failures: how many of them failed.
        stopping: whether the operator asked for the end.
        workers: an entry a worker.
        gpus: an entry a GPU in use; empty without one, or without a driver.
        gpus_missing: why there is none; "" when there is, or none is in use.
        host: the machine; None where it could not be read.
    """

    time: float
    seconds: float = 0.0
    start: float = 0.0
    images: int = 0
    done: int = 0
    failures: int = 0
    stopping: bool = False
    workers: List[WorkerSample] = []
    gpus: List[GpuSample] = []
    gpus_missing: str = ""
    host: Optional[HostSample] = None

    def without_times(self) -> "Sample":
        """The same without histograms, which are most of it: where many are kept for what is shown of them."""
        return self._replace(workers=[worker._replace(times={}) for worker in self.workers])

    def to_json(self) -> Dict[str, Any]:
        """Plain values."""
        plain = self._asdict()
        plain["workers"] = [dict(worker._asdict(), stats=worker.stats._asdict()) for worker in self.workers]
        plain["gpus"] = [gpu._asdict() for gpu in self.gpus]
        if self.host is not None:
            roles = {role: sample._asdict() for role, sample in self.host.roles.items()}
            plain["host"] = dict(self.host._asdict(), roles=roles)
        return dict(plain)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Sample":
        """The sample out of its plain values.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: when they are none of a sample.
        """
        host = plain.get("host")
        if host is not None:
            roles = {role: _record(RoleSample, sample) for role, sample in host.get("roles", {}).items()}
            host = _record(HostSample, dict(host, roles=roles))
        workers = [
            _record(WorkerSample, dict(worker, stats=_record(WorkerStats, worker.get("stats", {}))))
            for worker in plain.get("workers", [])
        ]
        gpus = [_record(GpuSample, gpu) for gpu in plain.get("gpus", [])]
        return _record(cls, dict(plain, workers=workers, gpus=gpus, host=host))


def _record(kind: Type[_Record], plain: Mapping[str, Any]) -> _Record:
    """The fields of `kind` that `plain` has; the others are passed over, or keep their defaults."""
    fields: Any = kind._fields  # type: ignore[attr-defined]
    return kind(**{name: plain[name] for name in fields if name in plain})
