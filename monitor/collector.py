"""The latest sample as Prometheus's own kind of metrics, under the names of `names.py`."""

from __future__ import annotations

import itertools
from typing import Any, Callable, Iterable, Iterator, List, Optional, Sequence, Tuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from ..histogram import BOUNDS
from .names import COUNTER, GPUS, HISTOGRAM, HOST, LABELS, METRICS, ROLES, RUN, WORKERS, Metric
from .sample import GpuSample, Sample

_Record = Tuple[Any, List[str]]


class SampleCollector:
    """Asked for its metrics at each scrape.

    Args:
        latest: the latest sample; None while there is none.
    """

    def __init__(self, latest: Callable[[], Optional[Sample]]) -> None:
        self._latest = latest

    def describe(self) -> Iterator[Any]:
        """The metrics without their figures."""
        return map(_family, METRICS)

    def collect(self) -> Iterator[Any]:
        """The metrics; those that nobody measures here are left out."""
        sample = self._latest()
        if sample is None:
            return
        records = {of: list(_records(sample, of)) for of in (RUN, WORKERS, GPUS, HOST, ROLES)}
        for metric in METRICS:
            family = _family(metric)
            for record, labels in records[metric.of]:
                _add(family, metric, record, labels)
            if family.samples:
                yield family


def _family(metric: Metric) -> Any:
    kinds = {COUNTER: CounterMetricFamily, HISTOGRAM: HistogramMetricFamily}
    return kinds.get(metric.kind, GaugeMetricFamily)(metric.name, metric.help + ".", labels=LABELS[metric.of])


def _records(sample: Sample, of: str) -> Iterator[_Record]:
    """Each record of a kind, with its labels' values."""
    if of == RUN:
        yield sample, []
    elif of == WORKERS:
        for worker in sample.workers:
            yield worker, [str(worker.number), _text(worker.device), _text(worker.uuid)]
    elif of == GPUS:
        for gpu in sample.gpus:
            yield gpu, _gpu_labels(sample, gpu)
    elif sample.host is not None and of == HOST:
        yield sample.host, []
    elif sample.host is not None:
        for role, figures in sorted(sample.host.roles.items()):
            yield figures, [_text(role)]


def _gpu_labels(sample: Sample, gpu: GpuSample) -> List[str]:
    """Those of the worker that computes on it, so that both can be joined."""
    for worker in sample.workers:
        if worker.uuid == gpu.uuid:
            return [str(worker.number), _text(worker.device), _text(gpu.uuid)]
    return ["", _text("GPU {} ({})".format(gpu.index, gpu.name)), _text(gpu.uuid)]


def _add(family: Any, metric: Metric, record: Any, labels: Sequence[str]) -> None:
    value = _field(record, metric.field)
    if metric.kind == HISTOGRAM:
        total = _field(record, metric.sum) if metric.sum else None
        family.add_metric(labels, list(_buckets(value or ())), total)
    elif metric.when is not None:
        family.add_metric(labels, float(value == metric.when))
    elif isinstance(value, (list, tuple)):
        family.add_metric(labels, float(len(value)))
    elif value is not None:
        family.add_metric(labels, metric.factor * value)


def _field(record: Any, path: str) -> Any:
    for name in path.split("."):
        record = record.get(name) if isinstance(record, dict) else getattr(record, name)
    return record


def _buckets(counts: Iterable[int]) -> Iterator[Tuple[str, float]]:
    """Upper bounds as text, and how many durations there are up to each."""
    seen = 0
    for bound, count in itertools.zip_longest([*map(repr, BOUNDS), "+Inf"], counts, fillvalue=0):
        seen += int(count)
        yield str(bound), float(seen)


def _text(value: str) -> str:
    # Labels are UTF-8, whatever a driver or a command line says.
    return value.encode("utf-8", "replace").decode("utf-8")
