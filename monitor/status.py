"""How a run stands, from its folder alone: while it goes on, or after."""

from __future__ import annotations

import collections
import datetime
import json
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ..console import counted, one_line
from ..ledger import FAILED, OPEN, RESULT, Progress, replay, standing_failures
from ..lock import holder
from ..messages import WorkerStats
from ..ownerfile import Owner
from ..runfolder import RunFolder
from ..runrecord import read_run_record
from .facts import WorkerFacts, make_facts
from .verdict import verdict
from .words import percent_done

RUNNING, STOPPING, SILENT = "running", "stopping", "silent"
FINISHED, STOPPED, FAILED_RUN, KILLED = "finished", "stopped", "failed", "killed"
#: A dispatcher renews `progress.json` every second; one that has not for so long hangs, or waits for a disk.
_SILENT_SECONDS = 60.0


class Status(NamedTuple):
    """How a run stands.

    Attributes:
        out: the output folder.
        state: RUNNING, STOPPING (it was asked to stop), SILENT (its dispatcher lives and says nothing), FINISHED, STOPPED (by
            Ctrl-C or SIGTERM), FAILED_RUN (`error` tells why), KILLED (it ended without a word).
        error: why the last start ended, where it said so.
        host: where the dispatcher runs; "" when none does.
        pid: its process id; 0 when none runs.
        started: when the last start began, ISO 8601.
        silent_seconds: since the dispatcher's last sign of life; None when none runs.
        images: images in the list.
        results: images with a result on the disk and in the ledger.
        failures: images with a failure record.
        open: images to do.
        damaged: bytes in the middle of the ledger that cannot be read; the images they told of count as to do.
        failure_kinds: how many failures, by kind.
        images_per_second: over the last minute; None when nothing is computed.
        seconds_left: at that rate.
        workers: an entry a worker with `device`, `state`, `restarts`, `stats`; empty when none ever worked.
        verdict: what bounds the last start, as in `summary.json`; None while nothing tells.
    """

    out: str
    state: str
    error: str
    host: str
    pid: int
    started: str
    silent_seconds: Optional[float]
    images: int
    results: int
    failures: int
    open: int
    damaged: int
    failure_kinds: Dict[str, int]
    images_per_second: Optional[float]
    seconds_left: Optional[float]
    workers: List[Dict[str, Any]]
    verdict: Optional[Dict[str, Any]]

    def lines(self) -> List[str]:
        """The status as the operator reads it."""
        done = self.results + self.failures
        lines = ["{}: {}".format(one_line(self.out), self._state_in_words())]
        kinds = sorted(self.failure_kinds.items(), key=lambda item: (-item[1], item[0]))
        lines.append(
            "{:,} of {} done ({:.1f}%): {}, {}{}".format(
                done,
                counted(self.images, "image"),
                percent_done(done, self.images),
                counted(self.results, "result"),
                counted(self.failures, "failure"),
                " ({})".format(", ".join("{:,} {}".format(count, kind) for kind, count in kinds)) if kinds else "",
            )
        )
        if self.damaged:
            lines.append("{:,} bytes in the middle of the ledger are damaged".format(self.damaged))
        if self.state in (RUNNING, STOPPING) and self.images_per_second:
            left = datetime.timedelta(seconds=int(self.seconds_left or 0))
            lines.append("{:.1f} images/s over the last minute, {} left".format(self.images_per_second, left))
        for number, worker in enumerate(self.workers):
            lines.append(_worker_line(number, worker))
        return lines + ([self.verdict["sentence"]] if self.verdict else [])

    def _state_in_words(self) -> str:
        again = "`divainfer resume {}` carries on".format(self.out)
        who = "process {} on {}".format(self.pid, self.host)
        return {
            RUNNING: "running ({}), started {}".format(who, self.started),
            STOPPING: "stopping ({})".format(who),
            SILENT: "its dispatcher ({}) has said nothing for {:.0f} s; it hangs or waits for a disk. If it stays so, kill "
            "it: nothing recorded is lost, and {}".format(who, self.silent_seconds or 0.0, again),
            FINISHED: "finished",
            STOPPED: "stopped; {}".format(again),
            FAILED_RUN: "ended early: {}".format(self.error),
            KILLED: "ended without a word (killed, or the machine went down); {}".format(again),
        }[self.state]


def status(out: str) -> Status:
    """Reads how a run stands.

    Args:
        out: the output folder.

    Raises:
        OutputError: when the folder holds no run.
    """
    folder = RunFolder(out)
    record = read_run_record(folder)
    owner = holder(folder)
    live: Dict[str, Any] = {}
    silent: Optional[float] = None
    if owner is not None:
        live, silent = read_live(folder, owner)
    summary = read_object(folder.summary)
    progress = replay(folder.ledger, record.listing.count)
    error = str(summary.get("error", ""))
    state = _state(owner, live, silent, progress, summary)
    at_work = state in (RUNNING, STOPPING)
    workers = summary.get("workers", []) if owner is None else live.get("workers", [])
    found = summary.get("verdict")
    if owner is not None:
        found = _verdict(live, record.config) if at_work else None
    return Status(
        out=folder.out,
        state=state,
        error=error,
        host="" if owner is None else owner.host,
        pid=0 if owner is None else owner.pid,
        started=record.started,
        silent_seconds=silent,
        images=record.listing.count,
        results=progress.count(RESULT),
        failures=progress.count(FAILED),
        open=progress.count(OPEN),
        damaged=progress.damaged,
        failure_kinds=dict(collections.Counter(failure.kind for failure in standing_failures(folder.ledger, progress))),
        images_per_second=live.get("images_per_second") if at_work else None,
        seconds_left=live.get("seconds_left") if at_work else None,
        workers=workers,
        verdict=found,
    )


def _state(
    owner: Optional[Owner], live: Dict[str, Any], silent: Optional[float], progress: Progress, summary: Dict[str, Any]
) -> str:
    if owner is not None:
        return state_at_work(live, silent or 0.0)
    if not progress.count(OPEN):
        return FINISHED
    if summary.get("error"):
        return FAILED_RUN
    return STOPPED if summary else KILLED


def state_at_work(live: Dict[str, Any], silent: float) -> str:
    """RUNNING, STOPPING or SILENT.

    Args:
        live: the content of `progress.json`, if it is this dispatcher's.
        silent: seconds since the dispatcher's last sign of life.
    """
    if silent > _SILENT_SECONDS:
        return SILENT
    return STOPPING if live.get("stopping") else RUNNING


def read_live(folder: RunFolder, owner: Owner) -> Tuple[Dict[str, Any], float]:
    """What the dispatcher at work says in `progress.json`, and for how many seconds it has said nothing."""
    live = read_object(folder.progress)
    if live.get("time", 0.0) < owner.since:
        live = {}  # That of an earlier start: until its first turn a dispatcher reads lists and ledgers.
    return live, max(0.0, time.time() - max(live.get("time", 0.0), owner.since))


def _verdict(live: Dict[str, Any], config: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """What bounds a start that is at work; None when its dispatcher is of a version that does not tell enough."""
    try:
        workers = [
            WorkerFacts(worker["device"], worker["on_gpu"], worker["stats"]["loaders"], WorkerStats(**worker["stats"]))
            for worker in live["workers"]
        ]
        return verdict(make_facts(workers, live["cores"], live["seconds"], config)).to_json() if workers else None
    except (KeyError, TypeError):
        return None


def read_object(path: str) -> Dict[str, Any]:
    """A JSON object from a file; empty when it is not there."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _worker_line(number: int, worker: Dict[str, Any]) -> str:
    stats = worker["stats"]
    total = sum(stats[name] for name in ("busy", "starved", "blocked", "idle"))
    shares = ["{} {:.0f}%".format(name, 100 * stats[name] / total if total else 0.0) for name in ("busy", "starved")]
    return "worker {} ({}): {}{} in this start, {}{}".format(
        number,
        worker["device"],
        "{}, ".format(worker["state"]) if "state" in worker else "",
        counted(stats["images"], "result"),
        ", ".join(shares),
        ", {}".format(counted(worker["restarts"], "restart")) if worker["restarts"] else "",
    )
