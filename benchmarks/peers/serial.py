"""The loop of 2019: read, compute, write, one after the other."""

from __future__ import annotations

from .device import Device
from .image import read_frame
from .task import DEMO, Task

TITLE = "serial loop of 2019"
NEEDS = ()
SWEPT = False


def feed(task: Task, device: int) -> None:
    """One device's job."""
    with Device(task) as computing:
        for path in task.share(device):
            frame, size = read_frame(path, task.short_edge_size, task.max_size)
            if task.engine != DEMO:
                # Its graph took float32; the real graph here casts by itself.
                frame.astype("float32")
            computing.compute(path, frame, size)
