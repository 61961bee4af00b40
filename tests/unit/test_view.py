"""What is shown of a run, out of samples of a pool that does what is said."""

from __future__ import annotations

import json

import pytest
from made_runs import gpu, samples_of, worker_after

from divainfer.config import RunConfig, to_json
from divainfer.messages import WorkerStats
from divainfer.monitor.change import Change, frames_per_second, last_seconds, steps
from divainfer.monitor.sample import Sample, WorkerSample
from divainfer.monitor.view import Standing, make_view

STANDING = Standing("/out", "running", to_json(RunConfig()), 100000)


def changed(samples, number, *, since=0, **stats):
    """The samples, with a worker's figures of another kind from some second on."""
    found = []
    for sample in samples:
        if sample.seconds > since:
            workers = list(sample.workers)
            workers[number] = workers[number]._replace(stats=workers[number].stats._replace(**stats))
            sample = sample._replace(workers=workers)
        found.append(sample)
    return found


def test_nothing_is_known_yet():
    view = make_view([], STANDING._replace(done=7))
    assert (view.state, view.done, view.images, view.workers, view.images_per_second) == (
        "starting",
        7,
        100000,
        [],
        None,
    )


def test_how_far_it_is():
    view = make_view(samples_of([0.9, 0.5], 300), STANDING)
    assert (view.done, view.workers_up, view.state, view.at_work) == (6000, 2, "running", True)
    assert view.images_per_second == pytest.approx(20)
    assert view.seconds_left == pytest.approx(94000 / 20)


def test_time_before_the_first_image_does_not_count_as_slow():
    ready = samples_of([0.9], 10)
    shift = [sample._replace(seconds=sample.seconds + 45) for sample in ready]
    waiting = [
        Sample(1.6e9, float(second), 1.6e9, workers=[WorkerSample(0, "GPU 0", "GPU-0", "booting")])
        for second in range(45)
    ]
    assert make_view(waiting, STANDING).state == "starting"
    assert make_view(waiting + shift, STANDING).images_per_second == pytest.approx(10, rel=0.1)


def test_now_is_the_last_seconds_not_the_whole_start():
    slow, fast = samples_of([0.2], 100), samples_of([1.0], 60)
    base = slow[-1].workers[0].stats
    for sample in fast:
        stats = sample.workers[0].stats
        together = WorkerStats(*[a + b for a, b in zip(base, stats)])._replace(queued=5, slots=32, loaders=3)
        workers = [sample.workers[0]._replace(stats=together)]
        slow.append(sample._replace(seconds=100 + sample.seconds, workers=workers))
    worker = make_view(slow, STANDING).workers[0]
    assert worker.shares.busy == pytest.approx(1) and worker.shares.starved == pytest.approx(0)
    assert (worker.queued, worker.slots, worker.loaders, worker.bound) == (5, 32, 3, "gpu")
    assert worker.frames_per_second == pytest.approx(10)
    known = [busy for busy in worker.history if busy is not None]
    assert known[0] == pytest.approx(0.2) and known[-1] == pytest.approx(1)
    # Once it is over the whole of it counts.
    over = make_view(slow, STANDING._replace(state="finished", done=1600)).workers[0]
    assert over.shares.busy == pytest.approx((0.2 * 100 + 60) / 160)


def test_what_bounds_each_worker_is_its_own():
    samples = samples_of([0.99, 0.5, 0.5, 0.5], 60)
    samples = changed(samples, 2, starved=0.0, blocked=30.0)
    samples = [
        sample._replace(workers=sample.workers[:3] + [sample.workers[3]._replace(state="booting")])
        for sample in samples
    ]
    # The stats above do not grow, so only the difference to the beginning tells; that is the whole start.
    view = make_view(samples, STANDING._replace(state="stopped"))
    assert [worker.bound for worker in view.workers[:3]] == ["gpu", "decode", "write"]
    assert make_view(samples, STANDING).workers[3].bound == ""


def test_cores_in_use_are_the_pool_s():
    # Four workers use 4 * 2 of 8 cores: more loaders would only wait, which one worker's 2 cores alone do not show.
    samples = [sample._replace(host=sample.host._replace(cores=8.0)) for sample in samples_of([0.5] * 4, 60)]
    view = make_view(samples, STANDING)
    assert {worker.bound for worker in view.workers} == {"decode"} and "8 cores in use" in view.verdict["sentence"]
    assert view.verdict["bound"] == "decode"


def test_a_batch_that_takes_longer_than_is_looked_at_is_no_start():
    samples = changed(samples_of([1.0], 60), 0, since=10, batches=100, images=100)
    assert make_view(samples, STANDING).workers[0].bound == "gpu"


def test_gpus_and_the_machine():
    samples = samples_of([0.9, 0.9], 60)
    samples = [sample._replace(gpus=[gpu(0, utilisation=0.5), gpu(1, gone="it is lost")]) for sample in samples]
    view = make_view(samples, STANDING)
    assert [one.utilisation for one in view.gpus] == [pytest.approx(0.5), None]
    assert view.gpus[1].last.gone == "it is lost"
    assert view.host.disk_read == pytest.approx(1e7) and view.host.disk_written == pytest.approx(1e6)
    assert make_view(samples[-1:], STANDING).host.disk_read is None


def test_the_history_lies_on_a_grid_and_does_not_flicker():
    samples = samples_of([0.9], 900)
    before, after = (make_view(samples[:end], STANDING, 120).history for end in (880, 883))
    assert before.step == after.step == 10 and before.begin == after.begin
    assert make_view(samples, STANDING).history.step == 5
    assert len(after.shares) <= 120 and before.shares[:-1] == after.shares[: len(before.shares) - 1]
    assert after.images_per_second[0] == pytest.approx(10)
    assert make_view(samples, STANDING, 0).history is None


def test_a_young_run_has_fine_steps_and_an_old_one_is_shown_from_its_begin():
    assert make_view(samples_of([0.9], 50), STANDING, 120).history.step == 1
    over = make_view(samples_of([0.9], 3000)[::5], STANDING._replace(state="finished"), 120).history
    assert over.begin == 0 and len(over.shares) * over.step >= 3000


def test_the_last_samples_of_a_long_run_tell_nothing_of_its_begin():
    step, changes = steps(samples_of([0.9], 5000)[-600:], 10000.0, 60)
    assert changes[0] is None or changes[0].before is not None
    assert all(change is None or change.images_per_second == pytest.approx(10) for change in changes)


def test_a_start_with_one_sample_is_shown_as_a_whole():
    view = make_view(samples_of([0.75], 40)[-1:], STANDING._replace(state="finished", done=400))
    assert view.workers[0].shares.busy == pytest.approx(0.75) and view.images_per_second == pytest.approx(10)


def test_a_worker_that_was_away_has_no_share():
    samples = samples_of([0.9], 60)
    assert last_seconds(samples, 10).shares(3) is None and frames_per_second(WorkerStats()) is None
    gone = changed(samples, 0, since=30, **samples[30].workers[0].stats._asdict())
    assert make_view(gone, STANDING).workers[0].shares is None


def test_figures_that_go_back_are_no_figures():
    back = Change(samples_of([0.9], 60)[-1], samples_of([0.5], 30)[-1])
    assert back.shares(0) is None and back.images_per_second is None
    assert min(back.stats(0)) >= 0


def test_the_ledger_knows_better_than_the_last_sample():
    standing = STANDING._replace(
        state="killed", done=100, failures=3, verdict={"bound": "read", "sentence": "x", "gain": None}
    )
    view = make_view(samples_of([0.9], 60), standing)
    assert (view.done, view.failures, view.verdict["bound"], view.seconds_left) == (100, 3, "read", None)


def test_json_is_plain():
    view = make_view(samples_of([0.9, 0.3], 200), STANDING)
    plain = json.loads(json.dumps(view.to_json()))
    assert plain["workers"][1]["shares"]["busy"] == pytest.approx(0.3)
    assert (
        plain["gpus"][0]["last"]["temperature"] == 66.0 and plain["host"]["last"]["roles"]["loader"]["processes"] == 4
    )
    assert plain["history"]["shares"][0]["starved"] == pytest.approx(0.4)


def test_a_warm_worker_is_timed_by_its_own_clock():
    assert frames_per_second(worker_after(10, 0.5)._replace(warm_up=10.0)) == pytest.approx(5)


def test_a_step_without_new_figures_is_told_of_by_those_of_the_next():
    samples = samples_of([0.9], 20)
    late = changed(samples, 0, since=9)
    late[9] = late[9]._replace(workers=late[8].workers)
    history = make_view(late, STANDING).workers[0].history
    assert history[:20] == [pytest.approx(0.9)] * 20
    for place in range(9, 14):
        late[place] = late[place]._replace(workers=late[8].workers)
    history = make_view(late, STANDING).workers[0].history
    assert history[:20].count(None) == 5, "a worker that says nothing for longer has a gap"
