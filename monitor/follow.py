"""`divainfer monitor`: a run seen from another terminal, until it ends."""

from __future__ import annotations

import json
import shutil
import time
from typing import List, Optional, TextIO

from rich.console import Console

from .display import print_line, progress_line
from .livescreen import Lines, LiveScreen, can_be_live
from .terminal import Line, render
from .view import View
from .watched import Watched

_TURN_SECONDS = 0.5
#: Without a terminal there is a line so often.
_LINE_SECONDS = 10.0
#: Steps of the history: as many as a sparkline has blocks at most.
_POINTS = 24


def follow(watched: Watched, stream: TextIO) -> None:
    """Shows a run until it ends, and then once more.

    Args:
        watched: the run.
        stream: where it goes: a view that changes in a terminal, a line now and then elsewhere.

    Raises:
        KeyboardInterrupt: when the operator has seen enough.
        OutputError: when the folder holds no run any more.
    """
    if can_be_live(stream):
        _follow_live(watched, stream)
        show_once(watched.look(_POINTS), stream)
    else:
        _follow_in_lines(watched, stream)


def show_once(view: View, stream: TextIO) -> None:
    """Prints all that is known, as wide as the terminal; the sentence on one line, as `status` does."""
    width = shutil.get_terminal_size((100, 24)).columns
    console = Console(file=stream, width=width)
    console.print(Lines(render(view, width, plain=not console.encoding.startswith("utf"))))
    if view.verdict is not None:
        stream.write(view.verdict["sentence"] + "\n")
    stream.flush()


def show_json(view: View, stream: TextIO) -> None:
    """Prints the view as a JSON object."""
    stream.write(json.dumps(view.to_json(), indent=2) + "\n")
    stream.flush()


def _follow_live(watched: Watched, stream: TextIO) -> None:
    shown: List[View] = [watched.look(_POINTS)]

    def draw(width: int, height: int, plain: bool) -> List[Line]:
        return render(shown[-1], width, height, plain)

    screen = LiveScreen(stream, draw)
    screen.start()
    try:
        while shown[-1].at_work:
            time.sleep(_TURN_SECONDS)
            shown[:] = [watched.look(_POINTS)]
    finally:
        screen.stop()


def _follow_in_lines(watched: Watched, stream: TextIO) -> None:
    line_at: Optional[float] = None
    view = watched.look(0)
    while view.at_work:
        if line_at is None or time.monotonic() >= line_at:
            line_at = time.monotonic() + _LINE_SECONDS
            print_line(stream, "{}: {}".format(view.state, progress_line(view)))
        time.sleep(_TURN_SECONDS)
        view = watched.look(0)
    print_line(stream, "{}: {}".format(view.state, progress_line(view)))
