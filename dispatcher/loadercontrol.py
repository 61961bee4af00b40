"""How many loaders each worker gets with `--loaders auto`: follows how long its engine waited for frames.

Pure: no process, no clock of its own; time is what the workers' figures add up to. The rules:

1. A window is a few seconds in which the number of loaders stayed the same. Loaders that were at work for `decoding` seconds,
   while the engine computed for `busy` seconds, keep it fed when there are `decoding / busy` of them (Little's law); with a
   tenth more this is the estimate.
2. In the first windows of a worker the count goes to the estimate at once: the queue, full at first, hides that it will run
   dry. Later it grows only when the engine waited for frames, loaders were at work meanwhile, and the cores have time left for
   more. Loaders that wait for files need little of a core, so there may be more of them than cores.
3. Growth is a trial: when the next window shows fewer frames than the loaders added should bring, those without use go,
   and it is tried again only after a pause that doubles. So the count cannot swing.
4. A count far above the estimate shrinks, one at a time and slowly. If the engine waits after that, the count grows again, and
   never shrinks below it any more.
"""

from __future__ import annotations

import math
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ..messages import WorkerStats
from ..monitor.facts import ratio

#: So much waiting, as a share of the time with work, is worth a loader.
_STARVED = 0.01
#: With loaders less at work than this, the engine waits for something else: the last images, or one long video.
_AT_WORK = 0.4
_MARGIN = 1.1
#: A window's seconds. One in which the engine waited for long tells enough soon; a worker's first ones have to.
_WINDOW_SECONDS, _HUNGRY_SECONDS, _FIRST_SECONDS = 5.0, 2.0, 0.9
_HUNGRY = 0.2
_FIRST_WINDOWS = 2
#: Frames a window needs for each loader, so that one loader more shows; after the longest time fewer have to do.
_FRAMES_EACH, _LONGEST_SECONDS = 8, 30.0
#: Batches a first window needs, since they are counted whole.
_FIRST_BATCHES = 4
#: To stay, a loader has to add this share of the frames a second, or this part of what an average one gives, if that is less.
_USEFUL_SHARE, _USEFUL_PART = 0.05, 0.25
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 60.0, 600.0
_CALM_SECONDS = 30.0
#: So much of the cores is as good as all of them.
_ALL_CORES = 0.85


class Seen(NamedTuple):
    """What is seen of a crew whose worker is up.

    Attributes:
        seat: the crew's.
        label: the device's.
        worker: the worker's name; another one begins anew.
        loaders: how many there are or will shortly be.
        stats: the seat's figures.
    """

    seat: int
    label: str
    worker: str
    loaders: int
    stats: WorkerStats


class Change(NamedTuple):
    """What is to be done, and told.

    Attributes:
        seat: the crew's.
        loaders: how many it shall have; as many as it has when there is only something to tell.
        sentence: for the operator.
    """

    seat: int
    loaders: int
    sentence: str


class _Window:
    """What a crew did between two sets of its figures."""

    def __init__(self, before: WorkerStats, after: WorkerStats, loaders: int) -> None:
        differences: List[Any] = [late - early for early, late in zip(before, after)]
        gone = WorkerStats(*differences)
        self._gone = gone
        self.loaders = loaders
        self.seconds = gone.span
        working = gone.working
        #: Share of the time in which the worker had images to work on.
        self.working = ratio(working, self.seconds)
        #: Share of that in which the engine waited for frames.
        self.starved = ratio(gone.starved, working)
        #: Share of the time in which the loaders were at work.
        self.at_work = ratio(gone.decoding, self.seconds * loaders)
        #: Shares of the time at work in which they waited for files, and in which they computed.
        self.reading = ratio(gone.reading, gone.decoding)
        self.computing = min(1.0, ratio(gone.decoding_cpu, gone.decoding))
        self.frames_per_second = ratio(gone.decoded, self.seconds)
        self.frame_seconds = ratio(gone.decoding, gone.decoded)
        self.engine_seconds = ratio(gone.busy, gone.images)
        #: Cores in use: by the worker's process, and by all.
        self.worker_cores = ratio(gone.cpu, self.seconds)
        self.cores = ratio(gone.cpu + gone.decoding_cpu, self.seconds)

    @property
    def starving(self) -> bool:
        """Whether the engine waited for frames longer than is worth speaking of."""
        return self.starved > _STARVED

    @property
    def need(self) -> float:
        """Loaders that are at work at any time when the engine never waits; 0 when nothing was computed."""
        # With an empty queue as many frames come as go. Else the queue fills or drains meanwhile, so that frames are compared.
        if self.starving:
            return ratio(self._gone.decoding, self._gone.busy)
        return ratio(self.frame_seconds, self.engine_seconds)

    def is_over(self, first: bool) -> bool:
        """Whether it is long enough to tell something."""
        if self.seconds >= _LONGEST_SECONDS:
            return True
        if first and not self.starving:
            return self.seconds >= _FIRST_SECONDS and self._gone.batches >= _FIRST_BATCHES
        enough = self._gone.decoded >= _FRAMES_EACH * (self.loaders + 1)
        soon = first or self.starved > _HUNGRY
        return enough and self.seconds >= (_HUNGRY_SECONDS if soon else _WINDOW_SECONDS)


class _Trial(NamedTuple):
    """Loaders were added: how many there were before, the frames a second they gave, and how the engine starved."""

    loaders: int
    frames_per_second: float
    starved: float

    def useful(self, window: _Window) -> int:
        """How many of the present loaders are of use, by a window after the trial."""
        if window.starved <= self.starved / 2:
            return window.loaders
        # So many as good as those before would give what all give now.
        worth = self.loaders * ratio(window.frames_per_second, self.frames_per_second)
        useful = math.ceil(worth - min(_USEFUL_PART, self.loaders * _USEFUL_SHARE))
        return max(self.loaders, min(window.loaders, useful))


class _Seat:
    """What is remembered of a crew."""

    def __init__(self) -> None:
        self.worker = ""
        self.since: Optional[WorkerStats] = None
        self.windows = 0
        self.cores: Optional[float] = None
        self.trial: Optional[_Trial] = None
        #: Growth after a trial that brought little: not before that time, and the pause after the next such trial.
        self.more_at = 0.0
        self.pause = _PAUSE_SECONDS
        #: Shrinking: since when there are too many, how many there were before the last time, and how few there may be.
        self.calm_since: Optional[float] = None
        self.shrunk_from = 0
        self.least = 1
        self.told_limit = False

    def window(self, seen: Seen) -> Optional[_Window]:
        """The window that has just ended, if one has."""
        if seen.worker != self.worker:
            self.worker, self.windows = seen.worker, 0
            self.since = self.trial = self.calm_since = self.cores = None
        if seen.stats.loaders != seen.loaders:
            # Some are still coming up, or going.
            self.since = None
            return None
        if self.since is None:
            # The first batch is no measure: engines prepare themselves in it.
            self.since = seen.stats if seen.stats.batches else None
            return None
        window = _Window(self.since, seen.stats, seen.loaders)
        if not window.is_over(self.windows < _FIRST_WINDOWS):
            return None
        self.since = seen.stats
        self.windows += 1
        self.cores = window.cores
        return window


class LoaderControl:
    """Decides for all crews of a run, which share the cores.

    Args:
        cores: what the run may use of the CPU, such as 1.5.
        most: loaders that a worker may have at most.
    """

    def __init__(self, cores: float, most: int) -> None:
        self._cores = cores
        self._most = most
        self._seats: Dict[int, _Seat] = {}
        self._told_cores = False

    def look(self, crews: Sequence[Seen]) -> List[Change]:
        """Looks at all crews whose workers are up; to be called about as often as their figures change.

        Returns:
            What to change; at most one entry a crew.
        """
        changes = []
        for seen in crews:
            seat = self._seats.setdefault(seen.seat, _Seat())
            window = seat.window(seen)
            # Without work there is nothing to learn: the end of the run is near.
            if window is not None and window.working > 0.5:
                used = window.cores + sum(self._used_by(other) for other in crews if other.seat != seen.seat)
                change = self._judge(seat, seen, window, self._free(seen, window, crews), used)
                if change is not None:
                    changes.append(change)
        return changes

    def _free(self, seen: Seen, window: _Window, crews: Sequence[Seen]) -> float:
        """Cores that are left when all loaders of this crew are at work, and the others do as they did."""
        used = window.worker_cores + seen.loaders * window.computing
        return self._cores - used - sum(self._used_by(other) for other in crews if other.seat != seen.seat)

    def _used_by(self, other: Seen) -> float:
        """Cores that a crew uses; as many as it has loaders while that was not measured."""
        seat = self._seats.get(other.seat)
        return float(other.loaders) if seat is None or seat.cores is None else seat.cores

    def _judge(self, seat: _Seat, seen: Seen, window: _Window, free: float, used: float) -> Optional[Change]:
        if not window.starving:
            seat.trial = None
            if seat.windows <= _FIRST_WINDOWS and math.ceil(window.need * _MARGIN) > seen.loaders:
                return self._grow(seat, seen, window, free, used)
            return self._shrink(seat, seen, window)
        seat.calm_since = None
        if window.at_work < _AT_WORK:
            return None
        trial, seat.trial = seat.trial, None
        if trial is not None and max(seat.least, trial.useful(window)) < seen.loaders:
            return self._take_back(seat, seen, window, trial)
        if seen.stats.span < seat.more_at:
            return None
        return self._grow(seat, seen, window, free, used)

    def _grow(self, seat: _Seat, seen: Seen, window: _Window, free: float, used: float) -> Optional[Change]:
        if seen.loaders >= self._most:
            return self._tell_limit(seat, seen, window)
        # A quarter of what a loader uses is enough to try one.
        affordable = math.floor(free / max(window.computing, 0.01) + 0.75)
        if affordable < 1:
            return self._tell_cores(seen, window, used)
        # After a trial that brought little the estimate is not to be trusted: one at a time.
        estimate = math.ceil(window.need * _MARGIN) if seat.pause == _PAUSE_SECONDS else 0
        loaders = min(max(estimate, seen.loaders + 1), self._most, seen.loaders + affordable)
        # The crews that are looked at next count on it.
        seat.cores = window.worker_cores + loaders * window.computing
        if window.starving:
            seat.trial = _Trial(seen.loaders, window.frames_per_second, window.starved)
            reason = self._why_more(window, used)
        else:
            reason = "a frame takes a loader {:.1f} ms and the engine {:.1f} ms".format(
                1e3 * window.frame_seconds, 1e3 * window.engine_seconds
            )
        if seat.shrunk_from:
            seat.least, seat.shrunk_from = max(seat.least, min(loaders, seat.shrunk_from)), 0
            reason += "; it keeps {} from now on".format(seat.least)
        return _change(seat, seen, loaders, reason)

    def _why_more(self, window: _Window, used: float) -> str:
        if window.reading > 0.5:
            return "{}, and the loaders for files {:.0f} % of their time".format(_waited(window), 100 * window.reading)
        return "{}, the loaders were at work {:.0f} % of the time, this run used {:.1f} of {:g} cores".format(
            _waited(window), 100 * min(1.0, window.at_work), used, self._cores
        )

    def _take_back(self, seat: _Seat, seen: Seen, window: _Window, trial: _Trial) -> Change:
        seat.more_at = seen.stats.span + seat.pause
        reason = "{} gave {:.1f} frames/s, {} gave {:.1f}; more are not tried again for {:.0f} s".format(
            trial.loaders, trial.frames_per_second, seen.loaders, window.frames_per_second, seat.pause
        )
        seat.pause = min(2 * seat.pause, _LONGEST_PAUSE_SECONDS)
        return _change(seat, seen, max(seat.least, trial.useful(window)), reason)

    def _shrink(self, seat: _Seat, seen: Seen, window: _Window) -> Optional[Change]:
        now = seen.stats.span
        enough = math.ceil(window.need * _MARGIN) + 1
        if window.need == 0 or seen.loaders <= max(enough, seat.least):
            seat.calm_since = None
            return None
        if seat.calm_since is None:
            seat.calm_since = now - window.seconds
        if now - seat.calm_since < _CALM_SECONDS:
            return None
        reason = "the engine hardly waited in {:.0f} s, and {} would keep up".format(now - seat.calm_since, enough)
        seat.calm_since = None
        seat.shrunk_from = seen.loaders
        return _change(seat, seen, seen.loaders - 1, reason)

    def _tell_limit(self, seat: _Seat, seen: Seen, window: _Window) -> Optional[Change]:
        if seat.told_limit or not window.starving:
            return None
        seat.told_limit = True
        sentence = (
            "{}: {}; it has {} loaders, the most that --loaders auto gives here. --loaders N may be more.".format(
                _who(seen), _waited(window), seen.loaders
            )
        )
        return Change(seen.seat, seen.loaders, sentence)

    def _tell_cores(self, seen: Seen, window: _Window, used: float) -> Optional[Change]:
        unmeasured = any(seat.cores is None for seat in self._seats.values())
        if self._told_cores or unmeasured or not window.starving or used < _ALL_CORES * self._cores:
            return None
        self._told_cores = True
        text = (
            "{}: {}, and this run uses {:.1f} of {:g} cores: nothing is left for more loaders; more cores would help."
        )
        sentence = text.format(_who(seen), _waited(window), min(used, self._cores), self._cores)
        return Change(seen.seat, seen.loaders, sentence)


def _change(seat: _Seat, seen: Seen, loaders: int, reason: str) -> Change:
    seat.since = None
    sentence = "{}: {} -> {} loaders: {}.".format(_who(seen), seen.loaders, loaders, reason)
    return Change(seen.seat, loaders, sentence)


def _waited(window: _Window) -> str:
    return "the engine waited for frames {:.0f} % of the last {:.0f} s".format(100 * window.starved, window.seconds)


def _who(seen: Seen) -> str:
    return "worker {}, {}".format(seen.seat, seen.label)
