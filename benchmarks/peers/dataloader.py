"""torch's DataLoader: worker processes that hand over uint8 tensors in shared memory."""

from __future__ import annotations

from typing import Any, List

import cv2

from .device import Device
from .image import read_frame
from .task import Task

TITLE = "torch DataLoader"
NEEDS = ("torch",)
SWEPT = True


class Frames:
    """A map-style dataset of frames.

    Args:
        paths: of the images.
        task: tells the frames' sizes.
    """

    def __init__(self, paths: List[str], task: Task) -> None:
        self._paths = paths
        self._task = task

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Any:
        import torch

        frame, size = read_frame(self._paths[index], self._task.short_edge_size, self._task.max_size)
        return self._paths[index], torch.from_numpy(frame), size


def feed(task: Task, device: int) -> None:
    """One device's job."""
    from torch.utils.data import DataLoader

    loader = DataLoader(
        Frames(task.share(device), task),  # type: ignore[arg-type]
        batch_size=None,
        num_workers=task.workers,
        prefetch_factor=4,
        worker_init_fn=_begin,
    )
    # Before the engine: TensorFlow does not survive a fork.
    frames = iter(loader)
    with Device(task) as computing:
        for path, frame, size in frames:
            computing.compute(path, frame.numpy(), size)


def _begin(_: int) -> None:
    cv2.setNumThreads(0)
