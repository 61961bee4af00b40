"""What the operator reads at the end of a tuning."""

from __future__ import annotations

import os
from typing import TextIO

from ..commandline import quoted
from .figures import rows
from .outcome import OutcomeFiles, Tuned, ceiling_lines, choice_line
from .table import markdown, print_table, table


def report(tuned: Tuned, out: str, stream: TextIO) -> None:
    """Prints the table, the ceilings, and what was chosen.

    Args:
        tuned: the outcome.
        out: the TOML file.
        stream: where it goes; a terminal gets a table drawn for it, anything else Markdown.
    """
    if not tuned.trials:
        stream.write("Stopped before anything was measured.\n")
        return
    cells = table(rows(tuned.trials), tuned.choice)
    if stream.isatty():
        print_table(cells, stream)
    else:
        stream.write("\n".join(markdown(cells)) + "\n\n")
    lines = ceiling_lines(tuned)
    if tuned.choice is not None:
        lines.append("Chosen: {}.".format(choice_line(tuned.choice)))
    lines += list(tuned.notes)
    if tuned.missing:
        why = "Stopped" if tuned.interrupted else "The budget is spent (--budget)"
        lines.append("{}; not measured: {}.".format(why, ", ".join(tuned.missing)))
    files = OutcomeFiles(out)
    if tuned.choice is None:
        lines.append("Too little was measured to choose a setting.")
    lines.append("All figures: {}".format(files.json))
    if os.path.exists(files.svg):
        lines.append("Plot: {}".format(files.svg))
    if tuned.choice is not None:
        lines.append("To use it: divainfer run --config {} --images ... --out ...".format(quoted(files.toml)))
    stream.write("\n".join(lines) + "\n")
