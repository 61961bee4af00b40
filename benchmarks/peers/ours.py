"""divainfer, as it comes: `--loaders auto`, whatever the row."""

from __future__ import annotations

import os

import divainfer

from .device import NOTES
from .task import DEMO, Task

TITLE = "divainfer"
NEEDS = ()
SWEPT = False


def run(task: Task) -> None:
    """The whole job."""
    os.environ[NOTES] = task.notes
    real = task.engine == DEMO
    summary = divainfer.run(
        divainfer.RunConfig(
            images=task.images,
            out=task.out,
            engine="noted_tensorflow" if real else "noted_emulated:busy_ms=" + task.engine,
            model=DEMO if real else "",
            gpus="cpu:{}".format(task.devices),
            short_edge_size=task.short_edge_size,
            max_size=task.max_size,
            progress="none",
        )
    )
    if summary.exit_code:
        raise SystemExit("divainfer ended with {}: {}".format(summary.exit_code, summary.error))
