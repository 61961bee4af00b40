"""The search of `divainfer tune`, on surfaces that are known."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from divainfer.tuning.sweep import DECODE, ENGINE, REPEATS, RUN, Limits, Setting, Step, Sweep

LIMITS = Limits(loaders=(1, 2, 4, 8), streams=(1, 2, 4), batch_sizes=(1, 2, 4, 8, 16), devices=2, feeders=2)


class Surface:
    """A machine as a formula: what each step comes to.

    Args:
        engine: frames a second of one device, by streams and batch size.
        decode: frames a second of all loaders, by their count for each worker.
        contention: share that a run loses for each loader, since loaders take the engine's cores.
        noise: standard deviation, share.
    """

    def __init__(self, engine, decode, limits=LIMITS, contention=0.0, noise=0.0):
        self.engine, self.decode, self.limits, self.contention = engine, decode, limits, contention
        self.noise, self.numbers = noise, random.Random(1)

    def exactly(self, step):
        loaders, streams, batch_size = step.setting
        engine, decode = self.engine(streams, batch_size), self.decode(loaders)
        if step.kind == ENGINE:
            return engine
        if step.kind == DECODE:
            return decode
        return min(self.limits.devices * engine, decode) * (1 - self.contention * loaders)

    def measure(self, step):
        return self.exactly(step) * self.numbers.gauss(1, self.noise)


def search(surface, most=200, disturbed=None):
    """Lets a sweep run to its end; returns it with all its steps. Of `disturbed` the first trial is slow."""
    sweep, steps = Sweep(surface.limits), []
    for _ in range(most):
        step = sweep.next()
        if step is None:
            return sweep, steps
        share = 0.3 if step == disturbed and step not in steps else 1
        steps.append(step)
        sweep.add(step, surface.measure(step) * share)
    raise AssertionError("it does not end")


def of_kind(steps, kind):
    return [step.setting for step in steps if step.kind == kind]


def test_an_engine_that_gains_nothing_is_left_at_the_smallest_setting():
    sweep, steps = search(Surface(lambda streams, batch: 6.25, lambda loaders: 75.0 * loaders))
    choice = sweep.choice()
    assert choice.setting == Setting(1, 1, 1) and choice.measured and choice.rate == 12.5
    # One step up in each direction shows that there is no gain; one loader is more than enough; nothing else can matter.
    assert of_kind(steps, ENGINE) == [Setting(2, 1, 1), Setting(2, 1, 2), Setting(2, 2, 1), Setting(2, 2, 2)]
    assert of_kind(steps, DECODE) == [Setting(1, 1, 1)]
    assert of_kind(steps, RUN) == [Setting(1, 1, 1)]


def test_where_the_loaders_are_slow_there_are_more_of_them_and_the_smallest_engine_will_do():
    surface = Surface(lambda streams, batch: 400.0 + 100 * min(batch, 4), lambda loaders: 70.0 * min(loaders, 4))
    sweep, steps = search(surface)
    assert sweep.choice().setting == Setting(4, 1, 1)
    assert of_kind(steps, DECODE) == [Setting(1, 1, 1), Setting(2, 1, 1), Setting(4, 1, 1), Setting(8, 1, 1)]
    assert of_kind(steps, RUN) == [Setting(4, 1, 1)]


def test_batches_and_streams_that_pay_are_found_with_the_loaders_they_need():
    def engine(streams, batch):
        return 20.0 * min(streams, 2) * min(batch, 8) ** 0.5

    sweep, steps = search(Surface(engine, lambda loaders: 60.0 * loaders))
    # 2 x 20 x 2 x sqrt(8) = 226 frames/s want four loaders for each worker.
    assert sweep.choice().setting == Setting(4, 2, 8)
    assert len(of_kind(steps, RUN)) < 12


def search_with(engine, runs, limits):
    """A search in which the runs do not come up to what their ceilings say, each in its own way."""
    surface = Surface(lambda streams, batch: engine[(streams, batch)], lambda loaders: 1000.0, limits)
    ceiling = surface.exactly
    surface.exactly = lambda step: runs[step.setting] if step.kind == RUN else ceiling(step)
    return search(surface)


SMALL = LIMITS._replace(loaders=(1,), streams=(1,), batch_sizes=(1, 2), devices=1)


@pytest.mark.parametrize("smaller,chosen", [(100.0, 1), (98.0, 2)])
def test_a_smaller_setting_within_two_percent_of_the_best_is_taken(smaller, chosen):
    runs = {Setting(1, 1, 1): smaller, Setting(1, 1, 2): 101.0}
    sweep, steps = search_with({(1, 1): 100.0, (1, 2): 103.0}, runs, SMALL)
    assert sweep.choice().setting.batch_size == chosen
    assert sweep.choice().best.batch_size == 2
    # It was a close thing, so both were run thrice.
    assert sorted(of_kind(steps, RUN)) == [Setting(1, 1, 1)] * REPEATS + [Setting(1, 1, 2)] * REPEATS


def test_loaders_that_take_the_engine_s_cores_are_not_added():
    surface = Surface(lambda streams, batch: 100.0, lambda loaders: 150.0 * loaders, contention=0.08)
    sweep, steps = search(surface)
    rates = {setting: surface.exactly(Step(RUN, setting)) for setting in of_kind(steps, RUN)}
    assert sweep.choice().setting == Setting(2, 1, 1)
    assert max(rates.values()) == rates[Setting(2, 1, 1)]
    assert Setting(8, 1, 1) not in rates


@pytest.mark.parametrize("seed", range(20))
def test_noise_does_not_lead_far_from_the_best(seed):
    def engine(streams, batch):
        return 30.0 * min(streams, 2) ** 0.5 * min(batch, 4) ** 0.5

    surface = Surface(engine, lambda loaders: 80.0 * loaders, noise=0.01)
    surface.numbers.seed(seed)
    choice = search(surface)[0].choice()
    best = max(
        surface.exactly(Step(RUN, Setting(loaders, streams, batch)))
        for loaders in LIMITS.loaders
        for streams in LIMITS.streams
        for batch in LIMITS.batch_sizes
    )
    assert surface.exactly(Step(RUN, choice.setting)) >= 0.94 * best


def test_those_that_are_far_from_the_best_are_not_repeated():
    runs = {Setting(1, 1, 1): 85.0, Setting(1, 1, 2): 101.0}
    sweep, steps = search_with({(1, 1): 100.0, (1, 2): 103.0}, runs, SMALL)
    assert sweep.choice().setting == Setting(1, 1, 2)
    assert sorted(of_kind(steps, RUN)) == [Setting(1, 1, 1), Setting(1, 1, 2)]


def test_the_median_of_the_repeats_counts():
    sweep = Sweep(LIMITS)
    small, large = Step(RUN, Setting(1, 1, 1)), Step(RUN, Setting(1, 1, 2))
    for rate in (99.0, 40.0, 100.0):
        sweep.add(small, rate)
    for rate in (100.0, 130.0, 99.0):
        sweep.add(large, rate)
    assert sweep.choice().setting == Setting(1, 1, 1) and sweep.choice().rate == 99.0
    assert sweep.choice().best == Setting(1, 1, 2) and sweep.choice().best_rate == 100.0


@pytest.mark.parametrize("kind,setting", [(ENGINE, Setting(2, 1, 4)), (DECODE, Setting(2, 1, 1))])
def test_one_disturbed_trial_does_not_end_a_ladder(kind, setting):
    surface = Surface(lambda streams, batch: 10.0 * min(batch, 8), lambda loaders: 40.0 * loaders)
    disturbed = Step(kind, setting)
    sweep, steps = search(surface, disturbed=disturbed)
    assert steps.count(disturbed) == 2
    assert sweep.choice().setting == Setting(4, 1, 8)


def test_one_disturbed_trial_does_not_end_the_streams():
    limits = LIMITS._replace(batch_sizes=(4,))
    surface = Surface(lambda streams, batch: 100.0 * streams, lambda loaders: 2000.0, limits)
    disturbed = Step(ENGINE, Setting(2, 2, 4))
    sweep, steps = search(surface, disturbed=disturbed)
    assert steps.count(disturbed) == 2
    assert sweep.choice().setting == Setting(1, 4, 4)


def test_a_ceiling_that_does_fall_is_measured_twice_and_believed():
    surface = Surface(lambda streams, batch: 10.0 if batch < 4 else 8.0, lambda loaders: 500.0)
    sweep, steps = search(surface)
    assert of_kind(steps, ENGINE).count(Setting(2, 1, 2)) == 1, "no gain is no doubt"
    surface = Surface(lambda streams, batch: {1: 10.0, 2: 12.0}.get(batch, 9.0), lambda loaders: 500.0)
    sweep, steps = search(surface)
    assert of_kind(steps, ENGINE).count(Setting(2, 1, 4)) == 2
    assert sweep.choice().setting == Setting(1, 1, 2)


def test_what_fails_ends_its_ladder_and_is_not_run():
    surface = Surface(lambda streams, batch: 0.0 if batch > 2 else 10.0 * batch, lambda loaders: 500.0)
    sweep, steps = search(surface)
    assert max(setting.batch_size for setting in of_kind(steps, ENGINE)) == 4
    assert max(setting.batch_size for setting in of_kind(steps, RUN)) == 2
    assert sweep.choice().setting == Setting(1, 1, 2)


def test_a_run_that_fails_gives_way_to_the_next():
    surface = Surface(lambda streams, batch: 10.0 * min(batch, 4), lambda loaders: 500.0)
    failing = Step(RUN, Setting(1, 1, 4))
    sweep, steps = Sweep(LIMITS), []
    for step in iter(sweep.next, None):
        steps.append(step)
        sweep.add(step, 0.0 if step == failing else surface.exactly(step))
    assert steps.count(failing) == 1
    assert sweep.choice().rate == 80.0 and sweep.choice().setting != failing.setting


def test_in_a_hurry_the_ceilings_do_as_they_are():
    surface = Surface(lambda streams, batch: 10.0 * batch * streams, lambda loaders: 500.0)
    sweep = Sweep(LIMITS)
    assert sweep.next(hurry=True).kind == ENGINE
    sweep.add(sweep.next(), 10.0)
    assert sweep.next(hurry=True).kind == DECODE
    sweep.add(sweep.next(hurry=True), 500.0)
    assert sweep.next(hurry=True) == Step(RUN, Setting(1, 1, 1))
    assert sweep.next().kind == ENGINE
    assert sweep.open() == [ENGINE, RUN]
    sweep.add(sweep.next(hurry=True), surface.exactly(Step(RUN, Setting(1, 1, 1))))
    assert sweep.next(hurry=True) is None
    assert sweep.open() == [ENGINE]


def test_before_a_run_the_ceilings_tell_what_to_expect():
    sweep = Sweep(LIMITS)
    assert sweep.choice() is None
    sweep.add(sweep.engine_step(1, 1), 10.0)
    assert sweep.choice() is None
    sweep.add(sweep.engine_step(1, 2), 30.0)
    sweep.add(sweep.decode_step(1), 25.0)
    sweep.add(sweep.decode_step(2), 50.0)
    choice = sweep.choice()
    assert (choice.setting, choice.rate, choice.measured) == (Setting(2, 1, 2), 50.0, False)


ladders = st.lists(st.sampled_from([1, 2, 3, 4, 6, 8]), min_size=1, max_size=4, unique=True).map(sorted).map(tuple)
rate_of = st.floats(0, 1000)


@given(
    st.builds(Limits, ladders, ladders, ladders, st.integers(1, 8), st.integers(1, 2)),
    st.lists(rate_of, min_size=1, max_size=50),
    st.integers(0, 30),
)
@settings(deadline=None)
def test_any_measurements_whatever_lead_to_an_end_within_the_limits(limits, rates, hurry_after):
    sweep, steps = Sweep(limits), []
    settings_there = len(limits.loaders) * len(limits.streams) * len(limits.batch_sizes)
    while True:
        step = sweep.next(hurry=len(steps) >= hurry_after)
        if step is None:
            break
        loaders, streams, batch_size = step.setting
        assert loaders in limits.loaders or (step.kind == ENGINE and loaders == limits.feeders)
        assert streams in limits.streams and batch_size in limits.batch_sizes
        sweep.add(step, rates[len(steps) % len(rates)])
        steps.append(step)
        assert len(steps) <= (REPEATS + 4) * settings_there
    choice = sweep.choice()
    if choice is not None and choice.measured:
        assert Step(RUN, choice.setting) in steps
        assert choice.setting <= choice.best and choice.rate >= 0.98 * choice.best_rate


def test_whenever_time_becomes_short_the_rest_is_not_spent_on_few_loaders():
    def engine(streams, batch):
        return 100.0 * (1 + 0.1 * min(batch, 8) ** 0.5) * (1.1 if streams > 1 else 1.0)

    surface = Surface(engine, lambda loaders: 40.0 * min(loaders, 4))
    best = max(surface.exactly(Step(RUN, Setting(loaders, 2, 8))) for loaders in surface.limits.loaders)
    for short in range(1, 24):
        sweep = Sweep(surface.limits)
        for taken in range(short + 14):
            step = sweep.next(hurry=taken >= short)
            if step is None:
                break
            sweep.add(step, surface.measure(step))
        assert sweep.choice().rate >= 0.9 * best, (short, sweep.choice())
