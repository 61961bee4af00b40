"""What a tuning leaves: all trials as JSON, and the chosen setting as TOML for `divainfer run --config`."""

from __future__ import annotations

import os
from typing import Any, Container, Dict, List, NamedTuple, Optional, Sequence, Tuple

import tomli_w

from ..config import AUTO, FIELDS, RunConfig, lasting, option_name
from ..dispatcher.plan import Plan
from ..errors import ConfigError, OutputError, RunFailed
from ..runfolder import write_json
from .figures import rows
from .sweep import DECODE, ENGINE, RUN, Choice, Step
from .trial import Trial

#: Options that are about one run, not about how it runs.
_NOT_KEPT = ("images", "out", "frame_step", "retry", "force", "progress")
_SUFFIX = ".toml"


class Tuned(NamedTuple):
    """The outcome, complete or not.

    Attributes:
        plan: of the user's options.
        machine: what it was measured on.
        trials: as they came.
        choice: the setting found; None when too little was measured.
        missing: what was not measured, in words.
        interrupted: whether the operator stopped it.
        notes: sentences on how far the figures hold.
    """

    plan: Plan
    machine: Dict[str, Any]
    trials: Sequence[Trial]
    choice: Optional[Choice]
    missing: Tuple[str, ...]
    interrupted: bool
    notes: Tuple[str, ...]


class OutcomeFiles:
    """The files of one tuning.

    Args:
        path: of the TOML file; the others lie beside it and have its name.

    Raises:
        OutputError: when they cannot be written there.
    """

    def __init__(self, path: str) -> None:
        stem, suffix = os.path.splitext(path)
        if suffix != _SUFFIX:
            raise OutputError("--out {}: the name of a TOML file is wanted, such as tuned.toml.".format(path))
        self.toml = path
        self.json = stem + ".json"
        self.svg = stem + ".svg"
        folder = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError("--out {}: no file can be written in {}.".format(path, folder))
        for name in (self.toml, self.json, self.svg):
            if os.path.isdir(name):
                raise OutputError("--out {}: {} is a folder. Choose another name.".format(path, name))

    def write_json(self, tuned: Tuned) -> None:
        """Writes all that was measured.

        Raises:
            RunFailed: when the disk refuses.
        """
        self._try(lambda: write_json(self.json, to_json(tuned), lasting=False), self.json)

    def write_toml(self, tuned: Tuned) -> None:
        """Writes the chosen setting.

        Raises:
            RunFailed: when the disk refuses.
        """

        def write() -> None:
            part = self.toml + ".part"
            with open(part, "w", encoding="utf-8") as file:
                file.write(to_toml(tuned))
            os.replace(part, self.toml)

        self._try(write, self.toml)

    @staticmethod
    def _try(write: Any, path: str) -> None:
        try:
            write()
        except OSError as error:
            raise RunFailed("{}: it cannot be written ({}).".format(path, error.strerror or error))


def to_json(tuned: Tuned) -> Dict[str, Any]:
    """All that was measured, as plain values."""
    choice = tuned.choice
    return {
        "machine": tuned.machine,
        "options": {name: value for name, value in lasting(tuned.plan.config).items() if name not in _NOT_KEPT},
        "choice": None
        if choice is None
        else {
            "setting": choice.setting._asdict(),
            "frames_per_second": choice.rate,
            "best": choice.best._asdict(),
            "best_frames_per_second": choice.best_rate,
            "measured": choice.measured,
        },
        "complete": not tuned.missing,
        "not_measured": list(tuned.missing),
        "interrupted": tuned.interrupted,
        "notes": list(tuned.notes),
        "trials": [_trial_json(trial) for trial in tuned.trials],
    }


def to_toml(tuned: Tuned) -> str:
    """The options that `divainfer run --config` takes, with what was measured as comments."""
    assert tuned.choice is not None
    setting = tuned.choice.setting
    # What is chosen comes last, below what it was chosen for.
    kept = dict(_given(tuned.plan.config, setting._fields), **setting._asdict())
    comments = ["# " + line for line in _comments(tuned)]
    return "\n".join(comments) + "\n" + str(tomli_w.dumps(kept))


def check_options(config: RunConfig) -> None:
    """Whether the options can be written as TOML, which has no place for bytes that are not UTF-8.

    Raises:
        ConfigError: when they cannot.
    """
    for name, value in _given(config, ()).items():
        try:
            str(value).encode("utf-8")
        except UnicodeEncodeError:
            raise ConfigError(
                "{} {!r}: this is not UTF-8, so it cannot be written into a TOML file. Rename it, or make a link to it.".format(
                    option_name(name), value
                )
            )


def ceiling_lines(tuned: Tuned) -> List[str]:
    """What engine and loaders reach alone, in words."""
    lines = []
    found = rows(tuned.trials)
    engines = [row for row in found if row.step.kind == ENGINE and row.rate]
    if engines:
        best = max(engines, key=lambda row: row.rate)
        lines.append(
            "The engine alone, on one device: {:.1f} frames/s (streams {}, batch size {}).".format(
                best.rate, best.step.setting.streams, best.step.setting.batch_size
            )
        )
    decoders = [row for row in found if row.step.kind == DECODE and row.rate]
    if decoders:
        best = max(decoders, key=lambda row: row.rate)
        lines.append(
            "Loaders alone: {:.1f} frames/s (loaders {}, workers {}){}.".format(
                best.rate,
                best.step.setting.loaders,
                len(tuned.plan.devices),
                ", the most that was measured" if len(decoders) > 1 else "; other counts were not measured",
            )
        )
    return lines


def choice_line(choice: Choice) -> str:
    """The chosen setting, in words."""
    setting, best = choice.setting, choice.best
    line = "loaders {}, streams {}, batch size {}: {:.1f} frames/s".format(*setting, choice.rate)
    if not choice.measured:
        return line + " at most, by what engine and loaders reach alone; it was not run itself"
    if best == setting:
        return line + ", the best that was measured"
    return line + "; the best was {:.1f} with loaders {}, streams {}, batch size {}".format(choice.best_rate, *best)


def _comments(tuned: Tuned) -> List[str]:
    machine, choice = tuned.machine, tuned.choice
    assert choice is not None
    lines = [
        "Measured by `divainfer tune` {divainfer} on {date}.".format(**machine),
        "Machine: {}; {cores} cores ({processor}); Python {python}.".format(_counted(machine["devices"]), **machine),
        choice_line(choice)[0].upper() + choice_line(choice)[1:] + ".",
    ]
    row = next((row for row in rows(tuned.trials) if row.step == Step(RUN, choice.setting)), None)
    if row is not None and row.trials:
        lines.append(
            "Devices busy {:.1%} of the time; a frame costs {:.1f} ms of CPU; trials: {}.".format(
                row.figure("busy"), row.figure("cpu_ms"), len(row.trials)
            )
        )
    lines += ceiling_lines(tuned)
    lines += list(tuned.notes)
    if tuned.missing:
        lines.append("Not complete. Not measured: {}.".format(", ".join(tuned.missing)))
    # A device's name or a path may hold anything; a comment ends with its line.
    return [" ".join(line.split()) for line in lines]


def _counted(labels: List[str]) -> str:
    kinds = sorted(set(labels), key=labels.index)
    return ", ".join("{} x {}".format(labels.count(kind), kind) for kind in kinds)


def _given(config: RunConfig, left_out: Container[str]) -> Dict[str, Any]:
    """The options to keep that differ from their defaults, as plain values, in the order of `divainfer run --help`."""
    plain = lasting(config)
    return {
        name: plain[name]
        for name in FIELDS
        if name not in _NOT_KEPT and name not in left_out and plain[name] != _default(name)
    }


def _default(name: str) -> Any:
    field = FIELDS[name]
    if field.metadata["auto"]:
        return AUTO
    return list(field.default) if isinstance(field.default, tuple) else field.default


def _trial_json(trial: Trial) -> Dict[str, Any]:
    plain: Dict[str, Any] = {"kind": trial.step.kind}
    plain.update(trial.step.setting._asdict())
    plain.update(trial.figures._asdict() if trial.figures else {})
    plain.update(failures=trial.failures, wall_seconds=trial.wall, error=trial.error)
    return plain
