"""A run, seen from outside: what its folder shows of it, while it goes on or after."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..config import RunConfig, to_json
from ..ledger import FAILED, RESULT, replay
from ..lock import holder
from ..ownerfile import Owner
from ..runfolder import RunFolder
from ..runrecord import read_run_record
from .madesamples import sample_of_live, sample_of_summary
from .metricslog import read_metrics
from .sample import Sample
from .status import read_live, read_object, state_at_work, status
from .tail import MetricsTail
from .view import Standing, View, make_view

#: A sampler that has said nothing for so long, though its dispatcher has, has given up; also if so many samples are missing.
_STALE_SECONDS, _STALE_SAMPLES = 30.0, 3
#: Where samples are rarer, what is shown is made of `progress.json`, which comes once a second.
_RARE_SECONDS = 2.0
#: `progress.json` and samples of one start may say by so much that it began at different moments.
_SAME_START_SECONDS = 5.0
#: Samples of a start that is over, and of one that nobody samples.
_MOST = 600


class Watched:
    """A run that is watched.

    Args:
        out: its output folder.

    Attributes:
        out: its absolute path.

    Raises:
        OutputError: when the folder holds no run.
    """

    def __init__(self, out: str) -> None:
        self._folder = RunFolder(out)
        self.out = self._folder.out
        record = read_run_record(self._folder)
        self._images = record.listing.count
        # An earlier version's run may lack options.
        self._config: Dict[str, Any] = dict(to_json(RunConfig()), **record.config)
        self._tail = MetricsTail(self._folder.metrics)
        self._made: List[Sample] = []
        #: When the present start began, and what was done before it.
        self._before: Optional[Tuple[float, int, int]] = None
        self._ended: Optional[View] = None

    def look(self, points: int = 121) -> View:
        """What is to be shown now.

        Args:
            points: steps of the history at most.

        Raises:
            OutputError: when the folder holds no run any more.
        """
        owner = holder(self._folder)
        if owner is not None:
            self._ended = None
            return self._at_work(owner, points)
        if self._ended is None:
            # Reading the ledger of a large run takes a while, and nothing changes.
            self._ended = self._over(points)
        return self._ended

    def _at_work(self, owner: Owner, points: int) -> View:
        live, silent = read_live(self._folder, owner)
        now = live.get("time", 0.0)
        sample = sample_of_live(live)
        if sample is not None and (not self._made or self._made[-1].time < sample.time):
            if self._made and self._made[-1].seconds > sample.seconds:
                self._made = []  # That was another start.
            self._made = self._made[-_MOST + 1 :] + [sample]
        elif sample is None:
            self._made = []
        samples = self._together(self._tail.read(), owner, now)
        standing = Standing(
            self._folder.out, state_at_work(live, silent), self._config, self._images, silent=silent if live else 0.0
        )
        if not samples:
            # Until its first turn a dispatcher reads lists and ledgers.
            done, failures = self._done_before(owner)
            standing = standing._replace(done=done, failures=failures)
        return make_view(samples, standing, points)

    def _together(self, measured: List[Sample], owner: Owner, now: float) -> List[Sample]:
        """What was sampled and what `progress.json` said, so that the last one is of now."""
        if not measured or measured[-1].start < owner.since:
            return self._made  # Those are of an earlier start.
        last = measured[-1]
        pause = last.seconds - measured[-2].seconds if len(measured) > 1 else 0.0
        stale = now - last.time > max(_STALE_SECONDS, _STALE_SAMPLES * pause)
        if not self._made or (pause <= _RARE_SECONDS and not stale):
            return measured
        made = list(self._made)
        if not stale:
            made[-1] = made[-1]._replace(gpus=last.gpus, gpus_missing=last.gpus_missing, host=last.host)
        return [sample for sample in measured if sample.seconds < made[0].seconds] + made

    def _done_before(self, owner: Owner) -> Tuple[int, int]:
        """Images that were done, and how many of them failed, when the present start began."""
        if self._before is None or self._before[0] != owner.since:
            progress = replay(self._folder.ledger, self._images)
            failures = progress.count(FAILED)
            self._before = owner.since, failures + progress.count(RESULT), failures
        return self._before[1:]

    def _over(self, points: int) -> View:
        found = status(self._folder.out)
        standing = Standing(
            self._folder.out,
            found.state,
            self._config,
            found.images,
            done=found.results + found.failures,
            failures=found.failures,
            error=found.error,
            verdict=found.verdict,
        )
        return make_view(self._last_start(), standing, points)

    def _last_start(self) -> Sequence[Sample]:
        """The samples of the last start; where it has none, what its summary says, or `progress.json`."""
        measured = _last_measured(self._folder.metrics)
        summary = sample_of_summary(read_object(self._folder.summary))
        live = sample_of_live(read_object(self._folder.progress))
        another = live is not None and bool(measured) and abs(measured[-1].start - live.start) > _SAME_START_SECONDS
        if measured and not another and (summary is None or len(measured[-1].workers) >= len(summary.workers)):
            return measured
        last = summary or live
        return [] if last is None else [last]


def view(out: str) -> View:
    """What is to be seen of a run now, or of its last start when it is over; `divainfer monitor --once` shows the same.

    Args:
        out: the output folder.

    Raises:
        OutputError: when the folder holds no run.
    """
    return Watched(out).look()


def _last_measured(path: str) -> Sequence[Sample]:
    """The samples of the last start in a file, thinned; its last sample has the sums, so that they lose nothing."""
    samples: List[Sample] = []
    last: Optional[Sample] = None
    every = number = 1
    for sample in read_metrics(path):
        if last is None or sample.start != last.start:
            samples, every, number = [], 1, 0
        last = sample.without_times()
        if number % every == 0:
            samples.append(last)
        number += 1
        if len(samples) > _MOST:
            samples, every = samples[::2], 2 * every
    return samples if last is None or samples[-1] is last else samples + [last]
