"""Charts as SVG, made by matplotlib: lines over time, stacked bars, histograms.

They can be told apart without colours: by line styles and hatching. What is drawn in `INK` and `PALE` takes the page's own
colours (`svg.py`).
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import statistics
import warnings
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .svg import BLUE, GREEN, INK, ORANGE, PALE, PINK, RED, SKY, for_page

COLOURS = (BLUE, RED, GREEN, PINK, ORANGE, SKY, INK)
_STYLES = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (9, 2)), (0, (3, 1, 1, 1, 1, 1)))
_HATCHES = ("", "////", "\\\\\\\\", "")
#: More lines than these cannot be told apart; then their median is shown, and the range they lie in.
_MOST_LINES = 8
#: Inches, of which a page shows 100 pixels or so each.
WIDTH, HEIGHT = 5.6, 2.3
_LETTERS = 8
_LONGEST_LABEL = 34
#: Buckets, of which two are a doubling, for whose axis powers of ten alone would be too few numbers.
_FEW_BUCKETS = 14
#: Letters that a legend's line has room for, and what the sign before each label takes of them.
_LEGEND_LETTERS, _SIGN_LETTERS = 86, 9

Values = Sequence[Optional[float]]


class Line(NamedTuple):
    """A line.

    Attributes:
        label: what it is.
        times: horizontal, ascending.
        values: vertical; None where it has a gap.
    """

    label: str
    times: Sequence[float]
    values: Values


class Bars(NamedTuple):
    """A row of stacked bars: `parts` as shares of 1, in the order of their names."""

    label: str
    parts: Sequence[float]


def lines(
    found: Sequence[Line],
    unit: str,
    top: Optional[float] = None,
    percent: bool = False,
    marks: Sequence[float] = (),
) -> str:
    """Lines over running time.

    Args:
        found: the lines; their times are seconds.
        unit: what is drawn upwards.
        top: the upper end of that axis; None for what the values need.
        percent: whether values from 0 to 1 are shown as percent.
        marks: times at which something begins.
    """
    longest = max((line.times[-1] for line in found if line.times), default=0.0)
    name, size = _time_unit(longest)
    with _figure(WIDTH, HEIGHT) as (figure, axes):
        if len(found) > _MOST_LINES:
            _draw_range(axes, found, size, percent)
        else:
            for number, line in enumerate(found):
                style = {"color": COLOURS[number % len(COLOURS)], "linestyle": _STYLES[number % len(_STYLES)]}
                times = [time / size for time in line.times]
                _draw_line(axes, times, _numbers(line.values, percent), _short(line.label), **style)
        for mark in marks:
            axes.axvline(mark / size, color=INK, linewidth=0.6, linestyle=(0, (2, 2)))
        axes.set_xlim(0, longest / size or 1)
        axes.set_ylim(0, top * (100 if percent else 1) if top is not None else None)
        axes.set_xlabel("running time, {}".format(name))
        axes.set_ylabel(unit)
        _legend(axes)
        return _svg(figure, unit)


def stacked(rows: Sequence[Bars], names: Sequence[str]) -> str:
    """Bars that show how something divides, one below the other."""
    with _figure(WIDTH, 0.75 + 0.27 * len(rows)) as (figure, axes):
        places = range(len(rows))
        left = [0.0] * len(rows)
        for number, name in enumerate(names):
            widths = [100 * row.parts[number] for row in rows]
            axes.barh(
                places,
                widths,
                left=left,
                height=0.66,
                color=(BLUE, ORANGE, PINK, "none")[number],
                edgecolor=INK,
                linewidth=0.5,
                hatch=_HATCHES[number],
                label=name,
            )
            left = [before + width for before, width in zip(left, widths)]
        axes.set_yticks(list(places))
        axes.set_yticklabels([_short(row.label) for row in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel("% of the time from the first batch on")
        axes.grid(False, axis="y")
        _legend(axes)
        return _svg(figure, "time split")


def histogram(several: Sequence[Tuple[str, Sequence[int]]], bounds: Sequence[float], unit: str) -> str:
    """How often something took how long, on a logarithmic axis, as shares of all.

    Args:
        several: labels and counts, one a bucket; those that are missing at the end are 0.
        bounds: the buckets' upper bounds, seconds.
        unit: what is counted.
    """
    from matplotlib.ticker import LogLocator

    with _figure(WIDTH / 1.5, HEIGHT) as (figure, axes):
        edges = [bounds[0] / 2, *bounds, bounds[-1] * 2]
        first, last = len(bounds), 0
        for number, (label, counts) in enumerate(several):
            whole = sum(counts) or 1
            shares = [100 * count / whole for count in counts] + [0.0] * (len(bounds) + 1 - len(counts))
            filled = [place for place, share in enumerate(shares) if share]
            first, last = min([first] + filled), max([last] + filled)
            # The end of a step is where the next one begins.
            style = {"color": COLOURS[number], "linestyle": _STYLES[number]}
            axes.step(
                [1000 * edge for edge in edges],
                shares + [0.0],
                where="post",
                linewidth=1.3,
                label=_short(label),
                **style,
            )
            if len(several) == 1:
                axes.fill_between(
                    [1000 * edge for edge in edges],
                    shares + [0.0],
                    step="post",
                    color=COLOURS[number],
                    alpha=0.25,
                    linewidth=0,
                )
        axes.set_xscale("log")
        axes.set_xlim(1000 * edges[max(0, first - 1)], 1000 * edges[min(len(edges) - 1, last + 2)])
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if last - first < _FEW_BUCKETS else (1,)))
        axes.xaxis.set_major_formatter(lambda value, _: "{:g}".format(value))
        axes.xaxis.set_minor_formatter(lambda value, _: "")
        axes.set_ylim(0, None)
        axes.set_xlabel("milliseconds")
        axes.set_ylabel("% of {}".format(unit))
        _legend(axes)
        return _svg(figure, unit)


def counts(labels: Sequence[str], several: Sequence[Tuple[str, Sequence[float]]], unit: str) -> str:
    """Horizontal bars, one a label; of several runs they lie side by side."""
    with _figure(WIDTH, 0.75 + (0.14 + 0.12 * len(several)) * len(labels)) as (figure, axes):
        height = 0.8 / len(several)
        for number, (label, values) in enumerate(several):
            places = [place + (number - (len(several) - 1) / 2) * height for place in range(len(labels))]
            axes.barh(
                places, values, height=0.9 * height, color=COLOURS[number], hatch=_HATCHES[number], edgecolor=INK,
                linewidth=0.4, label=_short(label),
            )  # fmt: skip
        axes.set_yticks(range(len(labels)))
        axes.set_yticklabels([_short(label) for label in labels])
        axes.invert_yaxis()
        axes.set_xlim(0, None)
        axes.set_xlabel(unit)
        axes.grid(False, axis="y")
        _legend(axes)
        return _svg(figure, unit)


def columns(several: Sequence[Tuple[str, Sequence[float]]], low: float, high: float, unit: str, across: str) -> str:
    """Columns side by side from `low` to `high`, such as how many scores lie in each twentieth."""
    with _figure(WIDTH, HEIGHT) as (figure, axes):
        for number, (label, values) in enumerate(several):
            edges = [low + (high - low) * place / len(values) for place in range(len(values) + 1)]
            style = {"color": COLOURS[number], "linestyle": _STYLES[number]}
            closed = [*values, values[-1]]
            axes.step(edges, closed, where="post", linewidth=1.3, label=_short(label), **style)
            if len(several) == 1:
                axes.fill_between(edges, closed, step="post", color=COLOURS[number], alpha=0.25, linewidth=0)
        axes.set_xlim(low, high)
        axes.set_ylim(0, None)
        axes.set_xlabel(across)
        axes.set_ylabel(unit)
        _legend(axes)
        return _svg(figure, unit)


def _draw_range(axes: Any, found: Sequence[Line], size: float, percent: bool) -> None:
    """Many lines as what they have in common."""
    times = [time / size for time in found[0].times]
    columns: List[List[float]] = [
        [value for value in moment if value is not None] for moment in zip(*(line.values for line in found))
    ]

    def each(pick: Callable[[List[float]], float]) -> List[float]:
        return _numbers([pick(column) if column else None for column in columns], percent)

    axes.fill_between(times, each(min), each(max), color=BLUE, alpha=0.25, linewidth=0, label="from least to most")
    _draw_line(axes, times, each(statistics.median), "median of {}".format(len(found)), color=BLUE)


def _draw_line(axes: Any, times: Sequence[float], values: Sequence[float], label: str, **style: Any) -> None:
    """A line, and dots where it would be none: at values without a neighbour."""
    axes.plot(times, values, linewidth=1.3, label=label, clip_on=False, **style)
    known = [False, *map(math.isfinite, values), False]
    alone = [place for place in range(len(values)) if known[place : place + 3] == [False, True, False]]
    if alone:
        dots = dict(style, linestyle="none", marker="o", markersize=2.5)
        axes.plot([times[place] for place in alone], [values[place] for place in alone], **dots)


def _numbers(values: Values, percent: bool) -> List[float]:
    scale = 100 if percent else 1
    return [float("nan") if value is None else scale * value for value in values]


def _time_unit(longest: float) -> Tuple[str, float]:
    if longest <= 180:
        return "seconds", 1.0
    return ("minutes", 60.0) if longest <= 3 * 3600 else ("hours", 3600.0)


def _legend(axes: Any) -> None:
    """Above the axes, so that it hides nothing, in as many columns as have room. A single thing needs none."""
    labels = axes.get_legend_handles_labels()[1]
    if len(labels) < 2:
        return
    columns = max(1, min(len(labels), _LEGEND_LETTERS // (_SIGN_LETTERS + max(map(len, labels)))))
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncol=columns, frameon=False, fontsize=_LETTERS - 0.5,
        borderaxespad=0.2, handlelength=2.6, columnspacing=1.2, labelcolor=INK,
    )  # fmt: skip


def _short(label: str) -> str:
    """A label that has room, and in which matplotlib sees no formula."""
    if len(label) > _LONGEST_LABEL:
        label = label[: _LONGEST_LABEL - 1] + "…"
    return label.replace("$", r"\$")


@contextlib.contextmanager
def _figure(width: float, height: float) -> Iterator[Tuple[Any, Any]]:
    """A figure with its axes, inches; whatever the user has configured for plots of their own."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # A name in letters that the font lacks is drawn by the browser, which has them.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_LOOK)
        figure = Figure(figsize=(width, height))
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        # Not as many numbers as have room: how much room there is depends on how wide they are.
        axes.locator_params(axis="y", nbins=5)
        yield figure, axes


def _svg(figure: Any, title: str) -> str:
    figure.tight_layout(pad=0.4)
    file = io.StringIO()
    # The same figures give the same chart: without a date, and with names inside that are not drawn by lot.
    figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    return for_page(file.getvalue(), title)


_LOOK = {
    "svg.fonttype": "none",
    "svg.hashsalt": "divainfer",
    "font.size": _LETTERS,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.7,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.linewidth": 0.5,
    "path.simplify_threshold": 0.5,
}
