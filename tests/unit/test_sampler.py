"""The sampler's thread: what drivers and disks do to it, and that nobody waits for it."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from divainfer.monitor.aside import Aside, NoAnswer
from divainfer.monitor.gpus import GpuSampler
from divainfer.monitor.host import HostSampler
from divainfer.monitor.metricslog import read_metrics
from divainfer.monitor.sample import GpuSample, WorkerSample
from divainfer.monitor.sampler import PoolState, Sampler


class Gpus:
    """GPUs whose driver hangs while its gate is closed."""

    uuids = ["GPU-1"]

    def __init__(self):
        self.gate = threading.Event()
        self.asked = self.closed = 0
        self.fails = False

    def sample(self):
        self.asked += 1
        self.gate.wait()
        if self.fails:
            raise RuntimeError("odd driver")
        return [GpuSample("GPU-1", utilisation=0.5)], ""

    def close(self):
        self.closed += 1


@pytest.fixture
def gpus():
    made = Gpus()
    made.gate.set()
    yield made
    made.gate.set()


def state(done):
    return PoolState(10, done, 0, False, [WorkerSample(0, device="CPU")], {"dispatcher": []})


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_last_state_is_the_last_sample_and_all_are_of_one_start(tmp_path, gpus):
    path = str(tmp_path / "metrics.jsonl")
    sampler = Sampler(path, gpus, HostSampler(), every=0.01)
    sampler.start()
    for done in range(3):
        sampler.note(state(done))
        wait_for(lambda: sampler.recent and sampler.recent[-1].done == done)  # noqa: B023
    sampler.note(state(9))
    sampler.close()
    found = list(read_metrics(path))
    assert [sample.done for sample in found] == [sample.done for sample in sampler.recent]
    assert found[-1].done == 9 and found[0].done == 0
    assert len({sample.start for sample in found}) == 1
    times = [sample.seconds for sample in found]
    assert times == sorted(times)
    assert found[-1].gpus == [GpuSample("GPU-1", utilisation=0.5)] and found[-1].host.memory_total > 0
    assert gpus.closed == 1


def test_nothing_is_sampled_before_the_pool_says_anything(tmp_path):
    path = str(tmp_path / "metrics.jsonl")
    sampler = Sampler(path, GpuSampler([]), HostSampler(), every=0.01)
    sampler.start()
    sampler.close()
    assert list(read_metrics(path)) == sampler.recent == []


def test_one_that_was_never_started_can_be_closed(tmp_path, gpus):
    Sampler(str(tmp_path / "metrics.jsonl"), gpus, HostSampler()).close()
    assert gpus.asked == 0


def test_a_driver_that_hangs_costs_its_own_figures_only(tmp_path, gpus):
    path = str(tmp_path / "metrics.jsonl")
    sampler = Sampler(path, gpus, HostSampler(), every=0.01)
    sampler.start()
    sampler.note(state(0))
    wait_for(lambda: sampler.recent)
    gpus.gate.clear()
    sampler.note(state(1))
    wait_for(lambda: sampler.recent[-1].gpus_missing)
    asked = gpus.asked
    sampler.note(state(2))
    wait_for(lambda: sampler.recent[-1].done == 2)
    assert "NVIDIA driver has not answered for" in sampler.recent[-1].gpus_missing
    assert sampler.recent[-1].gpus == [] and sampler.recent[-1].host is not None
    assert gpus.asked == asked, "it is not asked again meanwhile"
    sampler.note(state(3))
    sampler.close()
    assert list(read_metrics(path))[-1].done == 3, "the end does not wait for it"
    assert gpus.closed == 0


def test_a_driver_that_answers_again_is_heard_again(tmp_path, gpus):
    sampler = Sampler(str(tmp_path / "metrics.jsonl"), gpus, HostSampler(), every=0.01)
    sampler.start()
    gpus.gate.clear()
    sampler.note(state(0))
    wait_for(lambda: sampler.recent and sampler.recent[-1].gpus_missing)
    gpus.gate.set()
    wait_for(lambda: sampler.recent[-1].gpus)
    gpus.fails = True
    wait_for(
        lambda: sampler.recent[-1].gpus_missing == "the NVIDIA driver failed: {!r}".format(RuntimeError("odd driver"))
    )
    sampler.close()
    assert gpus.closed == 1


@pytest.mark.parametrize("where", ["/dev/full", "nowhere/metrics.jsonl"])
def test_a_disk_that_refuses_is_told_once_and_the_samples_go_on(tmp_path, gpus, caplog, where):
    path = str(tmp_path / where)
    with caplog.at_level(logging.WARNING, logger="dispatcher"):
        sampler = Sampler(path, gpus, HostSampler(), every=0.01)
        sampler.start()
        sampler.note(state(0))
        wait_for(lambda: len(sampler.recent) > 3)
        sampler.close()
    assert len(caplog.records) == 1
    assert path in caplog.text and "goes on without" in caplog.text


def test_what_is_asked_aside_answers_or_says_why_not():
    gate = threading.Event()
    ended = []
    aside = Aside("test", lambda a, b: gate.wait() and a / b, lambda: ended.append(True), patience=0.05)
    with pytest.raises(NoAnswer, match="has not answered for 0.[0-9] s"):
        aside.ask(6, 3)
    with pytest.raises(NoAnswer):
        aside.ask(1, 1)
    gate.set()
    wait_for(lambda: not aside._answers.empty())
    assert aside.ask(8, 8) == 2, "the answer that was still to come"
    assert aside.ask(9, 3) == 3
    with pytest.raises(NoAnswer, match="division by zero"):
        aside.ask(1, 0)
    aside.close()
    assert ended == [True]
    Aside("test", print).close()
