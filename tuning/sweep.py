"""Which setting to try next, and which is the one. Pure: rates in, steps out.

Three kinds of steps. "engine": the engine alone on one device, its frames remembered by the loaders. "decode": the loaders
alone, with an engine that takes no time. "run": the real thing on all devices. The ceilings are measured first, upwards as long
as it gets better; what comes out worse with more is measured again before it is believed. A run can be no faster than both of
its ceilings; so only those runs are tried whose bound says that they can matter, and those that come close to the best are
repeated, since machines are noisy.
"""

from __future__ import annotations

import math
import statistics
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

ENGINE, DECODE, RUN = "engine", "decode", "run"
KINDS = (ENGINE, DECODE, RUN)
#: Shares: what counts as better at all, and how far from the best a smaller setting may be.
GAIN = WITHIN = 0.02
#: Runs this close to the best are repeated, in all so many times; only so many of them.
_CLOSE, REPEATS, _MOST_CONTENDERS = 0.05, 3, 4
#: Loaders that decode so much more than the engines take are enough.
_ENOUGH = 1.25


class Setting(NamedTuple):
    """What is searched for. The smaller one of two is that with fewer loaders, then streams, then frames a batch.

    Attributes:
        loaders: for each worker.
        streams: batches in flight on a device.
        batch_size: frames a step.
    """

    loaders: int
    streams: int
    batch_size: int


class Step(NamedTuple):
    """One trial: its kind and its setting."""

    kind: str
    setting: Setting


class Limits(NamedTuple):
    """What may be tried, each ascending and not empty.

    Attributes:
        loaders: counts for each worker.
        streams: batches in flight.
        batch_sizes: frames a step.
        devices: how many workers a run has.
        feeders: loaders that an engine alone gets, whose frames are remembered.
    """

    loaders: Tuple[int, ...]
    streams: Tuple[int, ...]
    batch_sizes: Tuple[int, ...]
    devices: int
    feeders: int


class Choice(NamedTuple):
    """The outcome.

    Attributes:
        setting: the smallest one within 2 % of the best.
        rate: its frames a second.
        best: the setting with the highest rate, and
        best_rate: that rate.
        measured: whether these rates are those of runs; else they are the bounds that the ceilings set.
    """

    setting: Setting
    rate: float
    best: Setting
    best_rate: float
    measured: bool


class Sweep:
    """The search.

    Args:
        limits: what may be tried.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rates: Dict[Step, List[float]] = {}

    def add(self, step: Step, rate: float) -> None:
        """Notes what a step came to, frames a second; 0 when it failed."""
        self._rates.setdefault(step, []).append(rate)

    def rate(self, step: Step) -> Optional[float]:
        """What a step comes to, as `settled` has it; None before its first trial."""
        rates = self._rates.get(step)
        return settled(step.kind, rates) if rates else None

    def next(self, hurry: bool = False) -> Optional[Step]:
        """The step to take now; None when the search is over.

        Args:
            hurry: time is short: no more of the ceilings than the next kind of step needs.
        """
        for find in (self._next_engine, self._next_decode):
            step = find()
            if step is not None and not (hurry and self._has(step.kind)):
                return step
        return self._next_run() or self._next_repeat()

    def open(self) -> List[str]:
        """The kinds of which some step would still be taken, given the time."""
        steps = {ENGINE: self._next_engine(), DECODE: self._next_decode(), RUN: self._next_run() or self._next_repeat()}
        # Without any run, which runs can matter cannot be known; but some do.
        return [kind for kind in KINDS if steps[kind] is not None or (kind == RUN and not self._runs())]

    def choice(self) -> Optional[Choice]:
        """The smallest setting within 2 % of the best of what was measured; None as long as nothing is known."""
        rates = self._runs()
        measured = bool(rates)
        if not measured:
            rates = {setting: bound for setting, bound in self._bounds().items() if self._decode(setting.loaders)}
        if not rates:
            return None
        best = max(rates, key=lambda setting: (rates[setting], [-part for part in setting]))
        smallest = min(setting for setting in rates if rates[setting] >= (1 - WITHIN) * rates[best])
        return Choice(smallest, rates[smallest], best, rates[best], measured)

    # --- ceilings

    def engine_step(self, streams: int, batch_size: int) -> Step:
        """The step that measures the engine alone."""
        return Step(ENGINE, Setting(self._limits.feeders, streams, batch_size))

    def decode_step(self, loaders: int) -> Step:
        """The step that measures loaders alone."""
        return Step(DECODE, Setting(loaders, self._limits.streams[0], self._limits.batch_sizes[0]))

    def _next_engine(self) -> Optional[Step]:
        best = 0.0
        for streams in self._limits.streams:
            best_here, best_step = 0.0, self.engine_step(streams, self._limits.batch_sizes[0])
            for batch_size in self._limits.batch_sizes:
                step = self.engine_step(streams, batch_size)
                rate = self.rate(step)
                if rate is None or self._is_doubtful(step, best_here):
                    return step
                if not _better(rate, best_here):
                    break
                best_here, best_step = rate, step
            if self._is_doubtful(best_step, best):
                return best_step
            if not _better(best_here, best):
                break
            best = best_here
        return None

    def _next_decode(self) -> Optional[Step]:
        enough = _ENOUGH * self._limits.devices * max(self._engines().values(), default=0.0)
        best = 0.0
        for loaders in self._limits.loaders:
            step = self.decode_step(loaders)
            rate = self.rate(step)
            if rate is None or self._is_doubtful(step, best):
                return step
            if not _better(rate, best) or rate >= enough:
                break
            best = rate
        return None

    def _is_doubtful(self, step: Step, less: float) -> bool:
        """Whether a ceiling was measured only once, and is below that with less of the same: it may have been disturbed."""
        rates = self._rates[step]
        return len(rates) == 1 and 0 < rates[0] < (1 - GAIN) * less

    def _has(self, kind: str) -> bool:
        return any(step.kind == kind and max(rates) > 0 for step, rates in self._rates.items())

    def _engines(self) -> Dict[Tuple[int, int], float]:
        """By streams and batch size: frames a second of one device alone."""
        steps = (step for step in self._rates if step.kind == ENGINE)
        return {(step.setting.streams, step.setting.batch_size): self.rate(step) or 0.0 for step in steps}

    def _decode(self, loaders: int) -> Optional[float]:
        return self.rate(self.decode_step(loaders))

    def _bounds(self) -> Dict[Setting, float]:
        """What each setting can reach at most; those that cannot work are left out."""
        bounds = {}
        most = 0.0
        to_come = self._next_decode()
        for loaders in self._limits.loaders:
            decode = self._decode(loaders)
            most = max(most, decode or 0.0)
            if decode is None:
                # Where more loaders were not tried, fewer were enough or as good as more; unless they are still to be tried.
                open_end = most > 0 and to_come is not None and loaders >= to_come.setting.loaders
                decode = math.inf if open_end else most
            for (streams, batch_size), engine in self._engines().items():
                bound = min(decode, self._limits.devices * engine)
                if bound > 0:
                    bounds[Setting(loaders, streams, batch_size)] = bound
        return bounds

    # --- runs

    def _runs(self) -> Dict[Setting, float]:
        """The median rate of each setting that was run and works."""
        medians = {step.setting: self.rate(step) or 0.0 for step in self._rates if step.kind == RUN}
        return {setting: rate for setting, rate in medians.items() if rate > 0}

    def _next_run(self) -> Optional[Step]:
        choice = self.choice()
        untried = {setting: bound for setting, bound in self._bounds().items() if Step(RUN, setting) not in self._rates}
        matter = {
            setting: bound
            for setting, bound in untried.items()
            if self._can_matter(setting, bound, choice) and not self._is_beyond_gain(setting)
        }
        if not matter:
            return None
        highest = max(matter.values())
        return Step(RUN, min(setting for setting, bound in matter.items() if bound >= (1 - WITHIN) * highest))

    @staticmethod
    def _can_matter(setting: Setting, bound: float, choice: Optional[Choice]) -> bool:
        """Whether a setting may be better than the best, or do as well with less."""
        if choice is None or not choice.measured:
            return True
        return _better(bound, choice.best_rate) or (
            setting < choice.setting and bound >= (1 - WITHIN) * choice.best_rate
        )

    def _is_beyond_gain(self, setting: Setting) -> bool:
        """Whether two smaller settings, which differ from it and each other in one part only, show that more is no gain."""
        ladders = {
            "loaders": self._limits.loaders,
            "streams": self._limits.streams,
            "batch_size": self._limits.batch_sizes,
        }
        for part, ladder in ladders.items():
            smaller = [setting._replace(**{part: value}) for value in ladder if value < getattr(setting, part)]
            rates = [self.rate(Step(RUN, one)) for one in smaller]
            measured = [rate for rate in rates if rate is not None]
            if any(not _better(later, earlier) for earlier, later in zip(measured, measured[1:])):
                return True
        return False

    def _next_repeat(self) -> Optional[Step]:
        rates = self._runs()
        if not rates:
            return None
        best = max(rates.values())
        close = [setting for setting, rate in rates.items() if rate >= (1 - _CLOSE) * best]
        contenders = sorted(close, key=lambda setting: (-rates[setting], setting))[:_MOST_CONTENDERS]
        if len(contenders) < 2:
            return None  # There is nothing to decide.
        counts = {setting: len(self._rates[Step(RUN, setting)]) for setting in contenders}
        setting = min(contenders, key=lambda contender: (counts[contender], contender))
        return Step(RUN, setting) if counts[setting] < REPEATS else None


def settled(kind: str, rates: Sequence[float]) -> float:
    """What all trials of a step together say, frames a second: of a ceiling the highest rate, of a run the median."""
    return statistics.median(rates) if kind == RUN else max(rates)


def _better(rate: float, than: float) -> bool:
    """Whether a rate is higher, and by more than noise."""
    return rate > than * (1 + GAIN)
