"""What a tree of processes uses: CPU time and memory, read off /proc while it runs."""

from __future__ import annotations

import os
import threading
import time
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

_EVERY_SECONDS = 0.2
#: The kernel walks through all pages to add up their shares; with large processes this is done less often, so that it takes
#: no more than this share of one core.
_MEMORY_SHARE = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    """A process at one moment.

    Attributes:
        parent: process id.
        started: ticks since the machine's start; with the process id it names a process for good.
        ticks: CPU time used so far, user and system.
    """

    parent: int
    started: int
    ticks: int


class Tree(threading.Thread):
    """Watches some processes and all that descend from them, until `stop` is called.

    A descendant whose parent ends is still found, since this process adopts it (see `adopt_orphans`).

    Args:
        roots: the processes.
    """

    def __init__(self, roots: Sequence[int]) -> None:
        super().__init__(name="tree", daemon=True)
        self._roots = list(roots)
        self._over = threading.Event()
        self._root_of: Dict[int, int] = {root: root for root in roots}
        self._ticks: Dict[Tuple[int, int], int] = {}
        self._owner: Dict[Tuple[int, int], int] = {}
        self._times: List[float] = []
        self._samples: List[List[int]] = []
        #: Most memory that the whole tree had at one moment, bytes: each page counted once, whoever shares it.
        self.memory = 0

    def run(self) -> None:
        """Samples five times a second."""
        memory_at = 0.0
        while True:
            self._sample()
            if time.monotonic() >= memory_at:
                before = time.thread_time()
                self.memory = max(self.memory, sum(_memory(pid) for pid in self._living))
                # CPU time: on a busy machine the wall time would have a short run looked at only at its start.
                memory_at = time.monotonic() + (time.thread_time() - before) / _MEMORY_SHARE
            if self._over.wait(_EVERY_SECONDS):
                return

    def stop(self) -> None:
        """Samples once more and ends."""
        self._over.set()
        self.join()
        self._sample()

    def root(self, pid: int) -> Optional[int]:
        """From which of the roots a process descends; None when it was never seen."""
        return self._root_of.get(pid)

    def cpu(self, root: int, begin: float, end: float) -> float:
        """CPU seconds that a root and its descendants used between two moments of the monotonic clock."""
        used = [sample[self._roots.index(root)] / _TICKS for sample in self._samples]
        return float(np.interp(end, self._times, used) - np.interp(begin, self._times, used))

    def _sample(self) -> None:
        now, found = time.monotonic(), processes()
        self._living = descendants(found, self._roots + [os.getpid()]) - {os.getpid()}
        for pid in sorted(self._living, key=lambda pid: found[pid].started):
            process = found[pid]
            # An orphan belongs to whom it did before; one that was never seen with a parent, to the first root.
            root = self._root_of.setdefault(pid, self._root_of.get(process.parent, self._roots[0]))
            self._owner[pid, process.started] = root
            self._ticks[pid, process.started] = process.ticks
        self._times.append(now)
        self._samples.append(
            [sum(self._ticks[key] for key, owner in self._owner.items() if owner == root) for root in self._roots]
        )


def processes() -> Dict[int, Process]:
    """All processes of the machine that can be seen."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/{}/stat".format(name), "rb") as file:
                    # The name before it may hold anything, brackets too.
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            found[int(name)] = Process(int(fields[1]), int(fields[19]), int(fields[11]) + int(fields[12]))
    return found


def descendants(found: Dict[int, Process], roots: Iterable[int]) -> Set[int]:
    """Those of the processes that are roots or descend from them."""
    children: Dict[int, List[int]] = {}
    for pid, process in found.items():
        children.setdefault(process.parent, []).append(pid)
    reached: Set[int] = set()
    waiting = [root for root in roots if root in found]
    while waiting:
        pid = waiting.pop()
        if pid not in reached:
            reached.add(pid)
            waiting += children.get(pid, ())
    return reached


def _memory(pid: int) -> int:
    try:
        with open("/proc/{}/smaps_rollup".format(pid), "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass  # It has ended.
    return 0
