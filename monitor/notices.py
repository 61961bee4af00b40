"""What needs somebody: lost workers, GPUs that are hot, in error or gone, a run that ended early."""

from __future__ import annotations

from typing import Dict, List, Sequence

from ..console import one_line
from .sample import GpuSample, Sample, WorkerSample
from .status import KILLED

_CLOSED = "closed"
#: Workers and dispatcher say something every second; a busy machine may take it from them for a while.
_SILENT_SECONDS = 10.0


def notices(state: str, error: str, last: Sample, computing: bool, silent: float = 0.0) -> List[str]:
    """One clause each, the most important first.

    Args:
        state: as `status` calls it.
        error: why the last start ended, where it said so.
        last: the last sample.
        computing: whether the run is at work, and a worker has been up.
        silent: seconds since the dispatcher at work was last heard of.
    """
    found = []
    if silent >= _SILENT_SECONDS:
        text = "the dispatcher has said nothing for {:.0f} s: it hangs, is stopped, or waits for a disk"
        found.append(text.format(silent))
    if state == KILLED:
        found.append("it ended without a word: killed, or the machine went down; the same command carries on")
    if error:
        found.append("it ended early: " + error)
    if computing:
        found += [_worker(worker) for worker in last.workers if worker.reason]
        text = (
            "worker {} has said nothing for {:.0f} s: it hangs or is stopped (--hang-timeout says when it is replaced)"
        )
        found += [text.format(one.number, one.silent) for one in last.workers if one.silent >= _SILENT_SECONDS]
    found += ["GPU {} does not answer: {}".format(gpu.index, gpu.gone) for gpu in last.gpus if gpu.gone]
    for gpu in last.gpus:
        if gpu.xids:
            codes = ", ".join(map(str, dict.fromkeys(gpu.xids)))
            found.append("GPU {} reported critical errors: Xid {}".format(gpu.index, codes))
    if last.gpus_missing:
        found.append("no figures of the GPUs: " + last.gpus_missing)
    if computing:
        found += _throttled(last.gpus)
    return [one_line(" ".join(text.split())) for text in found]


def _worker(worker: WorkerSample) -> str:
    state = "given up" if worker.state == _CLOSED else worker.state
    return "worker {} is {}: {}".format(worker.number, state, worker.reason)


def _throttled(gpus: Sequence[GpuSample]) -> List[str]:
    """GPUs whose clock is held down, those with the same reasons together."""
    by_reasons: Dict[str, List[int]] = {}
    for gpu in gpus:
        if gpu.throttled:
            by_reasons.setdefault(", ".join(gpu.throttled), []).append(gpu.index)
    return [
        "GPU{} {} throttled: {}".format(
            "s" * (len(numbers) > 1), ", ".join(map(str, numbers)) + (" are" if len(numbers) > 1 else " is"), reasons
        )
        for reasons, numbers in by_reasons.items()
    ]
