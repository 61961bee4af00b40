"""What a process may use, by the control groups it is in: trees of files as the kernel shows them."""

from __future__ import annotations

import os

import pytest

from divainfer.machine import ControlGroups, usable_cores, usable_cpu


def groups(tmp_path, membership, files):
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    (tmp_path / "membership").write_text(membership)
    return ControlGroups(str(tmp_path / "membership"), str(tmp_path / "cgroup"))


SERVICE = "0::/system.slice/detector.service\n"
VERSION_1 = "12:memory:/jobs/7\n3:cpu,cpuacct:/jobs/7\n1:name=systemd:/jobs/7\n0::/jobs/7\n"


@pytest.mark.parametrize(
    "membership, files, cores",
    [
        ("0::/\n", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000"}, None),
        ("0::/\n", {}, None),
        (SERVICE, {"system.slice/detector.service/cpu.max": "300000 100000"}, 3.0),
        (
            SERVICE,
            {"system.slice/detector.service/cpu.max": "max 100000", "system.slice/cpu.max": "50000 100000"},
            0.5,
        ),
        # Of a group beside it nothing is known to us, and nothing holds for us.
        (SERVICE, {"system.slice/other.service/cpu.max": "100000 100000"}, None),
        (VERSION_1, {"cpu/jobs/7/cpu.cfs_quota_us": "250000", "cpu/jobs/7/cpu.cfs_period_us": "100000"}, 2.5),
        (VERSION_1, {"cpu/jobs/7/cpu.cfs_quota_us": "-1", "cpu/jobs/7/cpu.cfs_period_us": "100000"}, None),
        (
            VERSION_1,
            {
                "cpu/jobs/7/cpu.cfs_quota_us": "-1",
                "cpu/jobs/7/cpu.cfs_period_us": "100000",
                "cpu/jobs/cpu.cfs_quota_us": "400000",
                "cpu/jobs/cpu.cfs_period_us": "200000",
            },
            2.0,
        ),
        # A container that is shown the host's path, and its own group as the top of what is mounted.
        (
            "3:cpu:/docker/0123abcd\n",
            {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"},
            2.0,
        ),
        ("0::/../outside\n", {"cpu.max": "200000 100000"}, 2.0),
        ("", {"cpu.max": "200000 100000"}, 2.0),
        ("nonsense\n", {"cpu.max": "nonsense"}, None),
    ],
)
def test_cores_are_those_of_the_narrowest_group(tmp_path, membership, files, cores):
    assert groups(tmp_path, membership, files).cores() == cores


@pytest.mark.parametrize(
    "membership, files, left",
    [
        ("0::/\n", {"memory.max": "max", "memory.current": "7"}, None),
        ("0::/\n", {"memory.max": "1000", "memory.current": "300"}, 700),
        ("0::/\n", {"memory.max": "1000", "memory.current": "1300"}, 0),
        (
            SERVICE,
            {
                "system.slice/memory.max": "5000",
                "system.slice/memory.current": "4900",
                "system.slice/detector.service/memory.max": "1000",
                "system.slice/detector.service/memory.current": "300",
            },
            100,
        ),
        (
            VERSION_1,
            {"memory/jobs/7/memory.limit_in_bytes": "1000", "memory/jobs/7/memory.usage_in_bytes": "1"},
            999,
        ),
        # Files that were read once are in the cache, and give way.
        (
            "0::/\n",
            {"memory.max": "1000", "memory.current": "990", "memory.stat": "anon 100\ninactive_file 800"},
            810,
        ),
        (
            VERSION_1,
            {
                "memory/jobs/memory.limit_in_bytes": "1000",
                "memory/jobs/memory.usage_in_bytes": "900",
                "memory/jobs/memory.stat": "inactive_file 1\ntotal_inactive_file 500",
            },
            600,
        ),
    ],
)
def test_memory_is_what_every_group_still_allows(tmp_path, membership, files, left):
    assert groups(tmp_path, membership, files).available_memory() == left


def test_no_groups_no_limit(tmp_path):
    nothing = ControlGroups(str(tmp_path / "none"), str(tmp_path / "none"))
    assert nothing.cores() is None and nothing.available_memory() is None


def test_this_process_may_use_what_its_affinity_allows():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cpu() <= 1 and usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
