"""An engine without a model: occupies a pretended device for a fixed time and returns boxes made from the pixels.

It serves tests, benchmarks, and sizing a machine before buying GPUs:

    divainfer run --engine emulated:busy_ms=160 --gpus cpu:4 --images frames.lst --out /tmp/out
"""

from __future__ import annotations

import threading
import time
import zlib
from typing import Dict, List

import numpy as np

from ...detections import Detections
from ...errors import EngineBootError
from .base import Engine, EngineInfo, EngineSpec

_OPTIONS = {"busy_ms": 0.0, "cpu_ms": 0.0, "boot_ms": 0.0}
_SAMPLE_STEP = 37
_OF_THREAD = threading.local()


class EmulatedEngine(Engine):
    """Takes `busy_ms` of the device and `cpu_ms` of a core for each frame; coming up takes `boot_ms`.

    The device's time passes without using the CPU, and one batch after the other, as on a real one; a batch's CPU part comes
    before it, and that of one stream may overlap the device's part of another.
    """

    def __init__(self, spec: EngineSpec) -> None:
        super().__init__(spec)
        self._milliseconds: Dict[str, float] = dict(_OPTIONS)
        for name, text in spec.options.items():
            try:
                value = float(text)
            except ValueError:
                value = -1.0
            if name not in _OPTIONS or not 0 <= value < 1e7:
                raise EngineBootError(
                    "--engine emulated: {}={} is not understood; it takes {}, in milliseconds.".format(
                        name, text, ", ".join(_OPTIONS)
                    )
                )
            self._milliseconds[name] = value
        self._device = threading.Lock()

    def load(self) -> EngineInfo:
        """Waits for `boot_ms`."""
        time.sleep(self._milliseconds["boot_ms"] / 1e3)
        return EngineInfo("emulated, {busy_ms:g} ms a frame, {cpu_ms:g} ms of CPU".format(**self._milliseconds))

    def infer(self, frames: np.ndarray) -> List[Detections]:
        """Waits, and returns `emulated_detections` of each frame."""
        _burn(len(frames) * self._milliseconds["cpu_ms"] / 1e3)
        with self._device:
            until = time.monotonic() + len(frames) * self._milliseconds["busy_ms"] / 1e3
            found = [emulated_detections(frame) for frame in frames]
            time.sleep(max(0.0, until - time.monotonic()))
        return found


def emulated_detections(frame: np.ndarray) -> Detections:
    """Up to five boxes that depend on the frame's size and on a sample of its pixels, and on nothing else.

    Args:
        frame: uint8 `[H, W, 3]`.
    """
    height, width = frame.shape[:2]
    seed = zlib.crc32(frame[::_SAMPLE_STEP, ::_SAMPLE_STEP].tobytes())
    numbers = _numbers()
    numbers.seed(seed)
    count = numbers.randint(0, 6)
    corners = np.sort(numbers.rand(count, 2, 2), axis=1) * [width, height]
    return Detections(
        boxes=corners.reshape(count, 4).astype(np.float32),
        labels=numbers.randint(1, 15, size=count).astype(np.int64),
        scores=numbers.rand(count).astype(np.float32),
    )


def _numbers() -> np.random.RandomState:
    """This thread's generator: to seed one is ten times quicker than to make one."""
    if not hasattr(_OF_THREAD, "numbers"):
        _OF_THREAD.numbers = np.random.RandomState()
    return _OF_THREAD.numbers  # type: ignore[no-any-return]


def _burn(seconds: float) -> None:
    """Uses one core for that long."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass
