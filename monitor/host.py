"""What the machine does, and this run's processes by role, off /proc. What cannot be read there gets its default."""

from __future__ import annotations

import os
import time
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

from ..machine import usable_cpu
from .sample import HostSample, RoleSample

#: Looking at a process's memory walks all of it, for which the kernel takes a hundredth of a second a gigabyte and more. So one
#: process is looked at a time, and so rarely that it takes this share of a core.
_MEMORY_SHARE = 0.002
_SECTOR_BYTES = 512
_TICKS = float(os.sysconf("SC_CLK_TCK"))


class _Life(NamedTuple):
    """A process: when it began (clock ticks since the machine's start), and the CPU it has used (clock ticks)."""

    began: int
    cpu: int


class HostSampler:
    """Samples the machine.

    Args:
        proc: where the kernel shows its processes.
        sys: where it shows its devices.
        shared: the folder of the shared memory.
        clock: seconds.
    """

    def __init__(
        self,
        proc: str = "/proc",
        sys: str = "/sys",
        shared: str = "/dev/shm",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._proc = proc
        self._sys = sys
        self._shared = shared
        self._clock = clock
        self._cores = usable_cpu()
        self._sampled_at: Optional[float] = None
        self._busy_before: Optional[float] = None
        self._lives: Dict[int, _Life] = {}
        #: Processes' memory as it was seen last, and when that was.
        self._memory: Dict[int, Tuple[float, Optional[int]]] = {}
        self._memory_at = 0.0
        self._physical: Dict[str, bool] = {}

    def sample(self, pids: Dict[str, List[int]]) -> HostSample:
        """The machine now.

        Args:
            pids: this run's processes by role.
        """
        now = self._clock()
        seconds = 0.0 if self._sampled_at is None else now - self._sampled_at
        self._sampled_at = now
        self._look_at_memory([pid for role in pids.values() for pid in role], now)
        lives = {pid: life for role in pids.values() for pid, life in self._read_lives(role)}
        roles = {role: self._role([pid for pid in pids[role] if pid in lives], lives, seconds) for role in pids}
        self._lives = lives
        memory_used, memory_total = self._machine_memory()
        shared_used, shared_total = self._shared_memory()
        read, written = self._disks()
        received, sent = self._networks()
        return HostSample(
            cores=self._cores,
            cpu=self._machine_cpu(seconds),
            memory_used=memory_used,
            memory_total=memory_total,
            shared_used=shared_used,
            shared_total=shared_total,
            disk_read=read,
            disk_written=written,
            received=received,
            sent=sent,
            roles=roles,
        )

    # --- this run's processes

    def _role(self, pids: List[int], lives: Dict[int, _Life], seconds: float) -> RoleSample:
        ticks = 0
        for pid in pids:
            before = self._lives.get(pid)
            # One that was not there before has used all of its CPU since; its number may have been another one's.
            used = before.cpu if before is not None and before.began == lives[pid].began else 0
            ticks += max(0, lives[pid].cpu - used)
        looked_at = [pss for pss in (self._memory.get(pid, (0.0, None))[1] for pid in pids) if pss is not None]
        return RoleSample(
            processes=len(pids),
            cpu=ticks / _TICKS / seconds if seconds > 0 else 0.0,
            # Those of one role are alike: until one was looked at it counts as the mean of the others.
            pss=sum(looked_at) * len(pids) // len(looked_at) if looked_at else None,
        )

    def _read_lives(self, pids: Iterable[int]) -> Iterable[Tuple[int, _Life]]:
        for pid in pids:
            # The name, in parentheses, may hold anything; what follows begins with the third field of proc(5).
            fields = self._read(os.path.join(self._proc, str(pid), "stat")).rpartition(b")")[2].split()
            if len(fields) > 19:
                yield pid, _Life(began=int(fields[19]), cpu=int(fields[11]) + int(fields[12]))

    def _look_at_memory(self, pids: List[int], now: float) -> None:
        self._memory = {pid: self._memory[pid] for pid in pids if pid in self._memory}
        if not pids or now < self._memory_at:
            return
        pid = min(pids, key=lambda one: self._memory.get(one, (0.0, None))[0])
        began = time.thread_time()
        rollup = self._read(os.path.join(self._proc, str(pid), "smaps_rollup"))
        pss = next((int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith(b"Pss:")), None)
        self._memory[pid] = now, pss
        self._memory_at = now + (time.thread_time() - began) / _MEMORY_SHARE

    # --- the machine

    def _machine_cpu(self, seconds: float) -> float:
        """Cores in use since the last time: all that is neither idle nor stolen."""
        fields = self._read(os.path.join(self._proc, "stat")).partition(b"\n")[0].split()
        if len(fields) < 8:
            return 0.0
        user, nice, system, _, _, interrupts, soft_interrupts = (int(field) for field in fields[1:8])
        before, self._busy_before = self._busy_before, user + nice + system + interrupts + soft_interrupts
        if before is None or seconds <= 0:
            return 0.0
        return max(0.0, self._busy_before - before) / _TICKS / seconds

    def _machine_memory(self) -> Tuple[int, int]:
        """Bytes used and there."""
        lines = self._read(os.path.join(self._proc, "meminfo")).splitlines()
        sizes = {line.partition(b":")[0]: int(line.split()[1]) * 1024 for line in lines if len(line.split()) > 1}
        total = sizes.get(b"MemTotal", 0)
        return total - sizes.get(b"MemAvailable", total), total

    def _shared_memory(self) -> Tuple[int, int]:
        """Bytes used and there."""
        try:
            status = os.statvfs(self._shared)
        except OSError:
            return 0, 0
        return (status.f_blocks - status.f_bfree) * status.f_frsize, status.f_blocks * status.f_frsize

    def _disks(self) -> Tuple[int, int]:
        """Bytes read and written; of what is itself made of disks (partitions, volumes) nothing, lest it counts twice."""
        read = written = 0
        for line in self._read(os.path.join(self._proc, "diskstats")).splitlines():
            fields = line.split()
            if len(fields) > 9 and self._is_physical("block", os.fsdecode(fields[2])):
                read += int(fields[5]) * _SECTOR_BYTES
                written += int(fields[9]) * _SECTOR_BYTES
        return read, written

    def _networks(self) -> Tuple[int, int]:
        """Bytes received and sent through network cards; in a container, which may have none of its own, through all but lo."""
        physical, others = [0, 0], [0, 0]
        any_physical = False
        for line in self._read(os.path.join(self._proc, "self", "net", "dev")).splitlines():
            name, _, figures = line.partition(b":")
            fields = figures.split()
            if len(fields) < 16 or name.strip() == b"lo":
                continue
            is_physical = self._is_physical(os.path.join("class", "net"), os.fsdecode(name.strip()))
            any_physical = any_physical or is_physical
            sums = physical if is_physical else others
            sums[0] += int(fields[0])
            sums[1] += int(fields[8])
        received, sent = physical if any_physical else others
        return received, sent

    def _is_physical(self, kind: str, name: str) -> bool:
        path = os.path.join(self._sys, kind, name, "device")
        if path not in self._physical:
            self._physical[path] = os.path.exists(path)
        return self._physical[path]

    @staticmethod
    def _read(path: str) -> bytes:
        """What a kernel file says; nothing when it is not there (any more), or not for us."""
        try:
            with open(path, "rb", buffering=0) as file:
                return file.readall()
        except OSError:
            return b""
