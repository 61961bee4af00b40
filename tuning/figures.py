"""What a tuning has measured, put in order: a row a step, and what it was measured on."""

from __future__ import annotations

import platform
import statistics
import time
from typing import Any, Dict, List, NamedTuple, Sequence

from .. import __version__
from ..dispatcher.plan import Plan
from ..machine import usable_cores
from .sweep import KINDS, RUN, Step, settled
from .trial import Trial


class Row(NamedTuple):
    """All trials of one step. Rates in frames a second.

    Attributes:
        step: what was tried.
        trials: those that worked, as they came; empty when none did.
        error: why the last one failed that did.
    """

    step: Step
    trials: Sequence[Trial]
    error: str

    @property
    def rate(self) -> float:
        """The rate that counts (`sweep.settled`); 0 when no trial worked."""
        return settled(self.step.kind, [trial.rate for trial in self.trials]) if self.trials else 0.0

    @property
    def spread(self) -> str:
        """The lowest and the highest rate; "" of a single trial."""
        rates = [trial.rate for trial in self.trials]
        return "{:.1f} - {:.1f}".format(min(rates), max(rates)) if len(rates) > 1 else ""

    def figure(self, name: str) -> float:
        """One of the trials' `Figures`: of a ceiling that of the fastest trial, of a run the median."""
        if self.step.kind != RUN:
            return float(getattr(max(self.trials, key=lambda trial: trial.rate).figures, name))
        return float(statistics.median(getattr(trial.figures, name) for trial in self.trials))


def rows(trials: Sequence[Trial]) -> List[Row]:
    """A row a step, by kind: the ceilings from the smallest setting on, the runs from the fastest on."""
    found: List[Row] = []
    for step in sorted({trial.step for trial in trials}, key=lambda step: (KINDS.index(step.kind), step.setting)):
        own = [trial for trial in trials if trial.step == step]
        errors = [trial.error for trial in own if trial.error]
        found.append(Row(step, tuple(trial for trial in own if trial.figures), errors[-1] if errors else ""))
    ceilings = [row for row in found if row.step.kind != KINDS[-1]]
    runs = [row for row in found if row.step.kind == KINDS[-1]]
    return ceilings + sorted(runs, key=lambda row: -row.rate)


def describe_machine(plan: Plan) -> Dict[str, Any]:
    """What is measured on, as plain values."""
    labels = [device.label for device in plan.devices]
    return {
        "devices": labels,
        "cores": usable_cores(),
        "processor": _processor(),
        "python": platform.python_version(),
        "divainfer": __version__,
        "date": time.strftime("%Y-%m-%d %H:%M"),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        models = []
    return models[0] if models else platform.machine()
