"""The device that all contestants feed: divainfer's own engine classes, and a note of when they computed."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from typing import Any, List, Tuple

import numpy as np

from divainfer.detections import Detections
from divainfer.modelfile.card import read_card
from divainfer.modelfile.spec import model_path
from divainfer.worker.engines.base import Engine, EngineInfo, EngineSpec
from divainfer.worker.engines.emulated import EmulatedEngine
from divainfer.worker.engines.tensorflow import TensorFlowEngine
from divainfer.worker.results import Found, ResultFormat

from .notes import Notes
from .task import DEMO, Task

#: The environment variable that names `Task.notes`, for engines that divainfer's workers make.
NOTES = "PEERS_NOTES"


class Noted(Engine):
    """Notes the beginning and the end of each call of an engine, seconds of the machine's monotonic clock."""

    def load(self) -> EngineInfo:
        """As the engine itself; the notes are in a file named after this process."""
        info = super().load()  # type: ignore[safe-super]
        self._notes = Notes(os.path.join(os.environ[NOTES], "{}.calls".format(os.getpid())))
        return info

    def infer(self, frames: np.ndarray) -> List[Detections]:
        """As the engine itself."""
        begun = time.monotonic()
        found = super().infer(frames)  # type: ignore[safe-super]
        self._notes.add(begun, time.monotonic(), len(frames))
        return found

    def close(self) -> None:
        """As the engine itself."""
        super().close()
        self._notes.close()


class NotedEmulated(Noted, EmulatedEngine):
    """An emulated device."""


class NotedTensorFlow(Noted, TensorFlowEngine):
    """The real graph."""


class Device:
    """One device of a contestant: computes a frame after the other and writes their results, as a script of one's own would.

    The results are written in place and without a ledger, which is less than divainfer does.

    Args:
        task: what to do.
        colour_order: of the frames that will come, "BGR" or "RGB".
    """

    def __init__(self, task: Task, colour_order: str = "BGR") -> None:
        os.environ[NOTES] = task.notes
        self._task = task
        path, options = "", {"busy_ms": task.engine}
        made: Any = NotedEmulated
        if task.engine == DEMO:
            path, options, made = model_path(DEMO), {}, NotedTensorFlow
        card = dataclasses.replace(read_card(path), colour_order=colour_order)
        self._format = ResultFormat(card.classes)
        self._engine: Engine = made(EngineSpec(path, card, "cpu", False, 1, task.threads, options))
        self._engine.load()

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def compute(self, path: str, frame: np.ndarray, image_size: Tuple[int, int]) -> None:
        """Computes a frame and writes its result.

        Args:
            path: of the image.
            frame: uint8 `[H, W, 3]`.
            image_size: height and width of the image, pixels.
        """
        (found,) = self._engine.infer(frame[np.newaxis])
        (rows,) = self._format.rows([Found(found, image_size, (frame.shape[0], frame.shape[1]))])
        with open(self._task.result_path(path), "w") as file:
            json.dump(rows, file)
