"""Writes docs/reference/prometheus.md from the names that the code has: `make docs`."""

from __future__ import annotations

from pathlib import Path

from divainfer.monitor.names import GPUS, HISTOGRAM, HOST, LABELS, METRICS, ROLES, RUN, WORKERS, Metric

PAGE = Path(__file__).parent / "reference" / "prometheus.md"
HEAD = """# Metrics for Prometheus

Made by `make docs` from `monitor/names.py`. Served while a run is at work with `--metrics-port`, see
[the how-to](../how-to/prometheus.md). The field is that of a sample in the run folder's `metrics.jsonl`. A metric that nobody
measures here (a GPU on a CPU worker) is not there.
"""
TITLES = {
    RUN: "The run",
    WORKERS: "Workers",
    GPUS: "GPUs in use",
    HOST: "The machine",
    ROLES: "This run's processes by role",
}


def page() -> str:
    """The page's text."""
    parts = [HEAD]
    for of, title in TITLES.items():
        labels = ", ".join("`{}`".format(label) for label in LABELS[of])
        parts.append("\n## {}\n\n{}".format(title, "Labels: {}.\n\n".format(labels) if labels else ""))
        parts.append("| metric | kind | field | meaning |\n|---|---|---|---|\n")
        parts += [_row(metric) for metric in METRICS if metric.of == of]
    return "".join(parts)


def _row(metric: Metric) -> str:
    field = "`{}`".format(metric.field)
    if metric.when is not None:
        field += " is `{}`".format(metric.when) if metric.when else " is empty"
    elif metric.factor != 1:
        field += " times {:g}".format(metric.factor)
    elif metric.kind == HISTOGRAM and metric.sum:
        field += ", sum `{}`".format(metric.sum)
    return "| `{}` | {} | {} | {} |\n".format(metric.name, metric.kind, field, metric.help)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
