"""The writer thread: detections to results, beside the engine, so that the engine never waits for a disk."""

from __future__ import annotations

import errno
import itertools
import queue
import threading
import time
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from ..detections import Detections
from ..errors import EngineError
from ..histogram import Histogram
from ..imagelist import ImageList
from ..messages import Failure
from ..output.format import Finished, Row, Store
from .commands import Done, Frame
from .results import Found, ResultFormat, Rows

#: So many batches or images, whichever is more, may wait here besides what is being written; with more, the engine counts as
#: blocked. Results of about so many images are made at once.
_BATCHES, _IMAGES = 8, 64
#: What comes is left to gather for so long: what a thread does just after it woke costs several times as much. After some
#: looks in vain the writer sleeps until it is woken, which costs the engine's thread more than all else between two batches.
_GATHER_SECONDS, _LOOKS = 0.05, 3
#: What a result's own name can be to blame for; any other error is the disk's, and nothing can be written any more.
_OWN = frozenset((errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EILSEQ, errno.EINVAL))

Outcome = Union[Detections, Failure]


class Written(NamedTuple):
    """Each image of a batch has its result written or kept for its block, but for the `failures`."""

    number: int
    failures: List[Failure]


class Settled(NamedTuple):
    """All results of these ranges of a block are written; `over` as in `Done`."""

    block: int
    finished: List[Finished]
    over: bool


class Fatal(NamedTuple):
    """The worker cannot go on. `disk`: because results cannot be written, which no other worker could either."""

    reason: str
    disk: bool = False


class _Batch(NamedTuple):
    number: int
    outcomes: Sequence[Tuple[Frame, Outcome]]


class _End:
    """Nothing comes after it."""


_Work = Union[_Batch, Done, _End]


class Writer:
    """Writes results.

    Args:
        worker: the worker's name.
        out: the output folder, for messages.
        images: the image list.
        result_format: how detections become results.
        store: where they go.
        post: takes `Settled` and `Fatal`; called from this thread.
        post_quietly: takes `Written`.
    """

    def __init__(
        self,
        worker: str,
        out: str,
        images: ImageList,
        result_format: ResultFormat,
        store: Store,
        post: Callable[[Any], None],
        post_quietly: Callable[[Any], None],
    ) -> None:
        self._worker = worker
        self._out = out
        self._images = images
        self._format = result_format
        self._store = store
        self._post = post
        self._post_quietly = post_quietly
        self._work: "queue.SimpleQueue[_Work]" = queue.SimpleQueue()
        self._room = threading.Event()
        self._room.set()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.images = 0
        self.detections = 0
        self.seconds = 0.0
        self._times = Histogram()
        #: When it began the batch or block it is at; None while it has nothing.
        self.since: Optional[float] = None

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def put(self, number: int, outcomes: Sequence[Tuple[Frame, Outcome]]) -> None:
        """Hands over a batch."""
        waiting, most = self._work.qsize(), max(_BATCHES, _IMAGES // len(outcomes))
        if waiting >= most:
            # Before the batch is there: whoever takes it says that there is room again.
            self._room.clear()
        self._work.put(_Batch(number, outcomes))
        if waiting >= most // 2:
            self._hurry.set()

    @property
    def is_full(self) -> bool:
        """Whether whoever hands over batches has to wait for room."""
        return not self._room.is_set()

    @property
    def times(self) -> List[int]:
        """How long results took, as the counts of a histogram."""
        return self._times.counts

    def wait_for_room(self) -> None:
        """Waits until the writer has taken what was waiting: at each single batch, two threads would have to wake."""
        self._room.wait()

    def settle(self, done: Done) -> None:
        """Asks to vouch for what is done of a block, whose batches were all written; returns at once."""
        self._work.put(done)

    def hurry(self) -> None:
        """Has it write what it has, without gathering more."""
        self._hurry.set()

    def close(self) -> None:
        """Ends the thread after what was handed over."""
        self._work.put(_End())
        self._hurry.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                for _, group in itertools.groupby(self._take(), type):
                    work = list(group)
                    if isinstance(work[0], _End):
                        return
                    started = time.monotonic()
                    for batches in _portions([one for one in work if isinstance(one, _Batch)]):
                        self._write(batches)
                    for one in work:
                        if isinstance(one, Done):
                            self.since = time.monotonic()
                            self._post(self._settle(one))
                    self.since = None
                    self.seconds += time.monotonic() - started
        except OSError as error:
            reason = "results cannot be written to {} ({}); make room or mend it".format(
                self._out, error.strerror or error
            )
            self._post(Fatal(reason, disk=True))
        except Exception as error:  # Whatever it is, the dispatcher must hear of it.
            self._post(Fatal("the writer failed: {!r}".format(error)))

    def _take(self) -> "List[_Work]":
        """All that waits, at least something."""
        for _ in range(_LOOKS):
            self._hurry.wait(_GATHER_SECONDS)
            if not self._work.empty():
                break
        self._hurry.clear()
        taken = [self._work.get()]
        while not self._work.empty():
            taken.append(self._work.get())
        self._room.set()
        return taken

    def _write(self, batches: List[_Batch]) -> None:
        # Made together, as `ResultFormat.rows` says why.
        found = [
            Found(outcome, (frame.image_height, frame.image_width), (frame.height, frame.width))
            for batch in batches
            for frame, outcome in batch.outcomes
            if isinstance(outcome, Detections)
        ]
        began = self.since = time.monotonic()
        results = iter(self._format.rows(found) if found else [])
        made_in = (time.monotonic() - began) / max(1, len(found))
        for batch in batches:
            self.since = time.monotonic()
            failures = []
            for frame, outcome in batch.outcomes:
                failure = outcome if isinstance(outcome, Failure) else self._put(frame, next(results), made_in)
                if failure is not None:
                    failures.append(failure)
            self._post_quietly(Written(batch.number, failures))

    def _settle(self, done: Done) -> Settled:
        return Settled(
            done.block,
            [
                Finished(start, stop, tuple(failures), self._store.settle(start, stop), self._worker)
                for start, stop, failures in done.parts
            ],
            done.over,
        )

    def _put(self, frame: Frame, rows: Union[Rows, EngineError], made_in: float) -> Optional[Failure]:
        """Stores one image's result, which was made in so many seconds; returns why not, if that is the image's own fault."""
        if isinstance(rows, EngineError):
            return Failure(frame.index, "engine", str(rows))
        began = time.monotonic()
        try:
            image_size = (frame.image_height, frame.image_width)
            self._store.put(Row(frame.index, self._images[frame.index], image_size, rows))
        except OSError as error:
            if error.errno not in _OWN:
                raise
            return Failure(frame.index, "write", "its result cannot be written: {}".format(error.strerror))
        self.images += 1
        self.detections += len(rows)
        self._times.add(made_in + time.monotonic() - began)
        return None


def _portions(batches: List[_Batch]) -> Iterator[List[_Batch]]:
    """Batches with about `_IMAGES` images together: a model's masks take a second for so many, and somebody watches."""
    portion: List[_Batch] = []
    for batch in batches:
        portion.append(batch)
        if sum(len(one.outcomes) for one in portion) >= _IMAGES:
            yield portion
            portion = []
    if portion:
        yield portion
