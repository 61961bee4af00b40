"""Which charts a report has: of one run, and of two in the same axes."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..histogram import BOUNDS
from ..monitor.sample import COMPUTE, DECODE, WRITE
from . import charts
from .charts import Bars, Line
from .evidence import Evidence
from .figures import STATES
from .markup import shown
from .survey import SCORE_BINS
from .timeline import ALL_PROGRAMS, Curve, Timeline, Values, worker_name

#: Classes with bars of their own; the others are one.
_MOST_CLASSES = 20
_MOST_WORKERS = 32
#: Histograms: what they are called, what they count.
LATENCIES = {
    DECODE: ("Reading, decoding and resizing an image", "images"),
    COMPUTE: ("Computing a batch", "batches"),
    WRITE: ("Writing a result", "results"),
}


class Chart(NamedTuple):
    """A chart with its heading and what is to be known of it."""

    title: str
    caption: str
    svg: str


class Run(NamedTuple):
    """A run with the name that it has in the charts."""

    name: str
    evidence: Evidence


def throughput(runs: Sequence[Run]) -> List[Chart]:
    """Results a second over time."""
    found = [
        Line("frames/s" if len(runs) == 1 else run.name, run.evidence.timeline.times, run.evidence.timeline.frames)
        for run in runs
        if run.evidence.timeline
    ]
    if not found:
        return []
    return [Chart("Throughput", "Results a second, all workers together.", _lines(found, "frames/s", runs))]


def over_time(runs: Sequence[Run]) -> List[Chart]:
    """Busy shares and queues."""
    busy = "Share of the time in which each engine computed; what it waits for is in the time split."
    queue = "Decoded frames waiting, as a share of the places. Empty means that loaders cannot keep up."
    return _charts(
        runs,
        [
            ("Busy", busy, "% busy", "busy", 1.0, True),
            ("Queue fill", queue, "% filled", "queue", 1.0, True),
        ],
    )


def gpus(runs: Sequence[Run]) -> List[Chart]:
    """What the driver says of the GPUs."""
    return _charts(
        runs,
        [
            (
                "GPU utilisation",
                "As the driver says: a kernel was running.",
                "% utilised",
                "gpu_utilisation",
                1.0,
                True,
            ),
            ("GPU memory", "In use by all processes.", "GiB", "gpu_memory", None, False),
            ("GPU power", "", "watts", "gpu_power", None, False),
            ("GPU temperature", "", "°C", "gpu_temperature", None, False),
        ],
    )


def machine(runs: Sequence[Run]) -> List[Chart]:
    """CPU and memory by role."""
    cpu = "Cores in use by this run's processes, by role, and by all programs of the machine."
    memory = "By role, shared pages counted in part; and what all programs of the machine have."
    of_all = "Of all programs of the machine."
    several = len(runs) > 1
    found = []
    for title, caption, unit, name in (("CPU", cpu, "cores", "cpu"), ("Memory", memory, "GiB", "memory")):
        if several:
            lines = [
                Line(run.name, run.evidence.timeline.times, curve.values)
                for run in runs
                if run.evidence.timeline
                for curve in getattr(run.evidence.timeline, name)
                if curve.label == ALL_PROGRAMS
            ]
        else:
            lines = _curves(runs[0], name)
        if lines:
            found.append(Chart(title, of_all if several else caption, _lines(lines, unit, runs)))
    return found


def time_split(runs: Sequence[Run]) -> List[Chart]:
    """What each worker's time went to; of two runs, all workers together."""
    caption = "busy: the engine computes. starved: it waits for frames. blocked: for the writer. idle: it has no image."
    if len(runs) > 1:
        rows = [Bars(run.name, [run.evidence.figures.share(state) for state in STATES]) for run in runs]
        return [Chart("Time split", caption, charts.stacked(rows, STATES))]
    workers = [worker for worker in runs[0].evidence.figures.workers if worker.stats.span]
    rows = [
        Bars(shown(worker_name(worker.number, worker.device)), [worker.shares[state] for state in STATES])
        for worker in workers[:_MOST_WORKERS]
    ]
    if len(workers) > _MOST_WORKERS:
        caption += " The first {} of {} workers.".format(_MOST_WORKERS, len(workers))
    return [Chart("Time split", caption, charts.stacked(rows, STATES))] if rows else []


def latencies(runs: Sequence[Run]) -> List[Chart]:
    """How long decoding, computing and writing took."""
    found = []
    for name, (title, unit) in LATENCIES.items():
        several = [(run.name, run.evidence.figures.times(name)) for run in runs]
        several = [(label, counts) for label, counts in several if counts]
        if several:
            found.append(Chart(title, "", charts.histogram(several, BOUNDS, unit)))
    return found


def detections(runs: Sequence[Run]) -> List[Chart]:
    """What was found, by class and by score, for each image that was looked at."""
    surveys = [(run.name, run.evidence.survey) for run in runs if run.evidence.survey.detections]
    if not surveys:
        return []
    totals: Dict[str, int] = {}
    for _, survey in surveys:
        for name, count in survey.classes.items():
            totals[name] = totals.get(name, 0) + count
    names = sorted(totals, key=lambda name: (-totals[name], name))
    shown_names, others = names[:_MOST_CLASSES], names[_MOST_CLASSES:]
    by_class: List[Tuple[str, List[float]]] = []
    by_score: List[Tuple[str, List[float]]] = []
    for label, survey in surveys:
        values = [survey.classes.get(name, 0) / survey.images for name in shown_names]
        if others:
            values.append(sum(survey.classes.get(name, 0) for name in others) / survey.images)
        by_class.append((label, values))
        by_score.append((label, [count / survey.images for count in survey.scores]))
    labels = [shown(name) for name in shown_names] + (["{} other classes".format(len(others))] if others else [])
    bins = "{} bins of {:g}.".format(SCORE_BINS, 1 / SCORE_BINS)
    return [
        Chart("Detections by class", "", charts.counts(labels, by_class, "detections an image")),
        Chart("Detections by score", bins, charts.columns(by_score, 0.0, 1.0, "detections an image", "score")),
    ]


def _charts(runs: Sequence[Run], wanted: Sequence[Tuple[str, str, str, str, Optional[float], bool]]) -> List[Chart]:
    """A chart for each curve of the timelines; of two runs, the mean over their workers or GPUs."""
    found = []
    for title, caption, unit, name, top, percent in wanted:
        if len(runs) > 1:
            lines = [_mean_line(run, name) for run in runs if run.evidence.timeline]
            lines = [line for line in lines if line.values]
            caption = "Mean over {}.".format("the GPUs" if name.startswith("gpu") else "the workers")
        else:
            lines = _curves(runs[0], name)
        if lines:
            found.append(Chart(title, caption, _lines(lines, unit, runs, top, percent)))
    return found


def _curves(run: Run, name: str) -> List[Line]:
    timeline = run.evidence.timeline
    curves: List[Curve] = getattr(timeline, name) if timeline else []
    return [Line(shown(curve.label), timeline.times, curve.values) for curve in curves] if timeline else []


def _mean_line(run: Run, name: str) -> Line:
    timeline = run.evidence.timeline
    assert timeline is not None
    curves: List[Curve] = getattr(timeline, name)
    means: Values = []
    for moment in zip(*(curve.values for curve in curves)):
        known = [value for value in moment if value is not None]
        means.append(sum(known) / len(known) if known else None)
    return Line(run.name, timeline.times, means)


def _lines(
    found: Sequence[Line], unit: str, runs: Sequence[Run], top: Optional[float] = None, percent: bool = False
) -> str:
    """Where one run began several times, that is marked."""
    timeline: Optional[Timeline] = runs[0].evidence.timeline if len(runs) == 1 else None
    return charts.lines(found, unit, top, percent, timeline.begins[1:] if timeline else ())
