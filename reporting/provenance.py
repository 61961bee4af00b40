"""What ran: model, options, devices, versions, starts and fingerprint, as a part of the page."""

from __future__ import annotations

import collections
from typing import Any, Dict, List

from ..commandline import run_command
from ..config import AUTO, FIELDS, option_name
from .evidence import Evidence
from .markup import code, escaped, folded, table
from .units import duration_text, moment_text


def provenance(evidence: Evidence) -> List[str]:
    """The parts of that section, HTML."""
    record = evidence.record
    rows = [
        ["model", code(_model_name(evidence))],
        ["images", "{:,}, from {}".format(record.listing.count, code(record.config.get("images")))],
        ["frame size", escaped("short edge {short_edge_size}, at most {max_size} pixels".format(**_sizes(evidence)))],
        ["devices", "<br>".join(_devices(evidence))],
        ["engine", "<br>".join(escaped(line) for line in _descriptions(evidence))],
        ["host", escaped(evidence.versions.get("host", "–"))],
        ["versions", escaped("divainfer {divainfer}, Python {python}".format(**dict(_UNKNOWN, **evidence.versions)))],
        ["last start", escaped(record.started)],
    ]
    if record.overridden:
        rows.append(
            ["--force", "<br>".join(escaped("; ".join(one.get("differences", []))) for one in record.overridden)]
        )
    command = '<pre class="wrapped">{}</pre>'.format(escaped(run_command(record.config)))
    return [
        table(["", ""], rows),
        "<h3>Options that differ from the defaults</h3>",
        command,
        table(["option", "value", "default"], _options(evidence)),
        _start_table(evidence),
        folded(
            "What “auto” came to",
            _pairs(record.settings),
        ),
        folded(
            "Fingerprint: what decides the results",
            _pairs(record.fingerprint),
        ),
    ]


def _pairs(found: Dict[str, Any]) -> str:
    return table(["", ""], [[escaped(name), code(value)] for name, value in found.items()])


_UNKNOWN = {"divainfer": "?", "python": "?"}


def _sizes(evidence: Evidence) -> Dict[str, Any]:
    settings = evidence.record.settings
    return {name: settings.get(name, "?") for name in ("short_edge_size", "max_size")}


def _devices(evidence: Evidence) -> List[str]:
    labels = collections.Counter(str(device.get("label", "")) for device in evidence.record.devices)
    return [escaped(label if count == 1 else "{} × {}".format(count, label)) for label, count in labels.items()]


def _descriptions(evidence: Evidence) -> List[str]:
    found = {worker.description for worker in evidence.figures.workers if worker.description}
    return sorted(found) or [str(evidence.record.config.get("engine", ""))]


def _options(evidence: Evidence) -> List[List[str]]:
    rows = []
    for name, field in FIELDS.items():
        value = evidence.record.config.get(name)
        default = AUTO if field.metadata["auto"] else field.default
        default = list(default) if isinstance(default, tuple) else default
        if value is not None and value != default:
            rows.append([code(option_name(name)), code(value), code(default)])
    return rows


def _start_table(evidence: Evidence) -> str:
    starts = evidence.figures.starts
    if not starts:
        return ""
    rows = [
        [
            escaped("–" if start.began is None else moment_text(start.began)),
            escaped(duration_text(start.seconds)),
            "{:,}".format(sum(worker.stats.images for worker in start.workers)),
            "{:,}".format(sum(worker.stats.failures for worker in start.workers)),
            str(len(start.workers)),
            escaped(start.source),
        ]
        for start in starts
    ]
    heads = ["start", "lasted", "results", "failures", "workers", "known by"]
    return "<h3>Starts</h3>" + table(heads, rows, range(1, 5))


def _model_name(evidence: Evidence) -> str:
    """The model, or the engine where that needs none."""
    config = evidence.record.config
    return str(config.get("model") or config.get("engine") or "")
