"""The table of what was measured: for a terminal, or as Markdown."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

from .figures import Row
from .sweep import DECODE, ENGINE, RUN, Choice

_TITLES = {ENGINE: "engine alone", DECODE: "loaders alone", RUN: "run"}
_HEADS = ("", "loaders", "streams", "batch size", "frames/s", "trials", "busy", "starved", "CPU a frame", "")


def table(found: Sequence[Row], choice: Optional[Choice]) -> List[List[str]]:
    """The cells of the table, its heads first.

    Args:
        found: a row a step.
        choice: what is marked.
    """
    return [list(_HEADS)] + [_cells(row, choice) for row in found]


def markdown(cells: Sequence[Sequence[str]]) -> List[str]:
    """The table as lines of Markdown, its columns aligned."""
    # A reason may hold what separates columns.
    cells = [[cell.replace("|", "\\|") for cell in line] for line in cells]
    widths = [max(3, *(len(line[column]) for line in cells)) for column in range(len(cells[0]))]
    rule = ["-" * (widths[0])] + ["-" * (width - 1) + ":" for width in widths[1:-1]] + ["-" * widths[-1]]
    lines = [_aligned(cells[0], widths), rule] + [_aligned(line, widths) for line in cells[1:]]
    return ["| " + " | ".join(line) + " |" for line in lines]


def print_table(cells: Sequence[Sequence[str]], stream: Any) -> None:
    """Prints the table for a terminal.

    Args:
        cells: heads first.
        stream: the terminal.
    """
    from rich.box import MINIMAL
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=MINIMAL, pad_edge=False)
    for number, head in enumerate(cells[0]):
        shown.add_column(head, justify="left" if number in (0, len(cells[0]) - 1) else "right")
    before = ""
    for line in cells[1:]:
        if before and line[0] != before:
            shown.add_section()
        before = line[0]
        # Text, not markup: a reason may hold brackets.
        shown.add_row(*[Text(cell) for cell in line], style="bold" if line[-1] == "chosen" else None)
    console = Console(file=stream)
    if console.measure(shown).maximum <= console.width:
        console.print(shown)
    else:  # Cut columns would be worse than long lines.
        stream.write("".join(line + "\n" for line in markdown(cells)))


def _cells(row: Row, choice: Optional[Choice]) -> List[str]:
    kind, setting = row.step
    settings = [
        "" if kind == ENGINE else str(setting.loaders),
        "" if kind == DECODE else str(setting.streams),
        "" if kind == DECODE else str(setting.batch_size),
    ]
    if not row.trials:
        return [_TITLES[kind]] + settings + ["-"] * 5 + [" ".join(row.error.split())]
    return (
        [_TITLES[kind]]
        + settings
        + [
            "{:.1f}".format(row.rate),
            "{} ({})".format(len(row.trials), row.spread) if row.spread else "1",
            "" if kind == DECODE else "{:.1%}".format(row.figure("busy")),
            "" if kind == DECODE else "{:.1%}".format(row.figure("starved")),
            "{:.1f} ms".format(row.figure("cpu_ms")),
            _mark(row, choice),
        ]
    )


def _mark(row: Row, choice: Optional[Choice]) -> str:
    if choice is None or row.step.kind != RUN or not choice.measured:
        return ""
    if row.step.setting == choice.setting:
        return "chosen"
    return "best" if row.step.setting == choice.best else ""


def _aligned(line: Sequence[str], widths: Sequence[int]) -> List[str]:
    last = len(line) - 1
    return [
        cell.ljust(width) if number in (0, last) else cell.rjust(width)
        for number, (cell, width) in enumerate(zip(line, widths))
    ]
