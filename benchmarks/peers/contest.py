"""The contest: every row, every contestant, round after round, in turn."""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from common import make_frames

from divainfer.machine import usable_cores

from .decoding import Decoding, measure_decoding
from .harness import ContestantFailed, Measured, environment, measure
from .task import Row, Task

CONTESTANTS = ("serial", "threads", "tfdata", "dataloader", "raydata", "mpqueue", "ours")
_ENGINE_ALONE = "remembered"

#: TensorFlow's first frames of a size take several times as long as the others.
_WARM_UP = 3
_DRAWN_FRAMES = 40
_LEAST_FRAMES = 8
_MOST_FRAMES = 20000
_DECODING_SECONDS = 1.0
#: A contestant that reaches this share of the limit is not tried with more workers.
_GOOD_SHARE = 0.97
#: More workers must be faster by this factor to be taken.
_FASTER = 1.01
_PATIENCE_SECONDS = 180.0
_PATIENCE_FACTOR = 20.0


class Trial(NamedTuple):
    """A contestant's turn.

    Attributes:
        round: from 0.
        row: of the contest.
        contestant: its module's name.
        workers: that loaded for each device; 0 where the tool chose itself.
        decoding: what pure decoding cost in this round.
        limit: frames a second that nobody can exceed: the smaller of what the devices and what pure decoding allow.
        measured: None when it failed.
        reason: why it failed.
    """

    round: int
    row: Row
    contestant: str
    workers: int
    decoding: Decoding
    limit: float
    measured: Optional[Measured]
    reason: str


def load_contestants(names: Sequence[str], say: Callable[[str], None]) -> Dict[str, Any]:
    """Name to module of those whose tools are installed; the others are named once."""
    found = {}
    for name in names:
        contestant = importlib.import_module("peers." + name)
        missing = [tool for tool in contestant.NEEDS if importlib.util.find_spec(tool) is None]
        if missing:
            say("{} is left out: {} is not installed.".format(contestant.TITLE, missing[0]))
        else:
            found[name] = contestant
    return found


class Contest:
    """Measures contestants.

    Args:
        contestants: name to module.
        seconds: how long a trial would take if the devices were fed at the limit.
        sweep: whether to look for each one's best number of workers; otherwise the cores are shared out.
        scratch: folder for frames and results.
        say: takes a line for the operator.
    """

    def __init__(
        self, contestants: Dict[str, Any], seconds: float, sweep: bool, scratch: Path, say: Callable[[str], None]
    ) -> None:
        self._contestants = contestants
        self._seconds = seconds
        self._sweep = sweep
        self._scratch = scratch
        self._say = say
        self._cores = usable_cores()
        self._environment = environment(scratch)
        self._frames: Dict[str, List[str]] = {}

    def run(self, rows: Sequence[Row], rounds: int) -> List[Trial]:
        """Runs every contestant on every row in every round."""
        trials: List[Trial] = []
        frames: Dict[Row, int] = {}
        workers: Dict[Row, Dict[str, int]] = {}
        for number in range(rounds):
            decodings: Dict[str, Decoding] = {}
            for row in rows:
                if row.size not in decodings:
                    decodings[row.size] = self._decoding(row)
                decoding = decodings[row.size]
                if row not in frames:
                    frames[row] = self._frame_count(row, decoding)
                limit = self._limit(row, frames[row], decoding)
                if row not in workers:
                    workers[row] = {
                        name: self._best_workers(name, row, frames[row], limit) for name in self._contestants
                    }
                for name in self._contestants:
                    trial = Trial(number, row, name, workers[row][name], decoding, limit, None, "")
                    trials.append(self._try(trial, frames[row]))
                    self._say(_line(trials[-1]))
        return trials

    def _decoding(self, row: Row) -> Decoding:
        return measure_decoding(
            self._list(row, _DRAWN_FRAMES), self._cores, min(_DECODING_SECONDS, self._seconds), self._environment
        )

    def _limit(self, row: Row, frames: int, decoding: Decoding) -> float:
        """Frames a second that nobody can exceed."""
        if not row.emulated:
            alone = self._measure(_ENGINE_ALONE, row, 0, frames, math.inf)
            return min(alone.frames_per_second, decoding.frames_per_second)
        if not row.busy_ms:
            return decoding.frames_per_second
        return min(1e3 * row.devices / row.busy_ms, decoding.frames_per_second)

    def _frame_count(self, row: Row, decoding: Decoding) -> int:
        """How many frames take the wanted time at the limit; as many for each device."""
        least = (_LEAST_FRAMES + (0 if row.emulated else _WARM_UP)) * row.devices
        wanted = self._seconds * self._limit(row, least, decoding)
        return row.devices * math.ceil(min(_MOST_FRAMES, max(least, wanted)) / row.devices)

    def _best_workers(self, name: str, row: Row, frames: int, limit: float) -> int:
        """The fewest workers for each device with which a contestant is at its fastest, by one trial of half the length."""
        if not self._contestants[name].SWEPT:
            return 0
        if not self._sweep:
            return max(1, self._cores // row.devices)
        # More than two for each core never helped.
        most = max(1, 2 * self._cores // row.devices)
        best, speed = 1, 0.0
        for workers in (2**power for power in range(most.bit_length())):
            try:
                tried = self._measure(name, row, workers, max(_LEAST_FRAMES * row.devices, frames // 2), limit)
            except ContestantFailed:
                continue
            if tried.frames_per_second > speed * _FASTER:
                best, speed = workers, tried.frames_per_second
            if speed > limit * _GOOD_SHARE:
                break
        return best

    def _try(self, trial: Trial, frames: int) -> Trial:
        try:
            measured = self._measure(trial.contestant, trial.row, trial.workers, frames, trial.limit)
            return trial._replace(measured=measured)
        except ContestantFailed as error:
            return trial._replace(reason=str(error))

    def _measure(self, name: str, row: Row, workers: int, frames: int, limit: float) -> Measured:
        """One trial in a folder of its own.

        Raises:
            ContestantFailed: as `measure`.
        """
        with tempfile.TemporaryDirectory(dir=str(self._scratch)) as folder:
            for name_of_folder in ("out", "notes"):
                os.mkdir(os.path.join(folder, name_of_folder))
            task = Task(
                images=self._list(row, frames),
                out=os.path.join(folder, "out"),
                notes=os.path.join(folder, "notes"),
                engine=row.engine,
                devices=row.devices,
                workers=workers,
                threads=max(1, self._cores // row.devices),
                **row.frame_sizes,
            )
            return measure(
                name,
                hasattr(self._module(name), "run"),
                task,
                self._environment,
                0 if row.emulated else _WARM_UP,
                _PATIENCE_SECONDS + _PATIENCE_FACTOR * frames / limit,
            )

    def _module(self, name: str) -> Any:
        return self._contestants.get(name) or importlib.import_module("peers." + name)

    def _list(self, row: Row, count: int) -> str:
        """Path of a list of so many images; the files are links to some different ones, since no decoder remembers."""
        folder = self._scratch / row.size
        if row.size not in self._frames:
            self._frames[row.size] = make_frames(folder, _DRAWN_FRAMES, row.width, row.height)
        paths = self._frames[row.size]
        for index in range(len(paths), count):
            paths.append(str(folder / "{:05d}.jpg".format(index)))
            os.link(paths[index % _DRAWN_FRAMES], paths[index])
        listed = self._scratch / "{}-{}.lst".format(row.size, count)
        listed.write_text("\n".join(paths[:count]))
        return str(listed)


def _line(trial: Trial) -> str:
    head = "round {}  {:<20} {:<11}".format(trial.round, str(trial.row), trial.contestant)
    if trial.measured is None:
        return "{} failed: {}".format(head, trial.reason)
    return "{} busy {:6.1%}  {:8.1f} frames/s  {:6.1%} of the limit".format(
        head,
        trial.measured.busy_share,
        trial.measured.frames_per_second,
        trial.measured.frames_per_second / trial.limit,
    )
