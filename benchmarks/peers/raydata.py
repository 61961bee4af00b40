"""Ray Data: a parallel map that decodes, streamed to whoever computes.

One device is fed by the iterator in this process, several by an actor each with its part of the stream. A pool of actors behind
`map_batches` is the other usual way.
"""

from __future__ import annotations

import os
from typing import Any, Dict

import numpy as np

from divainfer.geometry import frame_bytes
from divainfer.machine import usable_cores

from .device import Device
from .image import read_frame
from .task import Task

TITLE = "Ray Data"
NEEDS = ("ray",)
SWEPT = False

#: What travels at a time: somewhat below Ray's own limit, at which it would cut blocks.
_BLOCK_BYTES = 100 * 10**6
_PREFETCHED = 4


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
    ray.data.DataContext.get_current().enable_progress_bars = False
    paths = task.paths()
    frames_bytes = len(paths) * frame_bytes(task.short_edge_size, task.max_size)
    blocks = max(2 * usable_cores(), frames_bytes // _BLOCK_BYTES)

    def load(row: Dict[str, Any]) -> Dict[str, Any]:
        frame, size = read_frame(row["item"], task.short_edge_size, task.max_size)
        return {"path": row["item"], "frame": frame, "size": np.array(size)}

    frames = ray.data.from_items(paths, override_num_blocks=min(blocks, len(paths))).map(load)
    if task.devices == 1:
        _compute_all(task, frames)
    else:
        compute_all = ray.remote(num_cpus=0)(_compute_all)
        ray.get([compute_all.remote(task, share) for share in frames.streaming_split(task.devices)])
    ray.shutdown()


def _compute_all(task: Task, frames: Any) -> None:
    with Device(task) as computing:
        for batch in frames.iter_batches(batch_size=1, prefetch_batches=_PREFETCHED):
            height, width = batch["size"][0]
            computing.compute(str(batch["path"][0]), batch["frame"][0], (int(height), int(width)))
