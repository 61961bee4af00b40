"""A run, seen from outside: what its folder shows of it, while it goes on or after."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

from ..config import RunConfig, to_json
from ..lock import holder
from ..ownerfile import Owner
from ..runfolder import RunFolder
from ..runrecord import read_run_record
from .madesamples import sample_of_live, sample_of_summary
from .metricslog import read_metrics, starts
from .sample import Sample
from .status import read_live, read_object, state_at_work, status
from .tail import MetricsTail
from .view import Standing, View, make_view

#: A sampler that has said nothing for so long, though its dispatcher has, has given up.
_STALE_SECONDS = 30.0
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
        self._ended: Optional[View] = None

    def look(self, points: int = 120) -> View:
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
        measured = self._tail.read()
        # Those of an earlier start are not this one's: until its first turn a dispatcher reads lists and ledgers.
        if not measured or measured[-1].start < owner.since or now - measured[-1].time > _STALE_SECONDS:
            measured = self._made
        state = state_at_work(live, silent)
        return make_view(measured, Standing(self._folder.out, state, self._config, self._images), points)

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
        summary = sample_of_summary(read_object(self._folder.summary))
        measured = _last_start(self._folder.metrics)
        if summary is not None and (not measured or len(measured[-1].workers) < len(summary.workers)):
            measured = [summary]
        return make_view(measured, standing, points)


def view(out: str) -> View:
    """What is to be seen of a run now, or of its last start when it is over; `divainfer monitor --once` shows the same.

    Args:
        out: the output folder.

    Raises:
        OutputError: when the folder holds no run.
    """
    return Watched(out).look()


def _last_start(path: str) -> Sequence[Sample]:
    """The samples of the last start in a file, thinned; its last sample has the sums, so that they lose nothing."""
    found = starts(read_metrics(path))
    if not found:
        return []
    samples = found[-1]
    every = -(-len(samples) // _MOST)
    return samples[:-1:every] + samples[-1:]
