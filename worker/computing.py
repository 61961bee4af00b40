"""The engine's threads: take a batch, compute it, say what was found.

NOTE [between]: from the end of one batch to the begin of the next the device waits. On a thread that has just woken each line
takes several times as long as in a row, so that a few dozen take a tenth of a millisecond. Hence what can be done elsewhere is:
by the loop, which hands batches over and takes what was found, or by the writer.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import Any, Callable, List, NamedTuple, Optional, Tuple

import numpy as np

from ..computingfile import ComputingFile, note_of
from ..detections import Detections
from ..errors import DivaInferError, EngineBootError, EngineError, EngineOutOfMemory
from ..loader.memory import FrameMemory
from ..messages import Failure
from .commands import Compute, Frame
from .engines.base import Engine, EngineInfo
from .room import Room
from .timesplit import TimeSplit
from .writer import Fatal, Outcome, Writer

log = logging.getLogger("worker")


class Ready(NamedTuple):
    """The engine is loaded."""

    info: EngineInfo
    seconds: float


class BootFailed(NamedTuple):
    """The engine cannot be loaded."""

    reason: str


class Computed(NamedTuple):
    """A batch's frames are not needed any more: each has its outcome, after so many seconds."""

    number: int
    frames: Tuple[Frame, ...]
    outcomes: List[Outcome]
    seconds: float


class Dropped(NamedTuple):
    """A batch was passed over, because the worker stops."""

    number: int


class _Batch(NamedTuple):
    """A batch as it waits for a stream.

    Attributes:
        number: its number.
        frames: all of one shape.
        pixels: a view of them, uint8 `[b, H, W, 3]`; None where they lie apart.
        note: what to note while it is computed.
    """

    number: int
    frames: Tuple[Frame, ...]
    pixels: Optional[np.ndarray]
    note: memoryview


class Computing:
    """Runs an engine in `streams` threads.

    Args:
        engine: not loaded yet.
        memory: where the frames lie.
        writer: with no room in it, nothing is computed.
        split: adds up the engine's time.
        streams: batches in flight.
        noted: where the images being computed are noted.
        post: takes `Ready`, `BootFailed`, `Dropped` and `Fatal`; called from these threads.
        post_computed: takes `Computed`.
    """

    def __init__(
        self,
        engine: Engine,
        memory: FrameMemory,
        writer: Writer,
        split: TimeSplit,
        streams: int,
        noted: ComputingFile,
        post: Callable[[Any], None],
        post_computed: Callable[[Computed], None],
    ) -> None:
        self._engine = engine
        self._info = EngineInfo("")
        self._memory = memory
        self._writer = writer
        self._split = split
        self._noted = noted
        self._post = post
        self._post_computed = post_computed
        self._batches: "queue.SimpleQueue[Optional[_Batch]]" = queue.SimpleQueue()
        self._streams = streams
        self._threads: List[threading.Thread] = []
        self._stopping = False
        self._since: List[Optional[float]] = [None] * streams
        #: One a stream: counting is not safe between threads.
        self._done = [0] * streams
        self._room = Room()
        self._last_good: Optional[Tuple[int, ...]] = None

    def start(self) -> None:
        """Loads the engine and then computes; returns at once."""
        self._start_thread(self._load_and_run, 0)

    def put(self, batch: Compute) -> None:
        """Hands over a batch."""
        frames = batch.frames
        pixels = self._memory.view([frame.offset for frame in frames], frames[0].height, frames[0].width)
        note = note_of([frame.index for frame in frames])
        self._batches.put(_Batch(batch.number, frames, pixels, note))

    def stop(self) -> None:
        """From now on batches that were not begun are dropped."""
        self._stopping = True

    def close(self) -> None:
        """Ends the threads after their present batch, then the engine."""
        for _ in range(self._streams):
            self._batches.put(None)
        for thread in self._threads:
            thread.join()
        self._engine.close()

    @property
    def batches(self) -> int:
        """Batches computed."""
        return sum(self._done)

    @property
    def left(self) -> int:
        """Batches that wait for a stream."""
        return self._batches.qsize()

    def longest(self) -> Tuple[float, bool]:
        """Seconds that the oldest batch has been computing, and whether any batch was ever finished."""
        begun = [since for since in self._since if since is not None]
        return (time.monotonic() - min(begun) if begun else 0.0), self.batches > 0

    def _start_thread(self, target: Callable[[int], None], stream: int) -> None:
        thread = threading.Thread(target=target, args=(stream,), name="engine-{}".format(stream), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _load_and_run(self, stream: int) -> None:
        started = time.monotonic()
        try:
            self._info = self._engine.load()
        except DivaInferError as error:
            return self._post(BootFailed(str(error)))
        except Exception as error:  # A plug-in may raise anything.
            return self._post(BootFailed("the engine failed while loading: {!r}".format(error)))
        self._split.restart()
        self._post(Ready(self._info, time.monotonic() - started))
        for other in range(1, self._streams):
            self._start_thread(self._run, other)
        self._run(stream)

    def _run(self, stream: int) -> None:
        try:
            while True:
                batch = self._batches.get()
                if batch is None:
                    return
                if self._stopping:
                    self._post(Dropped(batch.number))
                    continue
                self._noted.begin(stream, batch.note)
                self._since[stream] = began = self._split.begin_computing()
                outcomes = self._compute(batch)
                ended = self._split.end_computing()
                self._since[stream] = None
                self._noted.end(stream)
                self._done[stream] += 1
                self._post_computed(Computed(batch.number, batch.frames, outcomes, ended - began))
                if self._writer.is_full:
                    self._split.begin_waiting()
                    self._writer.wait_for_room()
                    self._split.end_waiting()
        except _Broken as error:
            self._post(Fatal(str(error)))
        except Exception as error:  # Whatever it is, the dispatcher must hear of it.
            self._post(Fatal("the engine's thread failed: {!r}".format(error)))

    def _compute(self, batch: _Batch) -> List[Outcome]:
        frames, pixels = batch.frames, batch.pixels
        height, width = frames[0].height, frames[0].width
        wanted = (self._info.frame_height or height, self._info.frame_width or width)
        if wanted != (height, width):
            reason = "the graph takes frames of {1} x {0} only, this image gives {3} x {2}".format(
                *wanted, height, width
            )
            return [Failure(frame.index, "size", reason) for frame in frames]
        if pixels is None:
            pixels = self._memory.gather([frame.offset for frame in frames], height, width)
        return self._infer(pixels, frames)

    def _infer(self, pixels: np.ndarray, frames: Tuple[Frame, ...]) -> List[Outcome]:
        """Computes a batch; when the engine fails on it, halves it until the frames at fault are alone.

        A batch of more frames than fit into the device's memory is cut before it is tried.
        """
        shape = (frames[0].height, frames[0].width)
        limit = self._room.limit(shape, len(frames))
        if limit < len(frames):
            outcomes: List[Outcome] = []
            for start in range(0, len(frames), limit):
                outcomes += self._infer(pixels[start : start + limit], frames[start : start + limit])
            return outcomes
        try:
            found = self._engine.infer(pixels)
            check_detections(found, len(frames))
            self._last_good = pixels.shape
            if self._room.worked(shape, len(frames)):
                log.warning(
                    "batches of %d x %d frames are cut to %d: the device has not enough memory for more",
                    *(shape[1], shape[0], len(frames)),
                )
            # Who returns the same list each time may fill it anew before this one is looked at.
            return list(found)
        except _Broken:
            raise
        except Exception as error:  # A plug-in may raise anything; the run goes on without this image.
            if len(frames) > 1:
                # A graph built for a fixed batch needs the memory of a full one for each piece.
                if isinstance(error, EngineOutOfMemory) and self._info.batch_size is None:
                    self._room.out_of_memory(shape, len(frames))
                half = (len(frames) + 1) // 2
                return self._infer(pixels[:half], frames[:half]) + self._infer(pixels[half:], frames[half:])
            if not isinstance(error, EngineError):
                log.exception("the engine failed on image %d", frames[0].index)
            reason = str(error) if isinstance(error, EngineError) else "the engine raised {!r}".format(error)
            self._probe(pixels.shape, reason)
            return [Failure(frames[0].index, "engine", reason)]

    def _probe(self, shape: Tuple[int, ...], reason: str) -> None:
        """Tells an image the engine cannot do from an engine that can do nothing any more, such as one whose GPU is gone.

        Raises:
            _Broken: when it fails on black frames as well, of a shape that it has done before if there is one.
        """
        try:
            self._engine.infer(np.zeros(self._last_good or shape, np.uint8))
        except Exception:  # Whatever it is this time.
            raise _Broken("the engine fails on every frame: {}".format(reason))


def check_detections(found: Any, frames: int) -> None:
    """Checks what an engine returned for a batch.

    Raises:
        EngineError: one sentence, when it is not one `Detections` a frame, with arrays of matching lengths.
    """
    if not isinstance(found, (list, tuple)) or len(found) != frames:
        what = "{} results".format(len(found)) if isinstance(found, (list, tuple)) else repr(type(found).__name__)
        raise EngineError(
            "the engine returned {} for {} frames, not a list of one Detections each".format(what, frames)
        )
    for one in found:
        if not isinstance(one, Detections):
            raise EngineError("the engine returned {!r} for a frame, not Detections".format(type(one).__name__))
        count = len(one.boxes)
        if np.shape(one.boxes) != (count, 4) or np.shape(one.labels) != (count,) or np.shape(one.scores) != (count,):
            shapes = [np.shape(part) for part in (one.boxes, one.labels, one.scores)]
            raise EngineError(
                "the engine returned boxes, labels and scores of the shapes {}, {} and {}".format(*shapes)
            )


class _Broken(Exception):
    """The engine is of no use any more; the text says why."""


def check_fits(info: EngineInfo, batch_size: int) -> None:
    """Checks that an engine takes the batches the queue makes.

    Raises:
        EngineBootError: when it is built for another batch size.
    """
    if info.batch_size is not None and info.batch_size != batch_size:
        raise EngineBootError(
            "the engine is built for batches of {}; give --batch-size {}".format(info.batch_size, info.batch_size)
        )
