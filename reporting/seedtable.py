"""The row of this run for the seed's table of 2019, in Markdown, in its columns."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Sequence

from .evidence import Evidence
from .figures import Figures


class Row(NamedTuple):
    """A table of one row, and what its figures are.

    Attributes:
        heads: a word or two a column.
        cells: the row.
        notes: sentences on what differs from 2019.
    """

    heads: List[str]
    cells: List[str]
    notes: List[str]

    def markdown(self) -> str:
        """The table as Markdown."""
        return "\n".join(_line(cells) for cells in (self.heads, ["---"] * len(self.heads), self.cells))


def seed_row(evidence: Evidence) -> Row:
    """The row of a run: all its starts together."""
    figures = evidence.figures
    settings = evidence.record.settings
    size = "{}x{}".format(settings.get("max_size", "?"), settings.get("short_edge_size", "?"))
    by_driver = figures.on_gpu and figures.utilisation is not None
    what, unit = ("GPU", "GPU") if figures.on_gpu else ("worker", "worker")
    measure = "GPU {} Utilization" if by_driver else "{} busy"
    mean, median = (
        (figures.utilisation, figures.utilisation_median) if by_driver else (figures.busy, figures.busy_median)
    )
    heads = [
        "RunType",
        "# Image",
        "Image Size",
        "# {} Used (processes)".format(what),
        "runtime (s)",
        measure.format("Average"),
        measure.format("Median"),
        "Per {} FPS".format(unit),
    ]
    cells = [
        _run_type(evidence),
        str(figures.images),
        size,
        "{0} ({0})".format(figures.processes),
        "{:.1f}".format(figures.seconds),
        _percent(mean),
        _percent(median),
        "{:.2f}".format(figures.frames_per_device),
    ]
    return Row(heads, cells, _notes(figures, by_driver))


def _run_type(evidence: Evidence) -> str:
    words = ["divainfer {}".format(evidence.versions.get("divainfer", "?"))]
    described = sorted({worker.description for worker in evidence.figures.workers if worker.description})
    return ", ".join(words + (described or [str(evidence.record.config.get("engine", ""))]))


def _notes(figures: Figures, by_driver: bool) -> List[str]:
    notes = ["# Image: results of {}.".format(_starts(figures)), "FPS: results / runtime / processes, as in 2019."]
    if by_driver:
        text = "Utilization: as the driver says, by {:,} samples (2019: nvidia-smi every couple of seconds)."
        return notes + [text.format(figures.utilisation_samples)]
    why = "the GPUs' utilization was not sampled, so" if figures.on_gpu else "there is no GPU, so"
    return notes + [
        "Busy: {} the share of the workers' time from their first batch on in which the engine computed stands in its "
        "place.".format(why)
    ]


def _starts(figures: Figures) -> str:
    return "this start" if len(figures.starts) == 1 else "{} starts together".format(len(figures.starts))


def _percent(share: Optional[float]) -> str:
    return "-" if share is None else "{:.1f}%".format(100 * share)


def _line(cells: Sequence[str]) -> str:
    return "| {} |".format(" | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells))
