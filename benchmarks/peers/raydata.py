"""Ray Data's batch inference: a map that decodes, then a pool of actors, one a device."""

from __future__ import annotations

import os
from typing import Any, Dict

import numpy as np

from divainfer.machine import usable_cores

from .device import Device
from .image import read_frame
from .task import Task

TITLE = "Ray Data"
NEEDS = ("ray",)
SWEPT = False

#: Frames that travel in one block. With the default the first one is there when dozens are decoded.
_BLOCK_FRAMES = 8


class Detector:
    """The actor of one device."""

    def __init__(self, task: Task) -> None:
        self._device = Device(task)
        self._task = task

    def __call__(self, batch: Dict[str, Any]) -> Dict[str, Any]:
        """Computes a batch; what it returns only says that it is done."""
        for path, frame, size in zip(batch["path"], batch["frame"], batch["size"]):
            self._device.compute(str(path), frame, (int(size[0]), int(size[1])))
        return {"path": batch["path"]}


def run(task: Task) -> None:
    """The whole job."""
    import ray

    ray.init(
        num_cpus=usable_cores(),
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        _temp_dir=os.path.join(task.notes, "ray"),
    )
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    paths = [{"path": path} for path in task.paths()]

    def load(row: Dict[str, Any]) -> Dict[str, Any]:
        frame, size = read_frame(row["path"], task)
        return {"path": row["path"], "frame": frame, "size": np.array(size)}

    done = (
        ray.data.from_items(paths, override_num_blocks=max(1, len(paths) // _BLOCK_FRAMES))
        .map(load, num_cpus=1, concurrency=task.workers * 1)
        .map_batches(
            Detector,
            fn_constructor_args=(task,),
            batch_size=1,
            num_cpus=0,
            concurrency=task.devices,
            zero_copy_batch=True,
        )
    )
    for _ in done.iter_batches(batch_size=None):
        pass
    ray.shutdown()
