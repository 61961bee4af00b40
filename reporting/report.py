"""`divainfer.report`: from a run folder, or two, to a page."""

from __future__ import annotations

import contextlib
import os
from typing import Optional

from ..errors import OutputError
from .comparison import comparison_page
from .evidence import gather
from .page import report_page
from .pictures import Album


def report(out: str, other: Optional[str] = None, file: Optional[str] = None) -> str:
    """Writes the report of a run, while it goes on or after: one HTML file that needs nothing else.

    Args:
        out: the output folder.
        other: the output folder of another run, to compare the two side by side.
        file: where the page goes; None for `<out>/.divainfer/report.html`, or `comparison.html` beside it.

    Returns:
        The path of the page.

    Raises:
        OutputError: when a folder holds no run, or the page cannot be written.
    """
    # It is written beside its place and renamed; that would replace a device or a pipe, or a link to one.
    if file is not None and os.path.exists(file) and not os.path.isfile(file):
        raise OutputError(
            "{}: this is no regular file. Give the name of one; it is there once it is whole.".format(file)
        )
    first = gather(out)
    if other is None:
        page = report_page(first, Album(first.failures, first.survey.candidates))
        path = file or first.folder.report
    else:
        page = comparison_page(first, gather(other))
        path = file or first.folder.comparison
    _write(os.path.realpath(path), page)
    return path


def _write(path: str, page: str) -> None:
    """Writes beside the place and renames, so that who looks at the page sees the old or the new, whole."""
    part = path + ".part"
    try:
        with open(part, "wb") as file:
            file.write(page.encode("utf-8"))
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise OutputError("{}: the report cannot be written ({}).".format(path, error.strerror or error))
