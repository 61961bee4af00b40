"""The writer thread: results to files, beside the engine, so that the engine never waits for a disk."""

from __future__ import annotations

import errno
import os
import queue
import threading
import time
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

from ..detections import Detections
from ..errors import EngineError
from ..imagelist import ImageList
from ..messages import Failure
from ..naming import Naming
from ..runfolder import RunFolder
from .queue import Frame
from .results import ResultFormat

#: Batches that may wait here; with more, the engine counts as blocked.
_WAITING = 4
#: What a result's own name can be to blame for; any other error is the disk's, and nothing can be written any more.
_OWN = frozenset((errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EILSEQ, errno.EINVAL))
#: Folders known to exist; forgotten now and then, so that a list of millions of folders does not fill the memory.
_KNOWN_FOLDERS = 10000

Outcome = Union[Detections, Failure]


class Written(NamedTuple):
    """A batch is on disk, but for its `failures`."""

    number: int
    failures: List[Failure]


class Fatal(NamedTuple):
    """The worker cannot go on. `disk`: because results cannot be written, which no other worker could either."""

    reason: str
    disk: bool = False


class Writer:
    """Writes results.

    Args:
        name: the worker's name, the name of the file being written.
        folder: the run folder.
        images: the image list.
        naming: how results are named.
        result_format: how detections become text.
        post: takes `Written` and `Fatal`; called from this thread.
    """

    def __init__(
        self,
        name: str,
        folder: RunFolder,
        images: ImageList,
        naming: Naming,
        result_format: ResultFormat,
        post: Callable[[Any], None],
    ) -> None:
        self._part = os.fsencode(os.path.join(folder.parts, name))
        self._out = os.fsencode(folder.out)
        self._images = images
        self._naming = naming
        self._format = result_format
        self._post = post
        self._batches: "queue.Queue[Optional[Tuple[int, Sequence[Tuple[Frame, Outcome]]]]]" = queue.Queue(_WAITING)
        self._folders: Set[bytes] = set()
        self._elsewhere: Set[bytes] = set()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.images = 0
        self.detections = 0
        self.seconds = 0.0
        #: When it began the batch it is writing; None while it has none.
        self.since: Optional[float] = None

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def put(self, number: int, outcomes: Sequence[Tuple[Frame, Outcome]]) -> None:
        """Hands over a batch; waits while too many are waiting."""
        self._batches.put((number, outcomes))

    def close(self) -> None:
        """Ends the thread after what was handed over."""
        self._batches.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                batch = self._batches.get()
                if batch is None:
                    return
                started = self.since = time.monotonic()
                number, outcomes = batch
                failures = [failure for failure in (self._settle(*pair) for pair in outcomes) if failure]
                self.since = None
                self.seconds += time.monotonic() - started
                self._post(Written(number, failures))
        except OSError as error:
            reason = "results cannot be written to {} ({}); make room or mend it".format(
                os.fsdecode(self._out), error.strerror or error
            )
            self._post(Fatal(reason, disk=True))
        except Exception as error:  # Whatever it is, the dispatcher must hear of it.
            self._post(Fatal("the writer failed: {!r}".format(error)))

    def _settle(self, frame: Frame, outcome: Outcome) -> Optional[Failure]:
        """Writes one image's result; returns why not, if that is the image's own fault."""
        if isinstance(outcome, Failure):
            return outcome
        try:
            content, found = self._format.encode(
                outcome, (frame.image_height, frame.image_width), (frame.height, frame.width)
            )
            self._write(self._naming.result_name(self._images[frame.index]), content)
        except EngineError as error:
            return Failure(frame.index, "engine", str(error))
        except OSError as error:
            if error.errno not in _OWN:
                raise
            return Failure(frame.index, "write", "its result cannot be written: {}".format(error.strerror))
        self.images += 1
        self.detections += found
        return None

    def _write(self, name: bytes, content: bytes) -> None:
        path = os.path.join(self._out, name)
        folder = os.path.dirname(path)
        if folder not in self._folders:
            self._make_folder(folder)
        part = self._part
        if folder in self._elsewhere:
            part = os.path.join(folder, b".divainfer-" + os.path.basename(self._part))
        with open(part, "wb") as file:
            file.write(content)
        try:
            os.replace(part, path)
        except FileNotFoundError:
            # Somebody has removed the folder since.
            self._make_folder(folder)
            os.replace(part, path)
        except OSError as error:
            if error.errno != errno.EXDEV or folder in self._elsewhere:
                raise
            # This folder is a link to another file system: there the file is written beside its place.
            self._elsewhere.add(folder)
            self._write(name, content)

    def _make_folder(self, folder: bytes) -> None:
        os.makedirs(folder, exist_ok=True)
        if len(self._folders) >= _KNOWN_FOLDERS:
            self._folders.clear()
        self._folders.add(folder)
