"""What bounds a pool, and each of its workers, between two samples: `verdict.py`'s logic, on a part of a start."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from ..messages import WorkerStats
from .change import Change
from .facts import WorkerFacts, make_facts
from .sample import WorkerSample
from .verdict import verdict

_UP, _ENDING = "up", "ending"


def pool_verdict(change: Change, config: Mapping[str, Any], at_work: bool) -> Optional[Dict[str, Any]]:
    """What bounds the run, as `Verdict.to_json` gives it; None when nothing tells.

    Args:
        change: between two samples.
        config: the options.
        at_work: whether it goes on; then time in which engines come up does not count, it will not come again.
    """
    workers = [_facts(change, worker) for worker in _counting(change, at_work)]
    cores = _cores(change)
    if not workers or not cores or not any(worker.stats.batches for worker in workers):
        return None
    seconds = 0.0 if at_work else change.seconds
    return verdict(make_facts(workers, cores, seconds, config)).to_json()


def worker_bounds(change: Change, config: Mapping[str, Any], at_work: bool) -> Dict[int, str]:
    """What bounds each worker, by its number: a word of `verdict.WORDS`. Those of which nothing tells are left out.

    Args:
        change: between two samples.
        config: the options.
        at_work: as for `pool_verdict`.
    """
    cores = _cores(change)
    if not cores:
        return {}
    counting = _counting(change, at_work)
    facts = [_facts(change, worker) for worker in counting]
    in_use = sum(_cpu(one.stats) for one in facts)
    found = {}
    for worker, one in zip(counting, facts):
        # Its part of the cores is as large as its part in their use: so they are in use for it as far as for all together.
        part = cores * _cpu(one.stats) / in_use if _cpu(one.stats) else cores
        seconds = 0.0 if at_work else change.seconds
        found[worker.number] = verdict(make_facts([one], part, seconds, config)).bound
    return found


def _counting(change: Change, at_work: bool) -> List[WorkerSample]:
    return [worker for worker in change.after.workers if not at_work or worker.state in (_UP, _ENDING)]


def _facts(change: Change, worker: WorkerSample) -> WorkerFacts:
    stats = change.stats(worker.number)
    if stats.busy and not stats.batches:
        # The first batch is still being computed, which may take longer than the change.
        stats = stats._replace(batches=1)
    return WorkerFacts(worker.device, bool(worker.uuid), stats.loaders or worker.loaders, stats)


def _cores(change: Change) -> float:
    """Cores the run may use; 0 where that is not known."""
    return change.after.host.cores if change.after.host is not None else 0.0


def _cpu(stats: WorkerStats) -> float:
    return stats.cpu + stats.decoding_cpu
