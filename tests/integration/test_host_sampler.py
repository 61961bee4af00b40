"""The machine and this run's processes: real ones, that use CPU and memory, and end."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from divainfer.monitor.host import HostSampler
from divainfer.monitor.sample import HostSample, RoleSample

#: Uses so many seconds of a core, says so, and waits for its end.
BURNER = "import sys, time\nwhile time.process_time() < {}: pass\nprint('burnt', flush=True)\nsys.stdin.read()"


class Burner:
    def __init__(self, seconds):
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", BURNER.format(seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def wait(self):
        assert self.process.stdout.readline() == b"burnt\n"


@pytest.fixture
def now():
    return [100.0]


@pytest.fixture
def sampler(now):
    return HostSampler(clock=lambda: now[0])


def test_cpu_of_processes_that_come_work_and_go(sampler, now):
    first = sampler.sample({"worker": [], "loader": []})
    assert first.roles == {"worker": RoleSample(), "loader": RoleSample()} and first.cpu == 0.0
    with Burner(0.3) as one, Burner(0.1) as other:
        one.wait()
        other.wait()
        now[0] += 2
        found = sampler.sample({"worker": [one.pid], "loader": [other.pid]})
        # New ones' CPU is all of this interval; two seconds have passed, by the clock that was handed in. The kernel counts
        # hundredths of a second, and cuts off.
        assert found.roles["worker"].processes == found.roles["loader"].processes == 1
        assert 0.13 <= found.roles["worker"].cpu <= 0.25 and 0.03 <= found.roles["loader"].cpu <= 0.15
        assert found.cpu >= 0.16, "the machine's own figure has it as well"
        now[0] += 1
        found = sampler.sample({"worker": [one.pid], "loader": [other.pid]})
        assert found.roles["worker"].cpu <= 0.05, "it waits"
    now[0] += 1
    found = sampler.sample({"worker": [one.pid], "loader": [other.pid]})
    assert found.roles == {"worker": RoleSample(), "loader": RoleSample()}


def test_a_number_that_is_another_processes_now(sampler, now):
    with Burner(0.2) as one:
        one.wait()
        sampler.sample({"worker": [one.pid]})
        # As if that process had begun at another time, and had used much more before.
        life = sampler._lives[one.pid]
        sampler._lives[one.pid] = life._replace(began=life.began - 5, cpu=life.cpu + 1000)
        now[0] += 1
        assert 0.15 <= sampler.sample({"worker": [one.pid]}).roles["worker"].cpu <= 0.3
        sampler._lives[one.pid] = sampler._lives[one.pid]._replace(cpu=1000000)
        now[0] += 1
        assert sampler.sample({"worker": [one.pid]}).roles["worker"].cpu == 0.0, "never negative"


def test_memory_is_looked_at_in_turn(sampler, now):
    with Burner(0) as one, Burner(0) as other:
        one.wait()
        other.wait()
        pids = {"worker": [one.pid, other.pid]}
        first = sampler.sample(pids).roles["worker"].pss
        assert first > 2 << 20, "the one that was looked at counts for both"
        looked_at = set(sampler._memory)
        now[0] += 100
        sampler.sample(pids)
        assert set(sampler._memory) == {one.pid, other.pid} > looked_at
        real = sum(psutil.Process(pid).memory_full_info().pss for pid in pids["worker"])
        now[0] += 100
        assert abs(sampler.sample(pids).roles["worker"].pss - real) < 1 << 20
        assert sampler.sample({"worker": []}).roles["worker"].pss is None


def test_a_look_at_memory_is_paid_for_with_a_pause(sampler, now):
    block = bytearray(os.urandom(1)) * (64 << 20)
    sampler.sample({"dispatcher": [os.getpid()]})
    took = sampler._memory_at - now[0]
    assert took > 0 and sampler.sample({"dispatcher": [os.getpid()]}).roles["dispatcher"].pss > len(block)
    seen = sampler._memory[os.getpid()]
    now[0] += took / 2
    sampler.sample({"dispatcher": [os.getpid()]})
    assert sampler._memory[os.getpid()] == seen
    now[0] += took
    sampler.sample({"dispatcher": [os.getpid()]})
    assert sampler._memory[os.getpid()] != seen


def test_the_machine_as_psutil_sees_it(sampler):
    found = sampler.sample({})
    memory = psutil.virtual_memory()
    assert found.memory_total == memory.total
    assert abs(found.memory_used - (memory.total - memory.available)) < 0.2 * memory.total
    assert found.shared_total == psutil.disk_usage("/dev/shm").total
    assert 0 < found.cores <= os.cpu_count()


def test_files_sums_only_grow(sampler, tmp_path, now):
    before = sampler.sample({})
    with open(str(tmp_path / "data"), "wb") as file:
        file.write(os.urandom(1 << 20))
        file.flush()
        os.fsync(file.fileno())
    now[0] += 1
    after = sampler.sample({})
    for name in ("disk_read", "disk_written", "received", "sent"):
        assert getattr(after, name) >= getattr(before, name) >= 0
    assert after.disk_read + after.received > 0, "whatever this machine reads from, it has read this test"


def test_disks_and_networks_count_once(tmp_path):
    """A disk with a partition and a volume on it; a network card in a bridge."""
    proc, sys_folder = tmp_path / "proc", tmp_path / "sys"
    (proc / "self" / "net").mkdir(parents=True)
    (proc / "diskstats").write_text(
        "   8  0 sda 1 0 100 0 1 0 200 0 0 0 0\n   8  1 sda1 1 0 90 0 1 0 190 0 0 0 0\n 253  0 dm-0 1 0 80 0 1 0 180 0 0 0 0\n"
    )
    names = ["eth0:1000", "br0: 999", "lo: 7777"]
    rows = ["  {} 1 0 0 0 0 0 0 {} 1 0 0 0 0 0 0\n".format(name, 10 * number) for number, name in enumerate(names, 1)]
    (proc / "self" / "net" / "dev").write_text("Inter-| Receive\n face |bytes\n" + "".join(rows))
    (sys_folder / "block" / "sda" / "device").mkdir(parents=True)
    (sys_folder / "class" / "net" / "eth0" / "device").mkdir(parents=True)
    found = HostSampler(str(proc), str(sys_folder)).sample({})
    assert (found.disk_read, found.disk_written) == (100 * 512, 200 * 512)
    assert (found.received, found.sent) == (1000, 10)
    in_container = HostSampler(str(proc), str(tmp_path / "none")).sample({})
    assert (in_container.received, in_container.sent) == (1999, 30) and in_container.disk_read == 0


def test_nothing_readable_gives_defaults(tmp_path):
    none = str(tmp_path / "none")
    found = HostSampler(none, none, none).sample({"worker": [os.getpid()]})
    assert found == HostSample(cores=found.cores, roles={"worker": RoleSample()})
