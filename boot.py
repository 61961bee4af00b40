"""How a child process begins: its orders on standard input, its parent watched, its crashes explained in its log."""

from __future__ import annotations

import ctypes
import dataclasses
import faulthandler
import json
import logging
import os
import signal
import sys
import threading
import time
from typing import Any, Dict, List, Optional, Tuple, Type, TypeVar

_PR_SET_PDEATHSIG = 1
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

Orders = TypeVar("Orders")


@dataclasses.dataclass(frozen=True)
class LoaderOrders:
    """What a loader is told at its start.

    Attributes:
        name: its name on the worker's socket.
        parent: process id of the dispatcher.
        worker: address of its worker's socket.
        short_edge_size: pixels.
        max_size: pixels.
        max_pixels: largest image that is decoded.
        fast_decode: whether JPEGs much larger than their frames are decoded at a smaller scale.
        remember: how many frames it keeps, to give them again without decoding when another link leads to the same file.
        patience: seconds to wait for the worker's first message.
    """

    name: str
    parent: int
    worker: str
    short_edge_size: int
    max_size: int
    max_pixels: int
    fast_decode: bool
    remember: int
    patience: float


@dataclasses.dataclass(frozen=True)
class WorkerOrders:
    """What a worker is told at its start. Paths are text with surrogate escapes.

    Attributes:
        name: its name on the dispatcher's socket.
        parent: process id of the dispatcher.
        dispatcher: address of the dispatcher's socket.
        address: address of the worker's own socket, for its loaders.
        engine: engine name and options, as in `--engine`.
        model: model file, "" for an engine without one.
        card: the model card, as JSON.
        device: device name for the log.
        on_gpu: whether the device is a GPU.
        batch_size: frames a step.
        streams: batches in flight.
        precision: as `--precision`.
        xla: as `--xla`.
        threads: CPU threads of the engine, 0 for its own choice.
        loaders: loaders that will come, to size the queue.
        queue_mem: bytes for frames.
        short_edge_size: pixels.
        max_size: pixels.
        out: output folder.
        list: the image list.
        index: its index.
        naming: rule and root of result names.
        classes: class names.
        style: result style.
        format: result format.
        block_images: images of a block at most.
        report_every: seconds between reports on blocks that are not done.
        score_threshold: least score kept.
        keep: class ids kept; None for all.
        boot_timeout: seconds for the engine's start, and for its first batch.
        hang_timeout: seconds for any later batch, and for a loader's image.
    """

    name: str
    parent: int
    dispatcher: str
    address: str
    engine: str
    model: str
    card: Dict[str, Any]
    device: str
    on_gpu: bool
    batch_size: int
    streams: int
    precision: str
    xla: bool
    threads: int
    loaders: int
    queue_mem: int
    short_edge_size: int
    max_size: int
    out: str
    list: str
    index: str
    naming: Tuple[str, str]
    classes: List[str]
    style: str
    format: str
    block_images: int
    report_every: float
    score_threshold: float
    keep: Optional[List[int]]
    boot_timeout: float
    hang_timeout: float


@dataclasses.dataclass(frozen=True)
class ReportOrders:
    """What the process that writes a report is told. Paths are text with surrogate escapes.

    Attributes:
        name: its name.
        parent: process id of the dispatcher.
        out: output folder.
    """

    name: str
    parent: int
    out: str


def read_orders(kind: Type[Orders]) -> Orders:
    """Takes the orders from standard input and makes the process a proper child. To be called first."""
    faulthandler.enable()
    orders = kind(**json.loads(sys.stdin.buffer.read().decode("ascii")))
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=_LOG_FORMAT)
    # Only the dispatcher acts on Ctrl-C, and tells us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(orders.parent)  # type: ignore[attr-defined]
    return orders


def orders_json(orders: Any) -> bytes:
    """The orders as they go down the pipe."""
    return json.dumps(dataclasses.asdict(orders)).encode("ascii")


def die_with(parent: int) -> None:
    """Ends this process when its parent ends, however that happens.

    The kernel sends SIGKILL when the thread that started us ends; the watching thread is for where that call is forbidden,
    and for a parent that died before it.
    """
    try:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):
        pass
    threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
