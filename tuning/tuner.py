"""`divainfer tune`: from a configuration to the smallest setting that is as fast as any."""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
import tempfile
import time
from typing import Callable, Dict, FrozenSet, List, Optional, Tuple

from ..config import RunConfig
from ..console import counted
from ..dispatcher.interrupts import Interrupts, signals_as_ctrl_c
from ..dispatcher.listing import write_listing
from ..dispatcher.plan import Plan, make_plan
from ..errors import DivaInferError, OutputError, RunFailed
from ..geometry import frame_bytes
from ..imagelist import ImageList
from ..machine import usable_cores
from .figures import describe_machine, rows
from .outcome import OutcomeFiles, Tuned, check_options
from .plot import draw
from .sample import Sample
from .sweep import DECODE, ENGINE, RUN, Limits, Step, Sweep
from .trial import Outcome, Trial, run_trial, trial_config

Say = Callable[[str], None]

#: A trial lists so many images, which few will see the end of.
_LISTED = 30000
#: What is remembered for the engine's ceiling: enough images for their sizes to be those of the list, in so much memory.
_REMEMBERED, _REMEMBERED_BYTES = 16, 1 << 28
_FEEDERS = 2
_MOST_LOADERS = 256
_STREAMS, _BATCH_SIZES = (1, 2, 4), (1, 2, 4, 8, 16, 32, 64)
#: After this part of the budget the ceilings have to do as they are.
_HURRY = 0.5
_MISSING = {
    ENGINE: "the engine alone with more streams or larger batches",
    DECODE: "the loaders alone, or more of them",
    RUN: "runs of further settings, or their repeats",
}


@dataclasses.dataclass(frozen=True)
class TuneOptions:
    """How to tune.

    Attributes:
        out: the TOML file to write; `.json` and `.svg` go beside it.
        seconds: how long the steady state of each trial is looked at.
        budget: seconds for all trials together.
        scratch: folder for the trials' results; "" for one above the run's `--out`, if that is given, else a temporary one.
        fixed: which of loaders, streams and batch_size stay as the configuration has them.
    """

    out: str
    seconds: float = 5.0
    budget: float = 600.0
    scratch: str = ""
    fixed: FrozenSet[str] = frozenset()


@signals_as_ctrl_c()
def tune(config: RunConfig, options: TuneOptions, say: Say) -> Tuned:
    """Measures, searches, and writes what was found.

    Args:
        config: what a run would be given; loaders, streams and batch size are searched unless they are fixed.
        options: how.
        say: takes each sentence the operator should read.

    Returns:
        The outcome, which is also in the files; complete or not.

    Raises:
        UsageError: when something given cannot be used; nothing was measured.
        DivaInferError: when the first trial of a kind fails; what was measured before is in the JSON file.
    """
    files = OutcomeFiles(options.out)
    check_options(config)
    plan = make_plan(config)
    scratch = _make_scratch(config, options.scratch)
    try:
        list_path, index_path = os.path.join(scratch, "images.lst"), os.path.join(scratch, "images.idx")
        listing = write_listing(config.images, False, list_path, index_path, frame_step=config.frame_step)
        for note in plan.notes + tuple(listing.notes):
            say(note)
        images = ImageList(list_path, index_path)
        try:
            links = os.path.join(scratch, "rounds")
            os.mkdir(links)
            sample = Sample(images, listing.naming.root, links)
            say(
                "{:,} images listed; trials that look at {:g} s of steady work each, besides the start of their processes; {} "
                "for all. Ctrl-C keeps what was measured.".format(
                    listing.count,
                    options.seconds,
                    "{:g} s".format(options.budget)
                    if options.budget < 120
                    else "{:.0f} minutes".format(options.budget / 60),
                )
            )
            return _Tuner(plan, options, sample, scratch, files, say).run()
        finally:
            images.close()
    except OSError as error:
        raise RunFailed("{}: {}.".format(scratch, error.strerror or error))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _Tuner:
    """One tuning at work."""

    def __init__(
        self, plan: Plan, options: TuneOptions, sample: Sample, scratch: str, files: OutcomeFiles, say: Say
    ) -> None:
        self._plan = plan
        self._options = options
        self._sample = sample
        self._scratch = scratch
        self._files = files
        self._say = say
        self._sweep = Sweep(limits(plan, options.fixed))
        self._machine = describe_machine(plan)
        self._trials: List[Trial] = []
        self._began = time.monotonic()
        self._interrupted = False

    def run(self) -> Tuned:
        """Takes the sweep's steps until it is over, the budget is, or the operator stops it."""
        # From here on a wish to stop is only noted, also between two trials: what was measured has to be written.
        with Interrupts() as interrupts:
            step = self._next()
            while step is not None and not self._interrupted:
                self._take(step)
                self._interrupted = self._interrupted or interrupts.count > 0
                step = self._next()
            return self._finish()

    def _next(self) -> Optional[Step]:
        spent = time.monotonic() - self._began
        longest = max((trial.wall for trial in self._trials[-3:]), default=0.0)
        if spent + longest > self._options.budget:
            return None
        return self._sweep.next(hurry=spent > _HURRY * self._options.budget)

    def _take(self, step: Step) -> None:
        began = time.monotonic()
        error, outcome = "", None
        try:
            outcome = self._run(step)
            if outcome.interrupted or outcome.cut:
                # Its figures are of a time that was too short.
                self._interrupted = outcome.interrupted
                return
            if outcome.figures is None:
                raise RunFailed(
                    "None of {:,} images could be computed; `divainfer run` and `divainfer failures` tell why.".format(
                        outcome.failures
                    )
                )
        except DivaInferError as failed:
            if not any(trial.step.kind == step.kind for trial in self._trials):
                # Nothing of this kind will work.
                if self._trials:
                    self._say("What was measured before is in {}.".format(self._files.json))
                raise
            error = str(failed)
        trial = Trial(
            step,
            outcome.figures if outcome else None,
            error,
            outcome.failures if outcome else 0,
            time.monotonic() - began,
        )
        self._trials.append(trial)
        self._sweep.add(step, trial.rate)
        self._say(progress_line(len(self._trials), trial))
        self._files.write_json(self._tuned())

    def _run(self, step: Step) -> Outcome:
        config, until = trial_config(self._plan, step), self._began + self._options.budget
        folder, seconds = os.path.join(self._scratch, "trial"), self._options.seconds
        sample = self._sample
        if step.kind == ENGINE:
            images = self._remembered()
            return run_trial(config, images, sample.root, folder, seconds, until, 1, self._remember)
        outcome = run_trial(config, sample.following(_LISTED), sample.links, folder, seconds, until)
        sample.used(outcome.done)
        return outcome

    @property
    def _remember(self) -> int:
        largest = frame_bytes(self._plan.short_edge_size, self._plan.max_size)
        return max(1, min(_REMEMBERED, _REMEMBERED_BYTES // largest))

    def _remembered(self) -> List[bytes]:
        """The same few images again and again."""
        return list(itertools.islice(itertools.cycle(self._sample.spread(self._remember)), _LISTED))

    def _tuned(self) -> Tuned:
        return Tuned(
            self._plan,
            self._machine,
            tuple(self._trials),
            self._sweep.choice(),
            self._missing(),
            self._interrupted,
            self._notes(),
        )

    def _missing(self) -> Tuple[str, ...]:
        return tuple(_MISSING[kind] for kind in self._sweep.open())

    def _notes(self) -> Tuple[str, ...]:
        notes = []
        if self._sample.used_up:
            notes.append(
                "The list is shorter than what was measured, so its images were read again and again: from memory, where a "
                "run reads them from the disk."
            )
        failures = sum(trial.failures for trial in self._trials if trial.step.kind != ENGINE)
        if failures:
            notes.append("In {} an image of the trials could not be computed.".format(counted(failures, "case")))
        if any(trial.failures for trial in self._trials if trial.step.kind == ENGINE):
            notes.append(
                "Of the {} images that the engine alone computed again and again, some cannot be computed.".format(
                    len(self._sample.spread(self._remember))
                )
            )
        return tuple(notes)

    def _finish(self) -> Tuned:
        tuned = self._tuned()
        if not self._trials:
            if not self._interrupted:
                raise RunFailed("The budget was spent before anything was measured. Give more (--budget).")
            return tuned
        self._files.write_json(tuned)
        if tuned.choice is not None:
            self._files.write_toml(tuned)
        elif os.path.exists(self._files.toml):
            self._say(
                "{}: it is of an earlier tuning and stays as it is; {} and the plot are of this one.".format(
                    self._files.toml, self._files.json
                )
            )
        try:
            draw(rows(tuned.trials), tuned.choice, len(self._plan.devices), self._files.svg)
        except OSError as error:
            raise RunFailed("{}: it cannot be written ({}).".format(self._files.svg, error.strerror or error))
        return tuned


def limits(plan: Plan, fixed: FrozenSet[str]) -> Limits:
    """What may be tried on this machine.

    Args:
        plan: of the user's options.
        fixed: which of loaders, streams and batch_size stay as the plan has them.
    """
    workers, cores = len(plan.devices), usable_cores()
    # Loaders that wait for a slow disk need no core, so there may be more of them than cores.
    most = min(_MOST_LOADERS, max(1, 2 * cores // workers))
    loaders = {2**power for power in range(9) if 2**power <= most} | {min(most, max(1, cores // workers))}
    batch_sizes: Tuple[int, ...] = _BATCH_SIZES
    if "batch_size" in fixed or plan.card.batch_size is not None:
        batch_sizes = (plan.batch_size,)
    return Limits(
        loaders=(plan.loaders,) if "loaders" in fixed and plan.config.loaders else tuple(sorted(loaders)),
        streams=(plan.config.streams,) if "streams" in fixed else _STREAMS,
        batch_sizes=batch_sizes,
        devices=workers,
        feeders=min(_FEEDERS, cores),
    )


def progress_line(number: int, trial: Trial) -> str:
    """A trial on one line."""
    kind, setting = trial.step
    what: Dict[str, str] = {
        ENGINE: "engine alone   streams {1}  batch size {2}",
        DECODE: "loaders alone  loaders {0}",
        RUN: "run            loaders {0}  streams {1}  batch size {2}",
    }
    head = "{:>3}  {:<52}".format(number, what[kind].format(*setting))
    if trial.figures is None:
        return "{}failed: {}".format(head, " ".join(trial.error.split()))
    figures = trial.figures
    busy = "" if kind == DECODE else "  busy {:6.1%}".format(figures.busy)
    return "{}{:>8.1f} frames/s{}  CPU {:.1f} ms a frame  ({:.0f} s)".format(
        head, figures.frames_per_second, busy, figures.cpu_ms, trial.wall
    )


def _make_scratch(config: RunConfig, scratch: str) -> str:
    """A folder of our own, where the results of a run would go if it can be known: writing them is a part of the truth."""
    above: Optional[str] = scratch or None
    if not scratch and config.out:
        above = os.path.abspath(config.out)
        while not os.path.isdir(above):
            above = os.path.dirname(above)
    try:
        return tempfile.mkdtemp(prefix="divainfer-tune-", dir=above)
    except OSError as error:
        raise OutputError(
            "{}: no folder for the trials can be made there ({}). Give one with --scratch.".format(
                above or tempfile.gettempdir(), error.strerror
            )
        )
