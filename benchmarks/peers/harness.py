"""Runs one contestant on one task, in processes of its own, and measures them from outside: the same way for all."""

from __future__ import annotations

import contextlib
import ctypes
import glob
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Set, Tuple

import divainfer

from .notes import Call, read_notes
from .task import Task
from .tree import Tree, descendants, processes

_PR_SET_CHILD_SUBREAPER = 36
_LAST_LINES = 15


class ContestantFailed(Exception):
    """A contestant did not do its task; the text says what is known."""


class Measured(NamedTuple):
    """One contestant's figures for one task.

    Attributes:
        frames: results written.
        busy_share: of the time from a device's first frame to the end of its last, how much it computed; mean of the devices.
        frames_per_second: of all devices, while all were at work.
        cpu_ms: CPU time of the whole tree for a frame, milliseconds, from a device's first frame to the end of its last.
        first_frame: seconds from the start of the command to a device's first frame; mean of the devices.
        memory_mb: most memory of the whole tree, proportional shares, MB.
    """

    frames: int
    busy_share: float
    frames_per_second: float
    cpu_ms: float
    first_frame: float
    memory_mb: float


def environment(scratch: Path) -> Dict[str, str]:
    """The environment of all processes: this package, divainfer, and its engines of `device.py` as if they were installed.

    Args:
        scratch: folder that gets what a package manager would have written.
    """
    site = scratch / "site"
    info = site / "peers-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: peers\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[divainfer.engines]\nnoted_emulated = peers.device:NotedEmulated\n"
        "noted_tensorflow = peers.device:NotedTensorFlow\n"
    )
    # Not resolved: a checkout may be known as divainfer by a link only.
    package = os.path.dirname(os.path.dirname(os.path.abspath(divainfer.__file__)))
    path = [str(site), str(Path(__file__).resolve().parents[1]), package, os.environ.get("PYTHONPATH", "")]
    return dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, path)), TF_CPP_MIN_LOG_LEVEL="2")


def adopt_orphans() -> None:
    """From now on descendants whose parents end become this process's children, so that none gets lost."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def measure(name: str, whole: bool, task: Task, variables: Dict[str, str], warm_up: int, patience: float) -> Measured:
    """Runs a contestant and measures it.

    Args:
        name: of its module.
        whole: whether one process of it cares for all devices; otherwise each device gets a job and a share of the list.
        task: what it is to do.
        variables: its environment.
        warm_up: first frames of each device that do not count (but for `first_frame`).
        patience: seconds until it is given up.

    Raises:
        ContestantFailed: when it ends badly, not in time, or without all results.
    """
    jobs = 1 if whole else task.devices
    log = os.path.join(task.notes, "log")
    began = time.monotonic()
    with _started(name, task, jobs, variables, log) as started:
        tree = Tree([process.pid for process in started])
        tree.start()
        try:
            statuses = [process.wait(max(0.1, began + patience - time.monotonic())) for process in started]
        except subprocess.TimeoutExpired:
            raise ContestantFailed("it was not done after {:.0f} s; {}".format(patience, _tail(log)))
        finally:
            tree.stop()
    results = len(glob.glob(os.path.join(glob.escape(task.out), "*.json")))
    wanted = len(task.paths())
    if any(statuses) or results != wanted:
        raise ContestantFailed(
            "exit status {}, {} of {} results; {}".format(max(statuses, key=abs), results, wanted, _tail(log))
        )
    return _figures(_calls(task.notes), tree, began, warm_up, results)


@contextlib.contextmanager
def _started(name: str, task: Task, jobs: int, variables: Dict[str, str], log: str) -> Iterator[List[Any]]:
    """The contestant's processes, told what to do; whatever is left of them at the end is killed."""
    others = descendants(processes(), [os.getpid()])
    started: List[Any] = []
    try:
        with open(log, "ab") as output:
            for device in range(jobs):
                process = subprocess.Popen(
                    [sys.executable, "-m", "peers.launch", name, str(device)],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    env=variables,
                    # `python -m` looks here first: a folder without Python files.
                    cwd=task.notes,
                )
                started.append(process)
                assert process.stdin is not None
                process.stdin.write(task.to_json().encode())
                process.stdin.close()
        yield started
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
            process.wait()
        _end_orphans(others)


def _end_orphans(others: Set[int]) -> None:
    """Kills what a contestant has left running."""
    while True:
        left = descendants(processes(), [os.getpid()]) - others
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            except OSError:
                pass  # It has ended by itself, or is no child of this process yet.
        time.sleep(0.01)


def _calls(folder: str) -> Dict[int, List[Call]]:
    """What each process that computes has noted, by its id."""
    found = {int(path.stem): read_notes(path) for path in Path(folder).glob("*.calls")}
    return {pid: calls for pid, calls in found.items() if calls}


def _figures(calls: Dict[int, List[Call]], tree: Tree, began: float, warm_up: int, results: int) -> Measured:
    first_frames = [own[0][0] - began for own in calls.values()]
    warm = {pid: own[warm_up:] or own for pid, own in calls.items()}
    spans: Dict[int, Tuple[float, float]] = {}
    for pid, own in warm.items():
        root = tree.root(pid)
        assert root is not None, "process {} computed, but was never seen".format(pid)
        begin, end = spans.get(root, (own[0][0], own[-1][1]))
        spans[root] = min(begin, own[0][0]), max(end, own[-1][1])
    frames = sum(count for own in warm.values() for _, _, count in own)
    cpu = sum(tree.cpu(root, *span) for root, span in spans.items())
    shares = [sum(end - begin for begin, end, _ in own) / (own[-1][1] - own[0][0]) for own in warm.values()]
    return Measured(
        frames=results,
        busy_share=sum(shares) / len(shares),
        frames_per_second=_speed(list(warm.values())),
        cpu_ms=1e3 * cpu / frames,
        first_frame=sum(first_frames) / len(first_frames),
        memory_mb=tree.memory / 1e6,
    )


def _speed(devices: List[List[Call]]) -> float:
    """Frames a second while all devices are at work; a frame that is computed at the edge of that time counts in part.

    Where devices come up so far apart that this time is less than half of the whole, it is the whole that counts.
    """
    begin, end = max(own[0][0] for own in devices), min(own[-1][1] for own in devices)
    first, last = min(own[0][0] for own in devices), max(own[-1][1] for own in devices)
    if end - begin < (last - first) / 2:
        begin, end = first, last
    frames = 0.0
    for own in devices:
        for started, ended, count in own:
            inside = min(ended, end) - max(started, begin)
            if inside >= 0:
                frames += count * (inside / (ended - started) if ended > started else 1.0)
    return frames / (end - begin)


def _tail(log: str) -> str:
    with open(log, encoding="utf-8", errors="replace") as file:
        lines = file.read().strip().splitlines()[-_LAST_LINES:]
    return "its last words: {}".format("\n".join(lines)) if lines else "it said nothing"
