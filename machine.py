"""What this process may use of the machine: a container's share, not the host's size."""

from __future__ import annotations

import math
import os
from typing import Optional

import psutil

_SHARED_FOLDER = "/dev/shm"


def usable_cores() -> int:
    """CPU cores this process may use, at least 1: the smaller of its affinity and its control group's quota."""
    cores = len(os.sched_getaffinity(0))
    quota = _cgroup_cores()
    return max(1, cores if quota is None else min(cores, math.ceil(quota)))


def available_memory() -> int:
    """Bytes of memory that can still be taken: the smaller of the machine's and the control group's."""
    available = int(psutil.virtual_memory().available)
    limit = _number("/sys/fs/cgroup/memory.max") or _number("/sys/fs/cgroup/memory/memory.limit_in_bytes")
    used = _number("/sys/fs/cgroup/memory.current") or _number("/sys/fs/cgroup/memory/memory.usage_in_bytes")
    return available if limit is None else min(available, max(0, limit - (used or 0)))


def available_shared_memory() -> int:
    """Bytes that fit into `/dev/shm`; 0 where there is none."""
    try:
        status = os.statvfs(_SHARED_FOLDER)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize


def _cgroup_cores() -> Optional[float]:
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    quota_us = _number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
    period_us = _number("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    return quota_us / period_us if quota_us and period_us and quota_us > 0 else None


def _number(path: str) -> Optional[int]:
    """The number a kernel file holds; None when there is no such file or it says "max"."""
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return None
