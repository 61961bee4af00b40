"""The report at the end of a start, by a process of its own.

Its own, since the charts' library takes a second to load and memory that a dispatcher does not have to spare, and since a
thumbnail of an image that crashes its decoder, or of a disk that hangs, then costs the report and nothing else.
"""

from __future__ import annotations

import os
import time
from typing import Any, Optional, Type

from ..boot import ReportOrders
from ..commandline import quoted
from ..config import RunConfig
from ..console import one_line
from ..runfolder import RunFolder
from .child import Child
from .start import Say, Start

#: A report takes some seconds of CPU. A start that was shorter than this has little to tell, and who tries something out would
#: wait for the report most of the time.
LEAST_SECONDS = 10.0
#: It takes longer only where a disk hangs.
_MOST_SECONDS = 60.0
#: With less left of `--grace` it is not begun.
_WORTH_TRYING = 5.0
_LOOK_SECONDS = 0.05


class EndReport:
    """Writes the report when it is left, after the run folder was let go of, so that the report says how the start ended.

    Whatever becomes of the report, the start's own outcome stays what it is.

    Args:
        folder: the run folder.
        say: takes a sentence.
    """

    def __init__(self, folder: RunFolder, say: Say) -> None:
        self._folder = folder
        self._say = say
        self._start: Optional[Start] = None
        self._grace = 0.0
        self._began = 0.0

    def __enter__(self) -> "EndReport":
        return self

    def begin(self, start: Start, config: RunConfig) -> None:
        """A start begins now; `config` says whether it is to have a report, and when the program has to end."""
        self._start = start if config.report else None
        self._grace = config.grace
        self._began = time.monotonic()

    def __exit__(self, kind: Optional[Type[BaseException]], *_: Any) -> None:
        now = time.monotonic()
        if self._start is None or now - self._began < LEAST_SECONDS:
            return
        interrupts = self._start.interrupts
        # Ctrl-C before the pool was at work, or a second one: it is to end at once.
        if interrupts.count > 1 or (kind is not None and issubclass(kind, KeyboardInterrupt)):
            return
        seconds = _MOST_SECONDS
        if interrupts.since is not None:
            seconds = min(seconds, interrupts.since + self._grace - now)
        if seconds >= _WORTH_TRYING:
            self._write(now + seconds)

    def _write(self, until: float) -> None:
        child: Optional[Child] = None
        trouble = ""
        try:
            orders = ReportOrders(name="report", parent=os.getpid(), out=self._folder.out)
            child = Child("divainfer.reporting", orders, {}, self._folder.log("report"), self._folder.path)
            while child.exit_status() is None and time.monotonic() < until:
                time.sleep(_LOOK_SECONDS)
            if child.exit_status() is None:
                trouble = "it took too long"
            elif child.exit_status() != 0:
                trouble = child.how_it_ended()
        except KeyboardInterrupt:
            trouble = "stopped by Ctrl-C or SIGTERM"
        except OSError as error:
            trouble = error.strerror or str(error)
        finally:
            if child is not None and child.exit_status() is None:
                child.kill()
        if trouble:
            text = "The report was not written ({}). Nothing else is affected; `divainfer report {}` writes it."
            self._say(text.format(trouble.rstrip("."), quoted(self._folder.out)))
        else:
            self._say("Report: {}".format(one_line(self._folder.report)))
