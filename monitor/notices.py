"""What needs somebody: lost workers, GPUs that are hot, in error or gone, a run that ended early."""

from __future__ import annotations

from typing import List

from .sample import GpuSample, Sample, WorkerSample
from .status import KILLED, SILENT

_CLOSED = "closed"
_STATES = {
    SILENT: "the dispatcher has said nothing for a minute: it hangs, is stopped, or waits for a disk",
    KILLED: "it ended without a word: killed, or the machine went down; the same command carries on",
}


def notices(state: str, error: str, last: Sample, computing: bool) -> List[str]:
    """One clause each, the most important first.

    Args:
        state: as `status` calls it.
        error: why the last start ended, where it said so.
        last: the last sample.
        computing: whether the run is at work, and a worker has been up.
    """
    found = [_STATES[state]] if state in _STATES else []
    if error:
        found.append("it ended early: " + error)
    if computing:
        found += [_worker(worker) for worker in last.workers if worker.reason]
    for gpu in last.gpus:
        found += _gpu(gpu, computing)
    if last.gpus_missing:
        found.append("no figures of the GPUs: " + last.gpus_missing)
    return [" ".join(text.split()) for text in found]


def _worker(worker: WorkerSample) -> str:
    state = "given up" if worker.state == _CLOSED else worker.state
    return "worker {} is {}: {}".format(worker.number, state, worker.reason)


def _gpu(gpu: GpuSample, computing: bool) -> List[str]:
    found = []
    if gpu.gone:
        found.append("GPU {} does not answer: {}".format(gpu.index, gpu.gone))
    if gpu.xids:
        codes = ", ".join(map(str, dict.fromkeys(gpu.xids)))
        found.append("GPU {} reported critical errors: Xid {}".format(gpu.index, codes))
    if gpu.throttled and computing:
        found.append("GPU {} is throttled: {}".format(gpu.index, ", ".join(gpu.throttled)))
    return found
