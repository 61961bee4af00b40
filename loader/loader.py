"""One loader: takes tickets, reads, decodes and resizes their images (files, or frames of videos) into slots, and says so."""

from __future__ import annotations

import logging
import os
import time
from typing import Dict, List, Optional, Tuple

import cv2
import numpy as np

from ..boot import LoaderOrders
from ..geometry import target_size
from ..messages import Cost, FrameFailed, FrameReady, LoaderUp, Memory, Message, Retire, Ticket
from ..sockets import Caller
from ..video.file import is_other_video, is_video, parse_frame_path
from .decode import ImageError, decode, image_size, read_image_file
from .memory import FrameMemory
from .resize import resize
from .video import Videos, why_no_frames

log = logging.getLogger("loader")


class Loader:
    """A loader process's work.

    Args:
        orders: what the dispatcher wants.
    """

    def __init__(self, orders: LoaderOrders) -> None:
        self._orders = orders
        self._worker = Caller(orders.worker, orders.name)
        self._videos = Videos(orders.max_pixels)
        self._reading = 0.0
        #: By path: the frame, and the image's height and width.
        self._remembered: Dict[bytes, Tuple[np.ndarray, int, int]] = {}

    def run(self) -> int:
        """Works until it is retired, or killed: a loader has nothing to lose.

        Returns:
            The process's exit status; 1 when its worker never answered.
        """
        # The parallelism is that of the loaders; OpenCV's threads would only fight with them.
        cv2.setNumThreads(0)
        self._worker.send(LoaderUp(os.getpid()))
        first = self._worker.receive(self._orders.patience)
        if not isinstance(first, Memory):
            log.error("the worker did not answer within %.0f s", self._orders.patience)
            return 1
        self._memory = FrameMemory.attach(*first)
        while True:
            message = self._worker.receive(1.0)
            if isinstance(message, Ticket):
                self._worker.send(self._load(message))
            elif isinstance(message, Retire):
                return 0
            elif message is not None:
                log.warning("the worker sent %r, which is not for a loader", message)

    def _load(self, ticket: Ticket) -> Message:
        started, started_cpu = time.monotonic(), time.thread_time()
        self._reading = 0.0

        def cost() -> List[float]:
            return list(Cost(time.monotonic() - started, self._reading, time.thread_time() - started_cpu))

        slot = self._memory.slot(ticket.slot)
        try:
            height, width, image_height, image_width = self._fill_or_copy(slot, ticket.path)
        except ImageError as error:
            return FrameFailed(ticket.ticket, error.kind, error.reason, cost())
        except MemoryError:
            return FrameFailed(ticket.ticket, "too-large", "not enough memory to decode it", cost())
        return FrameReady(ticket.ticket, height, width, image_height, image_width, cost())

    def _fill_or_copy(self, slot: np.ndarray, path: bytes) -> Tuple[int, int, int, int]:
        """As `_fill`; a frame that is remembered is only copied."""
        known = self._remembered.get(path)
        if known is not None:
            frame, image_height, image_width = known
            slot[: frame.size] = frame.reshape(-1)
            return frame.shape[0], frame.shape[1], image_height, image_width
        height, width, image_height, image_width = self._fill(slot, path)
        if len(self._remembered) < self._orders.remember:
            frame = slot[: height * width * 3].reshape(height, width, 3).copy()
            self._remembered[path] = (frame, image_height, image_width)
        return height, width, image_height, image_width

    def _fill(self, slot: np.ndarray, path: bytes) -> Tuple[int, int, int, int]:
        """Puts an image's frame into a slot; returns the frame's height and width, and the image's."""
        orders = self._orders
        image = self._from_video(path)
        if image is None:
            began = time.monotonic()
            data = read_image_file(path)
            self._reading = time.monotonic() - began
            size = image_size(data)
            # An image of the right size is decoded where the engine will read it, and never copied.
            in_place = size is not None and size == target_size(*size, orders.short_edge_size, orders.max_size)
            image = decode(data, orders.max_pixels, slot if in_place else None)
        image_height, image_width = image.shape[:2]
        height, width = target_size(image_height, image_width, orders.short_edge_size, orders.max_size)
        resize(image, height, width, slot[: height * width * 3].reshape(height, width, 3))
        return height, width, image_height, image_width

    def _from_video(self, path: bytes) -> Optional[np.ndarray]:
        """A frame's pixels, uint8 `[H, W, 3]`; None when the path is an image's."""
        if is_video(path) or is_other_video(path):
            raise why_no_frames(path)
        frame = parse_frame_path(path)
        # A folder may be named like a video, and an image in it like a frame.
        if frame is None or os.path.isdir(frame.video):
            return None
        return self._videos.frame(*frame)
