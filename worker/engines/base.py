"""The engine: what computes detections. Subclass it and register an entry point to bring your own.

    [project.entry-points."divainfer.engines"]
    mine = "my_package.engine:MyEngine"

`divainfer run --engine mine:key=value` then makes `MyEngine(spec)` with `spec.options == {"key": "value"}`, in a worker
process whose environment already shows only the one device the worker owns.
"""

from __future__ import annotations

import abc
from typing import Dict, List, NamedTuple, Optional

import numpy as np

from ...config import FULL
from ...detections import Detections
from ...modelfile.card import Card


class EngineSpec(NamedTuple):
    """What an engine is made from.

    Attributes:
        model: path of the model file, or "" for engines without one.
        card: the model's card, resolved (file, command line, defaults).
        device: the device as the worker's log names it: "cpu", or a GPU's UUID.
        on_gpu: whether the one visible device is a GPU.
        batch_size: frames the pool will hand over at most in one call.
        threads: CPU threads the engine may use; 0 lets it choose.
        options: the words behind `--engine name:`, as text.
        precision: as `--precision`: "full", or "mixed" for float16 where that is safe.
        xla: as `--xla`: whether to compile the graph.
    """

    model: str
    card: Card
    device: str
    on_gpu: bool
    batch_size: int
    threads: int
    options: Dict[str, str]
    precision: str = FULL
    xla: bool = False


class EngineInfo(NamedTuple):
    """What an engine says of itself once it is up.

    Attributes:
        description: one line for the log and `summary.json`, such as "TensorFlow 1.14.0, one image, NHWC, CPU".
        batch_size: the batch the engine is built for; None when any number of frames up to the spec's will do.
        frame_height: the only frame height the engine takes, in pixels; None when any will do.
        frame_width: the only frame width the engine takes, in pixels; None when any will do.
    """

    description: str
    batch_size: Optional[int] = None
    frame_height: Optional[int] = None
    frame_width: Optional[int] = None


class Engine(abc.ABC):
    """A detector on one device. `load` is called once, `infer` from up to `--streams` threads, `close` once.

    Args:
        spec: what to load, where.

    Raises:
        EngineBootError: when an option is unknown or unusable.
    """

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec

    @abc.abstractmethod
    def load(self) -> EngineInfo:
        """Loads the model and brings the device to work.

        Raises:
            EngineBootError: one sentence, when that is impossible; the run then stops with exit code 4.
        """

    @abc.abstractmethod
    def infer(self, frames: np.ndarray) -> List[Detections]:
        """Computes one batch.

        Args:
            frames: uint8 `[b, H, W, 3]`, BGR whatever the card says, C-contiguous, with `1 <= b <= batch_size`. It is a
                view of shared memory that is used again after the call: keep nothing of it.

        Returns:
            b detections, one a frame, in the frames' order.

        Raises:
            EngineError: when the engine failed on this batch but may be asked again.
            EngineOutOfMemory: when the batch did not fit into memory; from then on smaller ones are handed over.
        """

    def close(self) -> None:
        """Gives the device back. Called once when the work is done; a worker that fails just ends."""
