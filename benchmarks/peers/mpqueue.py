"""Producer processes and a bounded queue of pickled frames, as MegaDetector has it."""

from __future__ import annotations

import multiprocessing
from typing import Any, List

import cv2

from .device import Device
from .image import read_frame
from .task import Task

TITLE = "multiprocessing queue"
NEEDS = ()
SWEPT = True

_QUEUED = 10


def feed(task: Task, device: int) -> None:
    """One device's job."""
    frames: Any = multiprocessing.JoinableQueue(_QUEUED)
    paths = task.share(device)
    producers = [
        multiprocessing.Process(target=_produce, args=(frames, paths[number :: task.workers], task), daemon=True)
        for number in range(task.workers)
    ]
    # Before the engine: TensorFlow does not survive a fork.
    for producer in producers:
        producer.start()
    with Device(task) as computing:
        left = len(producers)
        while left:
            loaded = frames.get()
            if loaded is None:
                left -= 1
            else:
                computing.compute(*loaded)
            frames.task_done()
    for producer in producers:
        producer.join()


def _produce(frames: Any, paths: List[str], task: Task) -> None:
    cv2.setNumThreads(0)
    for path in paths:
        frames.put((path, *read_frame(path, task.short_edge_size, task.max_size)))
    frames.put(None)
    frames.join()
