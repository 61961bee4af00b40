"""One trial: a short real run in a folder of its own, ended once its steady state has been seen for long enough."""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from typing import List, NamedTuple, Optional, Sequence

from ..config import RunConfig
from ..dispatcher.crew import Crew
from ..dispatcher.plan import Plan, make_plan
from ..dispatcher.start import Start
from ..engines import EMULATED
from ..errors import RunFailed
from ..imagelist import ImageListWriter, Listing
from ..monitor.display import NONE
from ..naming import FULL, JSONL, Naming
from ..runfolder import RunFolder
from .sweep import DECODE, ENGINE, Setting, Step
from .window import Figures, Window, figures

#: The part of a trial's seconds that its first batches get besides, and at most so many.
_WARM_UP_SHARE, _MOST_WARM_UP = 0.4, 2.0
#: After so many failures without a single result there will be none.
_HOPELESS = 200


class Trial(NamedTuple):
    """What became of a step.

    Attributes:
        step: what was tried.
        figures: what was measured; None when it failed.
        error: why it failed; "" when it did not.
        failures: images that could not be computed.
        wall: seconds it took, the engine's start included.
    """

    step: Step
    figures: Optional[Figures]
    error: str
    failures: int
    wall: float

    @property
    def rate(self) -> float:
        """Frames a second; 0 when it failed."""
        return self.figures.frames_per_second if self.figures else 0.0


class Outcome(NamedTuple):
    """How a trial ended.

    Attributes:
        figures: what was measured; None when nothing was computed.
        done: images that have a result or a failure.
        failures: images that could not be computed.
        interrupted: whether the operator wants to stop.
        cut: whether time was up before the steady state had been seen for long enough.
    """

    figures: Optional[Figures]
    done: int
    failures: int
    interrupted: bool
    cut: bool


def trial_config(plan: Plan, step: Step) -> RunConfig:
    """What a step runs: the user's own options, but for what it is about.

    Args:
        plan: of the user's options.
        step: what is tried.
    """
    config = _with(plan.config, step.setting)
    if step.kind == ENGINE:
        # The same few images again and again: with a file for each, every result would replace an earlier one.
        return dataclasses.replace(config, format=JSONL)
    if step.kind == DECODE:
        return dataclasses.replace(
            config,
            engine=EMULATED,
            model="",
            class_list="",
            classes=(),
            gpus="cpu:{}".format(len(plan.devices)),
            short_edge_size=plan.short_edge_size,
            max_size=plan.max_size,
        )
    return config


def run_trial(
    config: RunConfig,
    images: Sequence[bytes],
    root: bytes,
    folder: str,
    seconds: float,
    until: float,
    workers: Optional[int] = None,
    remember: int = 0,
) -> Outcome:
    """Runs a trial.

    Args:
        config: what to run; its images and output folder do not count.
        images: absolute paths below `root`, more than the trial will need.
        root: the folder they have in common.
        folder: where it runs; made for it, and removed.
        seconds: how long the steady state is looked at.
        until: when the trial ends at the latest (`time.monotonic`, seconds).
        workers: how many of the devices are used; None for all.
        remember: frames a loader keeps.

    Raises:
        DivaInferError: as `divainfer.run`.
    """
    plan = make_plan(config)
    run_folder = RunFolder(folder)
    windows = [_window(seconds) for _ in plan.devices[:workers]]
    over = cut = False
    lost = ""

    def watch(crews: Sequence[Crew]) -> bool:
        nonlocal over, cut, lost
        if over:
            return True  # What is said while the workers end is no steady state.
        for window, crew in zip(windows, crews):
            window.note(crew.stats)
        lost = next((crew.reason for crew in crews if not crew.alive and crew.reason), "")
        seen = all(window.complete for window in windows)
        failures = sum(crew.stats.failures for crew in crews)
        hopeless = failures >= _HOPELESS and not any(crew.stats.images for crew in crews)
        cut = not seen and time.monotonic() >= until
        over = bool(seen or hopeless or cut or lost)
        return over

    try:
        os.makedirs(run_folder.logs)
        os.makedirs(run_folder.parts)
        listing = _write_list(images, root, run_folder)
        summary = Start(
            plan, run_folder, listing, _say_nothing, workers=workers, progress=NONE, remember=remember, watch=watch
        ).run()
    except OSError as error:
        raise RunFailed("{}: a trial cannot be run there ({}).".format(folder, error.strerror or error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if lost:
        raise RunFailed("A worker was lost: {}.".format(lost.rstrip(".")))
    return Outcome(figures(windows), summary.results + summary.failures, summary.failures, summary.interrupted, cut)


def _with(config: RunConfig, setting: Setting) -> RunConfig:
    return dataclasses.replace(
        config,
        loaders=setting.loaders,
        streams=setting.streams,
        batch_size=setting.batch_size,
        retry="none",
        # Its figures are `watch`'s, and its folder goes.
        sample_every=0.0,
        # A trial that the operator stops has nothing to finish.
        grace=0.0,
    )


def _window(seconds: float) -> Window:
    return Window(min(_MOST_WARM_UP, _WARM_UP_SHARE * seconds), seconds)


def _write_list(images: Sequence[bytes], root: bytes, folder: RunFolder) -> Listing:
    writer = ImageListWriter(folder.list, folder.index)
    try:
        writer.add(images)
    finally:
        digest = writer.close()
    notes: List[str] = []
    return Listing(writer.count, digest, Naming(FULL, root), notes, "")


def _say_nothing(sentence: str) -> None:
    """What a run says of disk space and the like is about the whole of it, not about a trial."""
