"""What a folder tells of its run: gathered from it alone, while the run goes on or after, in bounded time and memory."""

from __future__ import annotations

import collections
import datetime
import time
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ..errors import ImageListError
from ..imagelist import ImageList
from ..ledger import Progress, replay, standing_failures
from ..messages import WorkerStats
from ..monitor.facts import WorkerFacts, make_facts
from ..monitor.sample import HostSample, Sample
from ..monitor.status import Status, read_object, status
from ..monitor.verdict import verdict
from ..runfolder import RunFolder
from ..runrecord import RunRecord, read_run_record
from .failures import FailureFigures, survey_failures
from .figures import METRICS, PROGRESS, SUMMARY, Figures, StartFigures, Worker, make_figures, workers_of
from .metrics import Metrics, read_some
from .survey import Survey, survey_results
from .timeline import Timeline, make_timeline


class Evidence(NamedTuple):
    """What is known of a run.

    Attributes:
        folder: where.
        time: when it was gathered, seconds since 1970.
        status: how it stands.
        record: what runs.
        versions: of divainfer and Python, and the host, as `run.json` has them.
        figures: what its starts did.
        timeline: over time; None without samples.
        metrics: the samples.
        host: the machine, by the last sample that has it; None without.
        verdict: the sentence that says what bounds it; "" while nothing tells.
        failures: what failed.
        survey: what was found.
        notes: sentences on what is missing, and why.
    """

    folder: RunFolder
    time: float
    status: Status
    record: RunRecord
    versions: Dict[str, str]
    figures: Figures
    timeline: Optional[Timeline]
    metrics: Metrics
    host: Optional[HostSample]
    verdict: str
    failures: FailureFigures
    survey: Survey
    notes: List[str]


def gather(out: str) -> Evidence:
    """Reads what a report says.

    Args:
        out: the output folder.

    Raises:
        OutputError: when the folder holds no run.
    """
    folder = RunFolder(out)
    found = status(out)
    record = read_run_record(folder)
    progress = replay(folder.ledger, record.listing.count)
    metrics = read_some(folder.metrics)
    notes: List[str] = []
    starts = _starts(folder, record, metrics)
    timeline = make_timeline(metrics.starts) if metrics.starts else None
    failures, survey = _surveyed(folder, record, found, progress, notes)
    notes += _notes(metrics, starts)
    return Evidence(
        folder=folder,
        time=time.time(),
        status=found,
        record=record,
        versions=_versions(folder),
        figures=make_figures(starts, metrics.starts, timeline),
        timeline=timeline,
        metrics=metrics,
        host=next((sample.host for sample in _backwards(metrics) if sample.host is not None), None),
        verdict=_verdict(found, record, starts, metrics),
        failures=failures,
        survey=survey,
        notes=notes,
    )


def _surveyed(
    folder: RunFolder, record: RunRecord, found: Status, progress: Progress, notes: List[str]
) -> Tuple[FailureFigures, Survey]:
    try:
        images = ImageList(folder.list, folder.index)
        if len(images) != record.listing.count:
            images.close()
            raise ImageListError("{}: it is not the list of this run.".format(folder.list))
    except ImageListError as error:
        notes.append("Neither results nor failures were looked at: {}".format(error))
        kinds = FailureFigures([], 0, found.failures)
        return kinds, Survey(0, found.results, 0, {}, [], 0, 0, [])
    try:
        counts = dict(found.failure_kinds)
        failures = survey_failures(standing_failures(folder.ledger, progress), counts, images)
        return failures, survey_results(folder, record, images, progress)
    finally:
        images.close()


def _starts(folder: RunFolder, record: RunRecord, metrics: Metrics) -> List[StartFigures]:
    """One entry a start: by samples, and the last one by its summary, which is the workers' last word."""
    on_gpu = {str(device.get("label")): bool(device.get("on_gpu")) for device in record.devices}
    starts = [
        StartFigures(samples[-1].start, samples[-1].seconds, workers_of(samples[-1], on_gpu), METRICS)
        for samples in metrics.starts
    ]
    began = _seconds_of(record.started)
    last = _last_start(folder, began or 0.0, on_gpu)
    if last is None:
        return starts
    # `run.json` is written before the first sample is taken.
    sampled = starts and metrics.starts[-1][-1].start >= (began or 0.0)
    if sampled and last.source == PROGRESS:
        return starts  # A sample says the same, and more.
    if sampled:
        times = {worker.number: worker.times for worker in starts[-1].workers}
        workers = tuple(worker._replace(times=times.get(worker.number, {})) for worker in last.workers)
        starts[-1] = last._replace(began=starts[-1].began, workers=workers)
    elif last.workers:
        starts.append(last._replace(began=began))
    return starts


def _last_start(folder: RunFolder, began: float, on_gpu: Dict[str, bool]) -> Optional[StartFigures]:
    """The last start by `summary.json`, or while there is none by `progress.json`; None where neither tells."""
    for path, source in ((folder.summary, SUMMARY), (folder.progress, PROGRESS)):
        plain = read_object(path)
        if source == PROGRESS and plain.get("time", 0.0) < began:
            continue  # That of an earlier start.
        try:
            workers = tuple(_worker(number, worker, on_gpu) for number, worker in enumerate(plain["workers"]))
            return StartFigures(None, float(plain["seconds"]), workers, source)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return None


def _worker(number: int, plain: Dict[str, Any], on_gpu: Dict[str, bool]) -> Worker:
    stats = {name: value for name, value in plain["stats"].items() if name in WorkerStats._fields}
    device = str(plain["device"])
    return Worker(
        number,
        device,
        on_gpu.get(device, device != "CPU"),
        int(plain["restarts"]),
        int(plain.get("loaders") or stats.get("loaders", 0)),
        WorkerStats(**stats),
        description=str(plain.get("description", "")),
    )


def _verdict(found: Status, record: RunRecord, starts: Sequence[StartFigures], metrics: Metrics) -> str:
    """The run's own verdict; of one that was killed, or did nothing in its last start, that of the last start at work."""
    if found.verdict:
        return str(found.verdict.get("sentence", ""))
    at_work = next((start for start in reversed(starts) if any(worker.stats.batches for worker in start.workers)), None)
    cores = next((sample.host.cores for sample in _backwards(metrics) if sample.host is not None), 0.0)
    if at_work is None or not cores:
        return ""
    facts = [WorkerFacts(worker.device, worker.on_gpu, worker.loaders, worker.stats) for worker in at_work.workers]
    try:
        return verdict(make_facts(facts, cores, at_work.seconds, record.config)).sentence
    except (KeyError, TypeError):
        return ""  # An option of another version.


def _notes(metrics: Metrics, starts: Sequence[StartFigures]) -> List[str]:
    notes = []
    if not metrics.starts:
        notes.append(
            "There is no metrics.jsonl with samples in this run (it is of an older version, or could not be written): nothing "
            "is known over time or of latencies, and of several starts only the last one counts."
        )
    elif metrics.read < metrics.found:
        text = "Charts and medians are of {:,} samples out of {:,}, spread evenly over each start; sums are exact."
        notes.append(text.format(metrics.read, metrics.found))
    if metrics.left_out:
        notes.append(
            "{:,} earlier starts are left out: the latest {:,} count.".format(metrics.left_out, len(metrics.starts))
        )
    without = [start for start in starts if start.source != METRICS]
    if metrics.starts and len(starts) > len(metrics.starts) and without:
        notes.append("The last start has no samples: its figures are those of {}.".format(without[-1].source))
    missing = [sample.gpus_missing for samples in metrics.starts for sample in samples if sample.gpus_missing]
    if missing:
        text = "The GPUs could not be sampled in {:,} of {:,} samples: {}"
        notes.append(text.format(len(missing), metrics.read, collections.Counter(missing).most_common(1)[0][0]))
    return notes


def _backwards(metrics: Metrics) -> Iterator[Sample]:
    for samples in reversed(metrics.starts):
        yield from reversed(samples)


def _versions(folder: RunFolder) -> Dict[str, str]:
    plain = read_object(folder.run)
    return {name: str(plain[name]) for name in ("divainfer", "python", "host") if name in plain}


def _seconds_of(started: str) -> Optional[float]:
    """Seconds since 1970 out of ISO 8601."""
    try:
        return datetime.datetime.strptime(started, "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except ValueError:
        return None
