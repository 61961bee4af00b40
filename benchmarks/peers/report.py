"""What a contest came to: medians, a table, a plot, and where somebody is ahead of divainfer."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any, Dict, List, Sequence

from .contest import Trial
from .task import Row

OURS = "ours"
#: Figure to whether more is better, and the margin within which two are equal: a share of ours.
_COMPARED = {
    "frames/s": ("frames_per_second", True, 0.01),
    "CPU": ("cpu_ms", False, 0.05),
    "first frame": ("first_frame", False, 0.05),
    "memory": ("memory_mb", False, 0.05),
}


def medians(trials: Sequence[Trial], titles: Dict[str, str]) -> List[Dict[str, Any]]:
    """One entry for each row and contestant, in the order of the trials.

    Args:
        trials: of all rounds.
        titles: name of a contestant to what it is called.

    Returns:
        Dicts with `row`, `contestant`, `title`, `workers`, `rounds` (that it did not fail), the medians of the figures of
        `Measured`, of its share of the limit, and of its CPU time beyond pure decoding (None for a real graph, which computes
        on the same CPU), `reason` of a failure, and `ahead`: in what it is better than divainfer.
    """
    entries: Dict[Any, Dict[str, Any]] = {}
    for trial in trials:
        key = trial.row, trial.contestant
        if key not in entries:
            own = [other for other in trials if (other.row, other.contestant) == key]
            entries[key] = dict(_medians(own), title=titles[trial.contestant])
    for (row, _), entry in entries.items():
        entry["ahead"] = _ahead(entry, entries.get((row, OURS), {}))
    return list(entries.values())


def _medians(own: List[Trial]) -> Dict[str, Any]:
    first = own[0]
    entry: Dict[str, Any] = {
        "row": str(first.row),
        "contestant": first.contestant,
        "workers": first.workers,
        "limit": statistics.median(trial.limit for trial in own),
        "reason": next((trial.reason for trial in own if trial.reason), ""),
    }
    good = [(trial, trial.measured) for trial in own if trial.measured is not None]
    entry["rounds"] = len(good)
    if good:
        for figure in good[0][1]._fields:
            entry[figure] = statistics.median(getattr(measured, figure) for _, measured in good)
        entry["limit_share"] = statistics.median(measured.frames_per_second / trial.limit for trial, measured in good)
        beyond = [measured.cpu_ms - trial.decoding.cpu_ms_at(trial.limit) for trial, measured in good]
        entry["cpu_ms_beyond"] = statistics.median(beyond) if first.row.emulated else None
    return entry


def _ahead(entry: Dict[str, Any], ours: Dict[str, Any]) -> List[str]:
    if not entry["rounds"] or not ours.get("rounds"):
        return []
    ahead = []
    for name, (figure, more, margin) in _COMPARED.items():
        better, worse = (entry[figure], ours[figure]) if more else (ours[figure], entry[figure])
        # Not divided: what a short trial used of the CPU may be too little to be counted.
        if better > worse * (1 + margin):
            ahead.append(name)
    return ahead


def table(entries: Sequence[Dict[str, Any]]) -> str:
    """The medians as Markdown."""
    lines = [
        "| frames | engine | devices | contestant | loaders | busy | frames/s | of the limit | CPU ms a frame beyond decoding "
        "| first frame, s | memory, MB | ahead of divainfer in |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in entries:
        row = Row.parse(entry["row"])
        head = "| {} | {} | {} | {} | {} |".format(
            row.size,
            "{} ms".format(row.engine) if row.emulated else row.engine,
            row.devices,
            entry["title"],
            entry["workers"] or "",
        )
        if not entry["rounds"]:
            lines.append(head + " failed | | | | | | |")
            continue
        beyond = entry["cpu_ms_beyond"]
        lines.append(
            "{} {:.1%} | {:.1f} | {:.1%} | {} | {:.1f} | {:.0f} | {} |".format(
                head,
                entry["busy_share"],
                entry["frames_per_second"],
                entry["limit_share"],
                "" if beyond is None else "{:.1f}".format(beyond),
                entry["first_frame"],
                entry["memory_mb"],
                ", ".join(entry["ahead"]),
            )
        )
    return "\n".join(lines)


def plot(entries: Sequence[Dict[str, Any]], path: Path) -> None:
    """A point for each row and contestant: its share of the limit, and its CPU time beyond decoding."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = list(dict.fromkeys(entry["row"] for entry in entries))
    titles = list(dict.fromkeys(entry["title"] for entry in entries))
    figure, panels = pyplot.subplots(1, 2, sharey=True, figsize=(11, 1.6 + 0.45 * len(rows)))
    for number, title in enumerate(titles):
        own = [entry for entry in entries if entry["title"] == title and entry["rounds"]]
        ours = any(entry["contestant"] == OURS for entry in own)
        style = {"s": 70 if ours else 38, "marker": "D" if ours else "o", "color": "C{}".format(number)}
        # Side by side within a row, so that none hides another.
        lift = 0.5 * (number / max(1, len(titles) - 1) - 0.5)
        for panel, name, factor in zip(panels, ("limit_share", "cpu_ms_beyond"), (100.0, 1.0)):
            points = [
                (factor * entry[name], rows.index(entry["row"]) + lift) for entry in own if entry[name] is not None
            ]
            panel.scatter(*zip(*points) if points else ([], []), label=title, zorder=3, **style)
    panels[0].set_xlabel("frames/s, % of the limit")
    # On a noisy machine decoding may have been measured in a bad moment, and a share be above 100.
    panels[0].set_xlim(0, max(105.0, panels[0].get_xlim()[1]))
    panels[1].set_xlabel("CPU ms a frame beyond decoding")
    panels[1].set_xlim(left=min(0.0, panels[1].get_xlim()[0]))
    panels[0].set_yticks(range(len(rows)))
    panels[0].set_yticklabels([_label(Row.parse(row)) for row in rows])
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    for panel in panels:
        panel.grid(axis="x", alpha=0.3)
        for edge in range(1, len(rows)):
            panel.axhline(edge - 0.5, color="0.85", linewidth=0.8)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncol=4, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.65 / (1.6 + 0.45 * len(rows))))
    figure.savefig(str(path))


def _label(row: Row) -> str:
    engine = "{} ms".format(row.engine) if row.emulated else "demo detector"
    return "{}, {} x {}".format(row.size.replace("x", " x "), row.devices, engine)
