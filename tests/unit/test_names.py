"""The names of metrics: one for each figure of a sample, by Prometheus's rules, and no others in the dashboard."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from divainfer.histogram import Times
from divainfer.messages import WorkerStats
from divainfer.monitor.names import (
    COUNTER,
    GAUGE,
    GPUS,
    HISTOGRAM,
    HOST,
    LABELS,
    METRICS,
    ROLES,
    RUN,
    WORDS,
    WORKERS,
    series_of,
)
from divainfer.monitor.sample import GpuSample, HostSample, RoleSample, Sample, WorkerSample

DASHBOARD = Path(__file__).resolve().parents[2] / "docs" / "grafana" / "divainfer.json"
RECORDS = {RUN: Sample, WORKERS: WorkerSample, GPUS: GpuSample, HOST: HostSample, ROLES: RoleSample}
NESTED = {"stats": WorkerStats, "times": Times}


def fields(of):
    for name in RECORDS[of]._fields:
        if name in NESTED and of == WORKERS:
            yield from ("{}.{}".format(name, inner) for inner in NESTED[name]._fields)
        else:
            yield name


@pytest.mark.parametrize("of", sorted(RECORDS))
def test_each_figure_of_a_sample_has_one_name(of):
    """A new field of `sample.py` gets a metric in `names.py`, or stands among its words."""
    named = [metric.field for metric in METRICS if metric.of == of]
    assert sorted(named + list(WORDS[of])) == sorted(fields(of))


def test_sums_are_fields():
    assert {metric.sum for metric in METRICS if metric.sum} <= set(fields(WORKERS))


def test_names_follow_the_rules():
    names = [name for metric in METRICS for name in series_of(metric)]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert re.match(r"^divainfer(_[a-z]+)+$", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == COUNTER)
        assert (metric.kind == HISTOGRAM) == metric.field.startswith("times.")
        assert not re.search(r"_(ms|minutes|percent|mb|mib|mhz)(_|$)", metric.name)
        assert metric.help[0].isupper() or metric.help.startswith("1 ")
        assert not metric.help.endswith(".") and LABELS[metric.of] is not None


def test_what_can_fall_is_no_counter():
    """`--retry failed` and `verify --repair` take from what is done; `rate` would take that for a new start."""
    assert {metric.kind for metric in METRICS if metric.of == RUN} == {GAUGE}


def dashboard():
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))


def queries():
    return [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]


def test_the_dashboard_asks_for_metrics_that_there_are():
    known = {name for metric in METRICS for name in series_of(metric)}
    asked = {name for query in queries() for name in re.findall(r"divainfer_\w+", query)}
    variables = json.dumps(dashboard()["templating"])
    assert asked and asked <= known and set(re.findall(r"divainfer_\w+", variables)) <= known


def test_rates_are_those_of_counters():
    page = (DASHBOARD.parents[1] / "how-to" / "prometheus.md").read_text(encoding="utf-8")
    counters = {name for metric in METRICS if metric.kind != GAUGE for name in series_of(metric)}
    rated = {name for text in [*queries(), page] for name in re.findall(r"(?:rate|increase)\((divainfer_\w+)", text)}
    assert rated and rated <= counters


def test_the_dashboard_s_labels_are_those_of_the_metrics():
    """`instance` is Prometheus's own."""
    labels = {label for labels in LABELS.values() for label in labels} | {"instance"}
    board = dashboard()
    legends = [target["legendFormat"] for panel in board["panels"] for target in panel.get("targets", ())]
    assert {label for legend in legends for label in re.findall(r"{{(\w+)}}", legend)} <= labels
    assert all(('instance=~"$instance"' in query) for query in queries())


def test_the_dashboard_can_be_imported():
    board = dashboard()
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
        for part in [panel] + panel.get("targets", []):
            assert panel["type"] == "row" or part["datasource"]["uid"] == "${datasource}"
