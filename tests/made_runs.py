"""Runs made by hand: samples of a pool that does what is said, and run folders without a process at work."""

from __future__ import annotations

import json
import os
import time
from typing import Any, Dict, List, Optional, Sequence

from divainfer.config import RunConfig, to_json
from divainfer.imagelist import ImageListWriter, Listing
from divainfer.ledger import Ledger
from divainfer.messages import Failure, WorkerStats
from divainfer.monitor.sample import GpuSample, HostSample, RoleSample, Sample, WorkerSample
from divainfer.naming import Naming
from divainfer.runfolder import RunFolder
from divainfer.runrecord import RunRecord

GIB = 1 << 30
ROLES = {"loader": RoleSample(4, 2.5), "worker": RoleSample(2, 0.6), "dispatcher": RoleSample(1, 0.1)}


def worker_after(seconds: float, busy: float, frames: float = 10.0, **more: Any) -> WorkerStats:
    """A worker that has computed for a share of the time, starved for the rest, and done so many frames a second."""
    images = int(seconds * frames)
    return WorkerStats(
        images=images,
        busy=busy * seconds,
        starved=(1 - busy) * seconds,
        batches=images,
        decoded=images,
        decoding=1.8 * seconds,
        decoding_cpu=1.7 * seconds,
        reading=0.05 * seconds,
        loader_time=2 * seconds,
        cpu=0.3 * seconds,
        queued=30,
        slots=32,
        loaders=2,
    )._replace(**more)


def gpu(number: int, **more: Any) -> GpuSample:
    """A GPU in good health."""
    return GpuSample(
        uuid="GPU-{}".format(number),
        index=number,
        name="NVIDIA H100",
        utilisation=0.9,
        memory_used=30 * GIB,
        memory_total=80 * GIB,
        power=400.0,
        power_limit=700.0,
        temperature=66.0,
    )._replace(**more)


def samples_of(
    shares: Sequence[float], seconds: int, images: int = 100000, gpus: bool = True, begun: float = 1.6e9, **more: Any
) -> List[Sample]:
    """A sample a second of workers on GPUs, each of which is busy for a share of the time."""
    found = []
    for second in range(1, seconds + 1):
        workers = [
            WorkerSample(
                number, "GPU {} (NVIDIA H100)".format(number), "GPU-{}".format(number) if gpus else "", "up", loaders=2,
                stats=worker_after(second, busy),
            )
            for number, busy in enumerate(shares)
        ]  # fmt: skip
        found.append(
            Sample(
                time=begun + second,
                seconds=float(second),
                start=begun,
                images=images,
                done=sum(worker.stats.images for worker in workers),
                workers=workers,
                gpus=[gpu(number) for number in range(len(shares))] if gpus else [],
                host=HostSample(
                    16.0, 4.0, 20 * GIB, 64 * GIB, 2 * GIB, 32 * GIB, second * 10**7, second * 10**6, roles=ROLES
                ),
            )._replace(**more)
        )
    return found


def metrics_of(samples: Sequence[Sample]) -> bytes:
    """Samples as `metrics.jsonl` has them."""
    return b"".join(json.dumps(sample.to_json()).encode("ascii") + b"\n" for sample in samples)


class MadeRun:
    """A run folder in which nobody has worked yet.

    Args:
        out: the output folder.
        images: the list.
        config: options that differ from their defaults.
    """

    def __init__(self, out: str, images: Sequence[str], **config: Any) -> None:
        self.folder = RunFolder(out)
        self.folder.make()
        self._images = [os.fsencode(image) for image in images]
        writer = ImageListWriter(self.folder.list, self.folder.index)
        writer.add(self._images)
        root = os.path.dirname(os.path.commonprefix(self._images))
        self.naming = Naming("stem", root)
        options = to_json(RunConfig(out=out, **config))
        RunRecord(
            {"format": options["format"]},
            options,
            Listing(len(images), writer.close(), self.naming, [], ""),
            ["BG", "Vehicle"],
            [],
            {},
            [],
            "2026-01-01T00:00:00+0000",
        ).write(self.folder)
        self._ledger = Ledger(self.folder.ledger, 0)

    def finish(
        self, start: int, count: int, failures: Sequence[Failure] = (), rows: Optional[List[Dict]] = None
    ) -> None:
        """These images are done; each that has not failed has the given detections."""
        failed = {failure.index for failure in failures}
        for index in set(range(start, start + count)) - failed:
            path = os.path.join(os.fsencode(self.folder.out), self.naming.result_name(self._images[index]))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                json.dump(rows if rows is not None else [detection()], file)
        self.record(start, count, failures)

    def record(self, start: int, count: int, failures: Sequence[Failure] = ()) -> None:
        """Notes these images as done in the ledger."""
        self._ledger.add(start, count, failures, bytes(4 * count))
        self._ledger.commit()

    def open_again(self, start: int, count: int, state: int) -> None:
        """Notes in the ledger that these images are to be done again."""
        self._ledger.open_again(start, count, state)
        self._ledger.commit()

    def measure(self, samples: Sequence[Sample]) -> None:
        """Writes samples."""
        with open(self.folder.metrics, "ab") as file:
            file.write(metrics_of(samples))

    def say_live(self, **values: Any) -> None:
        """Writes `progress.json` as a dispatcher at work does."""
        stats = worker_after(10, 0.9)._asdict()
        worker = {"device": "CPU", "on_gpu": False, "state": "up", "reason": "", "restarts": 0, "stats": stats}
        live = {
            "time": time.time(),
            "host": "here",
            "pid": 1,
            "cores": 4.0,
            "seconds": 10.0,
            "images": len(self._images),
            "done": 0,
            "failures": 0,
            "images_per_second": None,
            "seconds_left": None,
            "stopping": False,
            "workers": [worker],
        }
        with open(self.folder.progress, "w") as file:
            json.dump(dict(live, **values), file)

    def close(self) -> None:
        """Closes the ledger."""
        self._ledger.close()


def detection(score: float = 0.9, bbox: Sequence[float] = (8, 8, 40, 40)) -> Dict[str, Any]:
    """A row of a result."""
    return {"category_id": 1, "cat_name": "Vehicle", "score": score, "bbox": list(bbox), "segmentation": None}
