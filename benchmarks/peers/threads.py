"""A queue of decoded frames that a few threads fill: what the system of 2019 did later."""

from __future__ import annotations

import queue
import threading
from typing import Any

import cv2

from .device import Device
from .image import read_frame
from .task import Task

TITLE = "threads and a queue"
NEEDS = ()
SWEPT = True

_QUEUED = 16


def feed(task: Task, device: int) -> None:
    """One device's job."""
    cv2.setNumThreads(0)
    frames: "queue.Queue[Any]" = queue.Queue(_QUEUED)
    paths = iter(task.share(device))
    lock = threading.Lock()

    def load() -> None:
        while True:
            with lock:
                path = next(paths, None)
            if path is None:
                return frames.put(None)
            frames.put((path, *read_frame(path, task.short_edge_size, task.max_size)))

    for _ in range(task.workers):
        threading.Thread(target=load, daemon=True).start()
    with Device(task) as computing:
        left = task.workers
        while left:
            loaded = frames.get()
            if loaded is None:
                left -= 1
            else:
                computing.compute(*loaded)
