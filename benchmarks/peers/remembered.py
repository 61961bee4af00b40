"""No contestant but a limit: the engine alone, fed again and again with the frame that it has."""

from __future__ import annotations

from .device import Device
from .image import read_frame
from .task import Task

TITLE = "engine alone"
NEEDS = ()
SWEPT = False


def feed(task: Task, device: int) -> None:
    """One device's job."""
    paths = task.share(device)
    frame, size = read_frame(paths[0], task.short_edge_size, task.max_size)
    with Device(task) as computing:
        for path in paths:
            computing.compute(path, frame, size)
