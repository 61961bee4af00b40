"""What this process may use of the machine: a container's share, not the host's size."""

from __future__ import annotations

import math
import os
from typing import Iterator, List, Optional

import psutil

_SHARED_FOLDER = "/dev/shm"


def usable_cores() -> int:
    """CPU cores this process may use, at least 1; a part of a core counts as one."""
    return max(1, math.ceil(usable_cpu()))


def usable_cpu() -> float:
    """CPU cores' worth of time this process may use, such as 1.5: affinity or control group, whichever is less."""
    cores = float(len(os.sched_getaffinity(0)))
    quota = ControlGroups().cores()
    return cores if quota is None else min(cores, quota)


def available_memory() -> int:
    """Bytes of memory that can still be taken: the smaller of the machine's and the control groups'."""
    available = int(psutil.virtual_memory().available)
    left = ControlGroups().available_memory()
    return available if left is None else min(available, left)


def available_shared_memory() -> int:
    """Bytes that fit into `/dev/shm`; 0 where there is none."""
    try:
        status = os.statvfs(_SHARED_FOLDER)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize


class ControlGroups:
    """The limits of the control groups (cgroups, version 1 or 2) this process is in: its own and all above it.

    A group need not be the root of what is mounted: systemd puts each service into one further down. Above it, too, each
    group's limit holds.

    Args:
        membership: the file that names the process's groups.
        mount: where the groups are mounted.
    """

    def __init__(self, membership: str = "/proc/self/cgroup", mount: str = "/sys/fs/cgroup") -> None:
        self._membership = membership
        self._mount = mount

    def cores(self) -> Optional[float]:
        """The smallest CPU quota, in cores; None without one."""
        quotas = []
        for folder in self._folders("cpu"):
            words = _text(folder, "cpu.max").split() or [
                _text(folder, "cpu.cfs_quota_us"),
                _text(folder, "cpu.cfs_period_us"),
            ]
            quotas.append(_quota(words))
        return min((quota for quota in quotas if quota is not None), default=None)

    def available_memory(self) -> Optional[int]:
        """The bytes that can still be taken in each of the groups; None without a limit."""
        left = []
        for folder in self._folders("memory"):
            limit = _number(folder, "memory.max") or _number(folder, "memory.limit_in_bytes")
            if limit is not None:
                used = _number(folder, "memory.current") or _number(folder, "memory.usage_in_bytes") or 0
                # Of files read lately, what nobody reads again counts as used, but gives way.
                left.append(max(0, limit - max(0, used - _inactive_files(folder))))
        return min(left, default=None)

    def _folders(self, controller: str) -> Iterator[str]:
        """Folders that may hold a controller's files, from the process's own group to the topmost one that is visible."""
        yield from (self._mount, os.path.join(self._mount, controller))
        try:
            with open(self._membership, errors="surrogateescape") as file:
                lines = [line.rstrip("\n").split(":", 2) for line in file]
        except OSError:
            return
        for line in lines:
            if len(line) == 3 and line[1] == "":  # Version 2: one tree for all controllers.
                yield from _below(self._mount, line[2])
            elif len(line) == 3 and controller in line[1].split(","):
                yield from _below(os.path.join(self._mount, controller), line[2])


def _below(top: str, path: str) -> Iterator[str]:
    """The folders of a group and of those above it. In a container the path may be the host's; then only the top is there."""
    folder = top
    for part in path.split("/"):
        if part not in ("", ".."):
            folder = os.path.join(folder, part)
            yield folder


def _quota(words: List[str]) -> Optional[float]:
    """Cores out of microseconds of quota and period; None for "max", -1, and what cannot be read."""
    try:
        quota, period = (int(word) for word in words)
    except ValueError:
        return None
    return quota / period if quota > 0 and period > 0 else None


def _inactive_files(folder: str) -> int:
    """Bytes of the page cache that the kernel takes back first, those of the groups below included."""
    numbers = dict(line.split(maxsplit=1) for line in _text(folder, "memory.stat").splitlines())
    return int(numbers.get("total_inactive_file") or numbers.get("inactive_file") or 0)


def _number(folder: str, name: str) -> Optional[int]:
    """The number a kernel file holds; None when there is no such file or it says "max"."""
    text = _text(folder, name)
    return int(text) if text.isdigit() else None


def _text(folder: str, name: str) -> str:
    """What a kernel file says; "" when there is no such file."""
    try:
        with open(os.path.join(folder, name)) as file:
            return file.read().strip()
    except OSError:
        return ""
