"""The run folder: `<out>/.divainfer/`, and every path in it. The folder is the interface of a run.

run.json          what runs: fingerprint, configuration, devices, versions
images.lst        the image list, absolute paths, each ended by a NUL byte
images.idx        where each path starts in it, uint64 little-endian, one more than there are images
ledger            what is done (see `ledger.py`)
failures.jsonl    one JSON object a failure; written anew from the ledger at each start
progress.json     how far it is, renewed every second while a dispatcher works here
metrics.jsonl     what GPUs, processes and queues did, a line a second, over all starts (see `monitor/sample.py`)
summary.json      figures of the last start, once it ended
report.html       the run for people: figures, charts, pictures; comparison.html beside it: of two runs
reserve           room for the summary, should the disk be full by then
lock              held while a dispatcher works here; says who held it last
lock.owner        who works here, on file systems without locks (see `ownerfile.py`)
logs/             one file a worker, one for its loaders, and one of the report
drawn/            pictures that `divainfer draw` has made
parts/            results being written, renamed to their place when whole; what each worker computes
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from typing import Any

from .errors import OutputError

FOLDER = ".divainfer"


class RunFolder:
    """Names the files of one run.

    Args:
        out: the output folder, as given.
    """

    def __init__(self, out: str) -> None:
        self.out = os.path.abspath(out)
        self.path = os.path.join(self.out, FOLDER)
        self.run = os.path.join(self.path, "run.json")
        self.list = os.path.join(self.path, "images.lst")
        self.index = os.path.join(self.path, "images.idx")
        self.ledger = os.path.join(self.path, "ledger")
        self.failures = os.path.join(self.path, "failures.jsonl")
        self.progress = os.path.join(self.path, "progress.json")
        self.summary = os.path.join(self.path, "summary.json")
        self.metrics = os.path.join(self.path, "metrics.jsonl")
        self.report = os.path.join(self.path, "report.html")
        self.comparison = os.path.join(self.path, "comparison.html")
        self.reserve = os.path.join(self.path, "reserve")
        self.lock = os.path.join(self.path, "lock")
        self.owner = os.path.join(self.path, "lock.owner")
        self.logs = os.path.join(self.path, "logs")
        self.drawn = os.path.join(self.path, "drawn")
        self.parts = os.path.join(self.path, "parts")

    def log(self, process: str) -> str:
        """The log file of a process, such as `worker-0`."""
        return os.path.join(self.logs, process + ".log")

    def computing(self, worker: str) -> str:
        """Where a worker notes what it computes."""
        return os.path.join(self.parts, worker + ".computing")

    def remove_unless_used(self) -> None:
        """Takes the folder away again when nothing was ever done in it, and `out` too if it is empty then."""
        for name in (self.list + ".new", self.index + ".new"):
            if os.path.exists(name):
                os.unlink(name)
        if not os.path.exists(self.run) and not os.path.exists(self.ledger):
            shutil.rmtree(self.path)
            with contextlib.suppress(OSError):
                os.rmdir(self.out)

    def sweep(self) -> None:
        """Removes what a killed worker was writing. Only while no worker is at work."""
        for name in os.listdir(self.parts):
            os.unlink(os.path.join(self.parts, name))

    def make(self) -> None:
        """Makes the folders.

        Raises:
            OutputError: when that is not possible.
        """
        try:
            os.makedirs(self.logs, exist_ok=True)
            os.makedirs(self.parts, exist_ok=True)
            with open(self.lock, "a"):
                pass
        except OSError as error:
            raise OutputError(
                "--out {}: the folder cannot be written ({}). Make room, choose another one, or change its permissions.".format(
                    self.out, error.strerror
                )
            )


def write_json(path: str, value: Any, lasting: bool = True) -> None:
    """Writes indented JSON beside `path` and renames it into place, so that a reader sees the old or the new, whole.

    Args:
        path: the file.
        value: plain values.
        lasting: wait until the disk has it.

    Raises:
        OSError: when the disk refuses.
    """
    part = path + ".part"
    with open(part, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
        if lasting:
            file.flush()
            os.fsync(file.fileno())
    os.replace(part, path)
