"""What a run came to."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Optional, Tuple

from ..console import counted
from ..errors import EXIT_FAILURES, EXIT_INTERRUPTED, EXIT_OK, EXIT_RUN_FAILED
from ..messages import WorkerStats
from ..monitor.verdict import Verdict


@dataclasses.dataclass(frozen=True)
class WorkerSummary:
    """One worker's part.

    Attributes:
        device: the device's label.
        description: the engine's own.
        restarts: how often it was started again.
        loaders: how many loaders it was to have at the end.
        stats: its figures.
    """

    device: str
    description: str
    restarts: int
    loaders: int
    stats: WorkerStats

    def shares(self) -> Dict[str, float]:
        """Shares of the time from the first batch on, 0 to 1: busy, starved, blocked, idle."""
        stats = self.stats
        seconds = {name: getattr(stats, name) for name in ("busy", "starved", "blocked", "idle")}
        total = sum(seconds.values())
        return {name: value / total if total else 0.0 for name, value in seconds.items()}


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a run came to.

    Attributes:
        images: images in the list.
        results: images with a result, over all starts.
        failures: images with a failure record, over all starts.
        failure_kinds: how many of them, by kind.
        computed: results of this start.
        detections: detections written by this start.
        seconds: wall time of this start.
        interrupted: whether the operator stopped it before the end.
        error: why it could not go on; "" when it could.
        out: the output folder.
        workers: one entry a worker.
        verdict: what bounded this start; None when it has no result.
    """

    images: int
    results: int
    failures: int
    failure_kinds: Dict[str, int]
    computed: int
    detections: int
    seconds: float
    interrupted: bool
    error: str
    out: str
    workers: Tuple[WorkerSummary, ...]
    verdict: Optional[Verdict] = None

    @property
    def exit_code(self) -> int:
        """The exit code of `divainfer run` for this outcome."""
        if self.error:
            return EXIT_RUN_FAILED
        if self.interrupted:
            return EXIT_INTERRUPTED
        return EXIT_FAILURES if self.failures else EXIT_OK

    @property
    def frames_per_second(self) -> float:
        """Results of this start a second of its wall time, the engines' start included."""
        return self.computed / self.seconds if self.seconds else 0.0

    @property
    def left(self) -> int:
        """Images that are still to do."""
        return self.images - self.results - self.failures

    def to_json(self) -> Dict[str, Any]:
        """Plain values for `summary.json`."""
        plain = dataclasses.asdict(self)
        plain["frames_per_second"] = self.frames_per_second
        plain["exit_code"] = self.exit_code
        plain["verdict"] = self.verdict.to_json() if self.verdict else None
        plain["workers"] = [
            {
                "device": worker.device,
                "description": worker.description,
                "restarts": worker.restarts,
                "loaders": worker.loaders,
                "shares": worker.shares(),
                "stats": worker.stats._asdict(),
            }
            for worker in self.workers
        ]
        return plain

    def lines(self) -> List[str]:
        """The summary as the operator reads it."""
        head = "{}: {}, {}".format(
            counted(self.images, "image"), counted(self.results, "result"), counted(self.failures, "failure")
        )
        if self.failure_kinds:
            kinds = sorted(self.failure_kinds.items(), key=lambda item: (-item[1], item[0]))
            head += " ({})".format(", ".join("{:,} {}".format(count, kind) for kind, count in kinds))
        lines = [head + (", {:,} left".format(self.left) if self.left else "")]
        lines.append(
            "this start: {} in {:.1f} s, {:.2f} frames/s, {}".format(
                counted(self.computed, "result"),
                self.seconds,
                self.frames_per_second,
                counted(self.detections, "detection"),
            )
        )
        if not self.workers:
            return lines[:1] + ["Nothing was left to do."]
        width = max([len("device")] + [len(worker.device) for worker in self.workers])
        lines.append("worker  {:<{}}    frames    busy  starved  blocked    idle  writing".format("device", width))
        for number, worker in enumerate(self.workers):
            shares = worker.shares()
            total = worker.stats.span
            lines.append(
                "{:>6}  {:<{}} {:>9,}  {:>5.1f}%   {:>5.1f}%   {:>5.1f}%  {:>5.1f}%   {:>5.1f}%{}".format(
                    number,
                    worker.device,
                    width,
                    worker.stats.images,
                    100 * shares["busy"],
                    100 * shares["starved"],
                    100 * shares["blocked"],
                    100 * shares["idle"],
                    100 * worker.stats.writing / total if total else 0.0,
                    "  (restarts: {})".format(worker.restarts) if worker.restarts else "",
                )
            )
        return lines + ([self.verdict.sentence] if self.verdict else [])
