"""`progress.json`: how far a run is, for whoever looks into its folder while it goes on."""

from __future__ import annotations

import collections
import os
import platform
import time
from typing import Any, Deque, Dict, List, Optional, Tuple

from ..machine import usable_cpu
from ..runfolder import write_json
from .crew import Crew

_SECONDS = 1.0
_RATE_SECONDS = 60.0


class Rate:
    """Images a second over the last minute, which is what tells when the run will end."""

    def __init__(self) -> None:
        self._points: Deque[Tuple[float, int]] = collections.deque()

    def note(self, now: float, done: int) -> None:
        """So many were done by then."""
        if self._points and now - self._points[-1][0] < 0.5:
            return
        self._points.append((now, done))
        while now - self._points[0][0] > _RATE_SECONDS:
            self._points.popleft()

    def per_second(self) -> Optional[float]:
        """None until something has been done."""
        if len(self._points) < 2:
            return None
        (first, before), (last, done) = self._points[0], self._points[-1]
        return (done - before) / (last - first) if done > before else None


class LiveFile:
    """Renews the file about once a second.

    Args:
        path: the file.
        images: images in the list.
        earlier: how many were done before this start.
        earlier_failures: how many of those failed.
    """

    def __init__(self, path: str, images: int, earlier: int, earlier_failures: int) -> None:
        self._path = path
        self._images = images
        self._earlier = earlier
        self._earlier_failures = earlier_failures
        self._rate = Rate()
        self._started = time.monotonic()
        self._cores = usable_cpu()
        self._next = 0.0

    def update(self, done: int, failures: int, stopping: bool, crews: List[Crew]) -> None:
        """Writes the present state, when it is time.

        Args:
            done: images done by this start.
            failures: how many of them failed.
            stopping: whether the operator asked for the end.
            crews: the crews.
        """
        now = time.monotonic()
        self._rate.note(now, done)
        if now < self._next:
            return
        self._next = now + _SECONDS
        left = self._images - self._earlier - done
        rate = self._rate.per_second()
        try:
            write_json(
                self._path,
                {
                    "time": time.time(),
                    "host": platform.node(),
                    "pid": os.getpid(),
                    "cores": self._cores,
                    "seconds": now - self._started,
                    "images": self._images,
                    "done": self._earlier + done,
                    "failures": self._earlier_failures + failures,
                    "images_per_second": rate,
                    "seconds_left": self._seconds_left(left, rate),
                    "stopping": stopping,
                    "workers": [self._worker(crew) for crew in crews],
                },
                lasting=False,
            )
        except OSError:
            pass  # It only shows; when the disk is full, those that matter will say so.

    @staticmethod
    def _seconds_left(images: int, rate: Optional[float]) -> Optional[float]:
        return images / rate if rate else None

    @staticmethod
    def _worker(crew: Crew) -> Dict[str, Any]:
        return {
            "device": crew.device.label,
            "on_gpu": crew.device.on_gpu,
            "state": crew.state,
            "reason": crew.reason,
            "restarts": crew.restarts,
            "silent": crew.silent(time.monotonic()),
            "stats": crew.stats._asdict(),
        }
