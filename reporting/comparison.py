"""Two runs side by side: what differs, and by how much."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Optional, Tuple

from ..config import option_name
from ..histogram import Histogram
from ..monitor.sample import COMPUTE, DECODE, WRITE
from . import chartset
from .chartset import Run
from .evidence import Evidence
from .figures import STATES
from .markup import code, escaped, paragraph, section, shown, table
from .page import document, figures, state_words
from .units import share_text

Number = Optional[float]


def comparison_page(first: Evidence, second: Evidence) -> str:
    """The page that compares two runs, A and B."""
    runs = [Run(label, evidence) for label, evidence in zip(labels(first, second), (first, second))]
    heads = ["", "A", "B"]
    return document(
        "{} and {}".format(runs[0].name, runs[1].name),
        [
            "<header><h1>Two runs side by side</h1></header>",
            table(heads, [
                ["folder"] + [code(run.evidence.folder.out) for run in runs],
                ["state"] + [escaped(state_words(run.evidence)) for run in runs],
                ["verdict"] + [escaped(run.evidence.verdict or "–") for run in runs],
            ]),
            _notes(runs),
            section("Figures", [_figures(first, second)]),
            section("What differs", [_differences(first, second)]),
            section("Over time", [figures(chartset.throughput(runs) + chartset.over_time(runs))]),
            section("Time split", [figures(chartset.time_split(runs))]),
            section("How long things took", [figures(chartset.latencies(runs), "narrow")]),
            section("GPUs", [figures(chartset.gpus(runs))]),
            section("Machine", [figures(chartset.machine(runs))]),
            section("Detections", [figures(chartset.detections(runs))]),
        ],
        second.time,
    )  # fmt: skip


def labels(first: Evidence, second: Evidence) -> Tuple[str, str]:
    """Names for the charts: "A: out-1", "B: out-2"."""
    a, b = (os.path.basename(evidence.folder.out) or "/" for evidence in (first, second))
    return shown("A: {}".format(a)), shown("B: {}".format(b))


def differences(first: Evidence, second: Evidence) -> List[Tuple[str, Any, Any]]:
    """What is not the same in both: name, and either one's value; None where one has no such thing."""
    found = []
    for a, b in zip(_settings(first), _settings(second)):
        for name in list(a) + [name for name in b if name not in a]:
            if a.get(name) != b.get(name):
                found.append((name, a.get(name), b.get(name)))
    return found


def compared(first: Evidence, second: Evidence) -> List[Tuple[str, str, Number, Number]]:
    """The figures of both: name, how it is written, and either one's value."""
    rows: List[Tuple[str, str, Number, Number]] = []

    def add(name: str, form: str, a: Number, b: Number) -> None:
        if a is not None or b is not None:
            rows.append((name, form, a, b))

    a, b = first.figures, second.figures
    add("results", "{:,.0f}", float(a.images), float(b.images))
    add("failures", "{:,.0f}", float(a.failures), float(b.failures))
    add("run time, s", "{:,.1f}", a.seconds, b.seconds)
    add("frames/s", "{:,.2f}", a.frames_per_second, b.frames_per_second)
    add("frames/s a worker", "{:,.2f}", a.frames_per_device, b.frames_per_device)
    add("workers", "{:,.0f}", float(a.processes), float(b.processes))
    for state in STATES:
        add(state, "%", a.share(state), b.share(state))
    add("GPU utilisation, average", "%", a.utilisation, b.utilisation)
    add("GPU utilisation, median", "%", a.utilisation_median, b.utilisation_median)
    for name, title in ((DECODE, "decoding an image"), (COMPUTE, "computing a batch"), (WRITE, "writing a result")):
        add("{}, half within ms".format(title), "{:,.2f}", *(_median(one.times(name)) for one in (a, b)))
    for name, title in (("cpu", "CPU of the workers"), ("decoding_cpu", "CPU of the loaders")):
        add("{}, s a result".format(title), "{:,.4f}", *(_each(one.total(name), one.images) for one in (a, b)))
    add("workers started again", "{:,.0f}", float(a.restarts), float(b.restarts))
    found = [_each(float(one.survey.detections), one.survey.images) for one in (first, second)]
    add("detections an image", "{:,.2f}", *found)
    return rows


def _figures(first: Evidence, second: Evidence) -> str:
    rows = []
    for name, form, a, b in compared(first, second):
        # Of shares the difference tells, of all else the ratio.
        if a is None or b is None:
            change = "–"
        elif form == "%":
            change = "{:+.1f} points".format(100 * (b - a))
        else:
            change = "× {:.3g}".format(b / a) if a else "–"
        rows.append([escaped(name), _written(form, a), _written(form, b), escaped(change)])
    return table(["", "A", "B", "B to A"], rows, [1, 2, 3])


def _written(form: str, value: Number) -> str:
    if value is None or form == "%":
        return escaped(share_text(value))
    return escaped(form.format(value))


def _differences(first: Evidence, second: Evidence) -> str:
    found = differences(first, second)
    if not found:
        return paragraph("Options, model, devices and versions are the same.")
    rows = [[escaped(name)] + [code(value) for value in (a, b)] for name, a, b in found]
    return table(["", "A", "B"], rows)


def _settings(evidence: Evidence) -> List[Dict[str, Any]]:
    record = evidence.record
    options = {option_name(name): value for name, value in record.config.items() if name != "out"}
    # Of the fingerprint what no option says.
    names = ("model", "images", "tensors", "colour_order", "detector", "classes")
    made = {"fingerprint: " + name: record.fingerprint.get(name) for name in names}
    settings = {"in use: " + name: value for name, value in record.settings.items()}
    devices = {"devices": ", ".join(str(device.get("label", "")) for device in record.devices)}
    engines = sorted({worker.description for worker in evidence.figures.workers if worker.description})
    cores = {} if evidence.host is None else {"cores": evidence.host.cores, "memory": evidence.host.memory_total}
    return [options, settings, made, dict(devices, **evidence.versions), {"engine": "; ".join(engines)}, cores]


def _notes(runs: List[Run]) -> str:
    notes = ["{}: {}".format("AB"[number], note) for number, run in enumerate(runs) for note in run.evidence.notes]
    return "\n".join(paragraph(note, "soft") for note in notes)


def _median(counts: List[int]) -> Number:
    found = Histogram(counts).quantile(0.5)
    return None if found is None else 1000 * found


def _each(total: float, count: int) -> Number:
    return total / count if count else None
