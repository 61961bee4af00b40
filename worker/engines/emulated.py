"""An engine without a model: occupies a pretended device for a fixed time and returns boxes made from the pixels.

It serves tests, benchmarks, and sizing a machine before buying GPUs:

    divainfer run --engine emulated:busy_ms=160 --gpus cpu:4 --images frames.lst --out /tmp/out
"""

from __future__ import annotations

import random
import threading
import time
import zlib
from typing import Dict, List

import numpy as np

from ...detections import Detections
from ...errors import EngineBootError
from .base import Engine, EngineInfo, EngineSpec

#: A checksum over so much lets other threads run meanwhile, and takes some ten microseconds.
_BURNT = bytes(1 << 16)
_OPTIONS = {"busy_ms": 0.0, "cpu_ms": 0.0, "boot_ms": 0.0}
#: Pixels of a frame that decide what is found, in each direction; more would cost more CPU than what is measured with it.
_SAMPLES = 8


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
        text = "emulated, {busy_ms:g} ms a frame, {cpu_ms:g} ms of CPU; its boxes are made up"
        return EngineInfo(text.format(**self._milliseconds))

    def infer(self, frames: np.ndarray) -> List[Detections]:
        """Waits, and returns `emulated_detections` of each frame."""
        _burn(len(frames) * self._milliseconds["cpu_ms"] / 1e3)
        with self._device:
            until = time.monotonic() + len(frames) * self._milliseconds["busy_ms"] / 1e3
            found = [emulated_detections(frame) for frame in frames]
            left = until - time.monotonic()
            if left > 0:
                time.sleep(left)
        return found


def emulated_detections(frame: np.ndarray) -> Detections:
    """Up to five boxes that depend on the frame's size and on a sample of its pixels, and on nothing else.

    Args:
        frame: uint8 `[H, W, 3]`.
    """
    height, width = frame.shape[:2]
    # Python's generator, not NumPy's, which takes ten times as long for so few numbers.
    numbers = random.Random(zlib.crc32(frame[:: -(-height // _SAMPLES), :: -(-width // _SAMPLES)].tobytes()))
    boxes, labels, scores = [], [], []
    for _ in range(numbers.randrange(6)):
        left, right = sorted((numbers.random() * width, numbers.random() * width))
        top, bottom = sorted((numbers.random() * height, numbers.random() * height))
        boxes.append((left, top, right, bottom))
        labels.append(numbers.randrange(1, 15))
        scores.append(numbers.random())
    return Detections(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        labels=np.array(labels, np.int64),
        scores=np.array(scores, np.float32),
    )


def _burn(seconds: float) -> None:
    """Uses one core for that long, without holding the interpreter: a graph's CPU part does not hold it either."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        zlib.crc32(_BURNT)
