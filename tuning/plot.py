"""The plot of what was measured, as SVG."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from .figures import Row
from .sweep import DECODE, ENGINE, RUN, Choice

#: Of the palette of Okabe and Ito, which eyes of all kinds tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_GREY = "#777777"


def draw(found: Sequence[Row], choice: Optional[Choice], devices: int, path: str) -> None:
    """Draws the engine's ceiling by batch size, and the runs below both ceilings by loaders.

    Args:
        found: a row a step.
        choice: what is marked.
        devices: workers of a run.
        path: of the SVG file.

    Raises:
        OSError: when the disk refuses.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2))
    FigureCanvasSVG(figure)
    engine, runs = figure.subplots(1, 2)
    _draw_engine([row for row in found if row.step.kind == ENGINE and row.rate], engine)
    _draw_runs([row for row in found if row.rate], choice, devices, runs)
    figure.tight_layout()
    # The same figures give the same file: without a date, and with names inside that are not drawn by lot.
    with rc_context({"svg.hashsalt": "divainfer"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def _draw_engine(found: Sequence[Row], axes: Any) -> None:
    axes.set_title("The engine alone, on one device")
    for number, streams in enumerate(sorted({row.step.setting.streams for row in found})):
        own = [row for row in found if row.step.setting.streams == streams]
        axes.plot(
            [row.step.setting.batch_size for row in own],
            [row.rate for row in own],
            marker="o",
            color=_COLOURS[number % len(_COLOURS)],
            label="{} stream{}".format(streams, "" if streams == 1 else "s"),
        )
    _dress(axes, "batch size", sorted({row.step.setting.batch_size for row in found}))


def _draw_runs(found: Sequence[Row], choice: Optional[Choice], devices: int, axes: Any) -> None:
    axes.set_title("Runs on {} device{}".format(devices, "" if devices == 1 else "s"))
    decode = [row for row in found if row.step.kind == DECODE]
    runs = sorted((row for row in found if row.step.kind == RUN), key=lambda row: row.step.setting)
    if decode:
        loaders, rates = [row.step.setting.loaders for row in decode], [row.rate for row in decode]
        axes.plot(loaders, rates, "s--", color=_GREY, label="loaders alone")
    engine = max((row.rate for row in found if row.step.kind == ENGINE), default=0.0)
    if engine:
        label = "engine alone" + (" x {}".format(devices) if devices > 1 else "")
        axes.axhline(engine * devices, linestyle=":", color=_GREY, label=label)
    engines = sorted({row.step.setting[1:] for row in runs})
    for number, (streams, batch_size) in enumerate(engines):
        own = [row for row in runs if row.step.setting[1:] == (streams, batch_size)]
        axes.plot(
            [row.step.setting.loaders for row in own],
            [row.rate for row in own],
            marker="o",
            color=_COLOURS[number % len(_COLOURS)],
            label="streams {}, batch size {}".format(streams, batch_size),
        )
    if choice is not None and choice.measured:
        axes.plot(
            [choice.setting.loaders], [choice.rate], "o", markersize=13, markerfacecolor="none", color="black",
            label="chosen", linestyle="none",
        )  # fmt: skip
    _dress(axes, "loaders for each worker", sorted({row.step.setting.loaders for row in decode + runs}))


def _dress(axes: Any, label: str, places: Sequence[int]) -> None:
    """What both halves have in common. Their horizontal axes are logarithmic, as what is tried doubles."""
    axes.set_xlabel(label)
    axes.set_ylabel("frames/s")
    axes.set_ylim(bottom=0)
    axes.grid(True, alpha=0.3)
    if places:
        axes.set_xscale("log", base=2)
        axes.set_xticks(places)
        axes.set_xticklabels([str(place) for place in places])
        axes.minorticks_off()
        axes.legend(fontsize=8)
