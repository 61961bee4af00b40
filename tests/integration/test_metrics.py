"""What a run leaves in `metrics.jsonl`: real processes and the emulated engine; GPUs by the stand-in for NVIDIA's library."""

from __future__ import annotations

import os
import signal

import pytest
from nvml_standin import SLICES, UUIDS, Standin
from running import Started, draw_images, summary, wait_for, wait_for_results
from running import divainfer as program

from divainfer.monitor.metricslog import read_metrics, starts
from divainfer.runfolder import RunFolder

SMALL = ["--short-edge-size", "64", "--max-size", "96", "--sample-every", "0.2", "--loaders", "2"]


def command(tmp_path, count, *more, engine="emulated:busy_ms=4", gpus="cpu:2"):
    if not (tmp_path / "in").exists():
        draw_images(str(tmp_path / "in"), count)
    images, out = str(tmp_path / "in"), str(tmp_path / "out")
    return ["run", "--engine", engine, "--gpus", gpus, "--images", images, "--out", out, *SMALL, *more]


def run(tmp_path, count, *more, **others):
    outcome = program(*command(tmp_path, count, *more, **others))
    assert outcome.code in (0, 3), outcome.err
    return summary(str(tmp_path / "out"))


def samples(tmp_path):
    return list(read_metrics(RunFolder(str(tmp_path / "out")).metrics))


def same(found, wanted):
    assert {name: pytest.approx(value, abs=2e-6) for name, value in wanted.items()} == found


def test_the_last_sample_is_the_summary(tmp_path):
    draw_images(str(tmp_path / "in"), 150)
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no image")
    total = run(tmp_path, 0, "--batch-size", "2")
    found = samples(tmp_path)
    last = found[-1]
    assert (last.images, last.done, last.failures, last.stopping) == (151, 151, 1, False)
    # It is taken after the summary, from a later begin on.
    assert last.seconds == pytest.approx(total["seconds"], abs=5)
    assert len(last.workers) == 2 and last.gpus == [] and last.gpus_missing == ""
    decoded = 0
    for number, (worker, wanted) in enumerate(zip(last.workers, total["workers"])):
        assert (worker.number, worker.device, worker.uuid, worker.state) == (number, "CPU", "", "closed")
        same(worker.stats._asdict(), wanted["stats"])
        assert set(worker.times) == {"decode", "compute", "write"}
        assert sum(worker.times["compute"]) == worker.stats.batches
        assert sum(worker.times["write"]) == worker.stats.images
        assert sum(worker.times["decode"]) >= worker.stats.decoded
        decoded += worker.stats.decoded
    assert decoded == 151
    # A batch takes the engine 4 or 8 ms and hardly more; the buckets' bounds are a factor 1.4 apart.
    assert all(sum(worker.times["compute"][:10]) == 0 for worker in last.workers)
    assert len({sample.start for sample in found}) == 1
    for earlier, later in zip(found, found[1:]):
        assert earlier.seconds < later.seconds and earlier.done <= later.done
    assert found[-1].host.roles["loader"].processes == 0
    # A machine that is busy with other things may not answer in time for each of them.
    found = [sample for sample in found if sample.host is not None]
    busiest = max(found, key=lambda sample: sample.host.roles["loader"].processes)
    processes = {role: sample.processes for role, sample in busiest.host.roles.items()}
    assert processes == {"dispatcher": 1, "worker": 2, "loader": 4}
    assert max(sample.host.roles["loader"].cpu for sample in found) > 0.1


def test_a_resumed_run_has_two_starts_of_which_each_ends_with_its_own_sums(tmp_path):
    arguments = command(tmp_path, 90, engine="emulated:busy_ms=30")
    with Started(*arguments) as started:
        wait_for_results(str(tmp_path / "out"), 10)
        started.signal(signal.SIGINT)
        assert started.wait().code == 130
    first = summary(str(tmp_path / "out"))
    second = run(tmp_path, 90, engine="emulated:busy_ms=30")
    found = starts(iter(samples(tmp_path)))
    assert len(found) == 2
    for one, total in zip(found, (first, second)):
        assert one[-1].done == total["results"]
        for worker, wanted in zip(one[-1].workers, total["workers"]):
            same(worker.stats._asdict(), wanted["stats"])
    assert found[0][-1].stopping and not found[1][-1].stopping
    assert found[1][0].done >= first["results"], "over all starts"


def test_a_killed_dispatcher_leaves_a_file_that_can_be_read_and_carried_on(tmp_path):
    with Started(*command(tmp_path, 60, engine="emulated:busy_ms=60")) as started:
        wait_for(lambda: len(samples(tmp_path)) > 3 and samples(tmp_path)[-1].done, "samples")
        started.signal(signal.SIGKILL)
        started.wait()
    path = RunFolder(str(tmp_path / "out")).metrics
    before = samples(tmp_path)
    # As if it had died while it wrote.
    with open(path, "ab") as file:
        file.write(b'{"time": 17')
    run(tmp_path, 60, engine="emulated:busy_ms=60")
    first, second = starts(iter(samples(tmp_path)))
    assert first == before and second[-1].done == 60


def test_a_worker_that_was_replaced_keeps_its_sums(tmp_path):
    with Started(*command(tmp_path, 80, engine="emulated:busy_ms=40", gpus="cpu")) as started:
        wait_for(lambda: any(one.workers[0].stats.images > 3 for one in samples(tmp_path)), "its first figures")
        started.processes("worker")[0].kill()
        assert started.wait().code == 0
    found = samples(tmp_path)
    assert found[-1].workers[0].restarts == 1 and found[-1].done == 80
    for before, after in zip(found, found[1:]):
        one, other = before.workers[0], after.workers[0]
        assert one.stats.images <= other.stats.images and one.stats.busy <= other.stats.busy
        assert all(sum(one.times[name]) <= sum(other.times[name]) for name in one.times)
    assert sum(found[-1].workers[0].times["write"]) == found[-1].workers[0].stats.images


def test_without_sampling_there_is_no_file_and_a_refusing_disk_does_not_matter(tmp_path):
    run(tmp_path, 6, "--sample-every", "0")
    assert not os.path.exists(RunFolder(str(tmp_path / "out")).metrics)
    with open(str(tmp_path / "in" / "list"), "w") as file:
        file.write("f0000.jpg\n")
    arguments = command(tmp_path, 6, "--images", str(tmp_path / "in" / "list"), "--out", str(tmp_path / "other"))
    other = RunFolder(str(tmp_path / "other"))
    os.makedirs(other.metrics)
    outcome = program(*arguments)
    assert outcome.code == 0 and "goes on without" in outcome.err, outcome.err
    assert summary(str(tmp_path / "other"))["results"] == 1


def test_a_dry_run_samples_nothing(tmp_path):
    outcome = program(*command(tmp_path, 3, "--dry-run"))
    assert outcome.code == 0 and not (tmp_path / "out").exists()


# --- GPUs


@pytest.fixture
def standin(tmp_path):
    return Standin(tmp_path / "standin")


def test_four_gpus_of_two_kinds_one_of_them_lost_and_one_throttled(tmp_path, standin):
    arguments = command(tmp_path, 300, engine="emulated:busy_ms=50", gpus="all")
    with Started(*arguments, env=standin.environment) as started:
        wait_for(lambda: any(worker.stats.batches for one in samples(tmp_path) for worker in one.workers), "a batch")
        standin.cause("xid-1", "79")
        standin.cause("lost-1")
        wait_for(lambda: any(gpu.gone for gpu in samples(tmp_path)[-1].gpus), "the loss")
        outcome = started.wait()
    # Whether a lost GPU ends its worker is the engine's affair.
    assert outcome.code == 0, outcome.err
    found = samples(tmp_path)
    # A machine that is busy with other things may not answer in time for each of them.
    answered = [sample for sample in found if not sample.gpus_missing]
    assert answered and all([gpu.uuid for gpu in sample.gpus] == UUIDS for sample in answered)
    first, last = answered[0].gpus, answered[-1].gpus
    assert [gpu.name for gpu in first] == ["Stand-in 80GB"] * 2 + ["Stand-in 24GB"] * 2
    assert [gpu.utilisation for gpu in first] == [0.9, 0.91, 0.92, 0.0]
    assert [gpu.throttled for gpu in first] == [[], [], ["software power cap", "hardware thermal slowdown"], []]
    assert [gpu.gone for gpu in last] == ["", "GPU is lost", "", ""] and last[1].xids == [79]
    assert [worker.uuid for worker in found[-1].workers] == UUIDS
    assert [worker.device for worker in found[-1].workers][1] == "GPU 1 (Stand-in 80GB)"
    assert summary(str(tmp_path / "out"))["results"] == 300


@pytest.mark.parametrize(
    "trouble,words", [("no-driver", "has gone (Driver Not Loaded)"), ("hang", "has not answered for")]
)
def test_a_driver_that_dies_or_hangs_in_the_middle_does_not_disturb_the_run(tmp_path, standin, trouble, words):
    arguments = command(tmp_path, 160, engine="emulated:busy_ms=30", gpus="0,2")
    with Started(*arguments, env=standin.environment) as started:
        wait_for(lambda: any(one.workers[0].stats.batches for one in samples(tmp_path)), "a batch")
        standin.cause(trouble)
        outcome = started.wait()
    assert outcome.code == 0 and "Traceback" not in outcome.err, outcome.err
    found = samples(tmp_path)
    assert any(sample.gpus and not sample.gpus_missing for sample in found)
    assert found[-1].gpus == [] and words in found[-1].gpus_missing
    assert found[-1].done == 160 and found[-1].host.memory_total > 0
    for worker, wanted in zip(found[-1].workers, summary(str(tmp_path / "out"))["workers"]):
        same(worker.stats._asdict(), wanted["stats"])


def test_mig_slices_as_devices(tmp_path, standin):
    standin.cause("mig")
    outcome = program(*command(tmp_path, 8, gpus=",".join(SLICES)), env=standin.environment)
    assert outcome.code == 0, outcome.err
    for gpu in samples(tmp_path)[-1].gpus:
        assert gpu.uuid in SLICES and gpu.memory_total == 10 << 30 and gpu.utilisation is None and not gpu.gone
