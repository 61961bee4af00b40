"""What needs somebody."""

from __future__ import annotations

from made_runs import gpu, samples_of

from divainfer.monitor.notices import notices

SAMPLE = samples_of([0.9] * 3, 1)[-1]


def test_a_run_in_good_health_needs_nobody():
    assert notices("running", "", SAMPLE, True) == []
    assert notices("finished", "", SAMPLE, False) == []


def test_workers_that_are_not_at_work_are_named_while_the_run_computes():
    workers = list(SAMPLE.workers)
    workers[1] = workers[1]._replace(state="closed", reason="killed by signal 9\n(SIGKILL)")
    workers[2] = workers[2]._replace(state="booting", reason="its loaders end one after the other")
    sample = SAMPLE._replace(workers=workers)
    assert notices("running", "", sample, True) == [
        "worker 1 is given up: killed by signal 9 (SIGKILL)",
        "worker 2 is booting: its loaders end one after the other",
    ]
    assert notices("finished", "", sample, False) == [], "at the end they are all told how they ended"


def test_gpus_in_trouble():
    gpus = [gpu(0, throttled=["power cap", "heat"]), gpu(1, xids=[79, 31, 79], gone="the GPU is lost"), gpu(2), gpu(3)]
    gpus[2:] = [one._replace(throttled=["power cap"]) for one in gpus[2:]]
    sample = SAMPLE._replace(gpus=gpus)
    errors = [
        "GPU 1 does not answer: the GPU is lost",
        "GPU 1 reported critical errors: Xid 79, 31",
    ]
    throttled = ["GPU 0 is throttled: power cap, heat", "GPUs 2, 3 are throttled: power cap"]
    assert notices("running", "", sample, True) == errors + throttled, "a power cap is usual; a lost GPU is not"
    assert notices("finished", "", sample, False) == errors, "an error stays one; a clock is of its moment"


def test_a_run_that_ended_badly():
    sample = SAMPLE._replace(gpus=[], gpus_missing="no NVIDIA driver answers")
    first, second = notices("killed", "", sample, False)
    assert first.startswith("it ended without a word") and second == "no figures of the GPUs: no NVIDIA driver answers"
    assert notices("failed", "no room\non the disk", SAMPLE, False) == ["it ended early: no room on the disk"]
    assert notices("failed", "no \udcff \x1b[31m", SAMPLE, False) == ["it ended early: no \\udcff \\x1b[31m"]


def test_who_says_nothing():
    assert notices("running", "", SAMPLE, True, 5.0) == []
    assert notices("running", "", SAMPLE, True, 31.0)[0].startswith("the dispatcher has said nothing for 31 s")
    workers = [worker._replace(silent=40.0 * (worker.number == 1)) for worker in SAMPLE.workers]
    (said,) = notices("running", "", SAMPLE._replace(workers=workers), True)
    assert said.startswith("worker 1 has said nothing for 40 s")
