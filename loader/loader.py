"""One loader: takes tickets, reads, decodes and resizes their images (or frames of videos) into their places, and says so."""

from __future__ import annotations

import collections
import itertools
import logging
import os
import time
from typing import Any, Deque, Dict, Tuple

import cv2
import numpy as np

from ..boot import LoaderOrders
from ..geometry import target_size
from ..messages import FrameFailed, FrameReady, LoaderUp, Memory, Retire, Ticket, Tickets
from ..sockets import Caller
from .ahead import ReadAhead
from .answer import Answer
from .decode import ImageError, decode, image_size
from .memory import FrameMemory
from .resize import resize
from .video import Videos

log = logging.getLogger("loader")

#: Files that are opened and read ahead.
_AHEAD = 2
#: With so many tickets in hand nothing has to be heard; looking for a message costs as much as copying a small frame.
_FEW = 4


class Loader:
    """A loader process's work.

    Args:
        orders: what the dispatcher wants.
    """

    def __init__(self, orders: LoaderOrders) -> None:
        self._orders = orders
        self._worker = Caller(orders.worker, orders.name)
        self._videos = Videos(orders.max_pixels)
        self._ahead = ReadAhead()
        self._hand: Deque[Ticket] = collections.deque()
        self._retired = False
        #: Frames, and their images' heights and widths, by file.
        self._kept: Dict[Any, Tuple[np.ndarray, Tuple[int, int]]] = {}

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
        self._answer = Answer()
        while not self._retired:
            if len(self._hand) < _FEW:
                self._hear(0.0 if self._hand else 1.0)
            if self._hand:
                ticket = self._hand.popleft()
                self._read_ahead()
                self._load(ticket)
                if self._answer.is_due(len(self._hand)):
                    self._worker.send(self._answer.take(self._ahead.seconds()))
        return 0

    def _hear(self, timeout: float) -> None:
        message = self._worker.receive()
        if message is None and timeout:
            started = time.monotonic()
            message = self._worker.receive(timeout)
            self._answer.waited(time.monotonic() - started)
        while message is not None:
            if isinstance(message, Tickets):
                self._hand.extend(message.tickets)
                self._answer.more()
            elif isinstance(message, Retire):
                self._retired = True
            else:
                log.warning("the worker sent %r, which is not for a loader", message)
            message = self._worker.receive()

    def _read_ahead(self) -> None:
        # Not all that is in hand: where opening files takes long, the image at hand would wait for them.
        if not self._orders.remember:
            for ticket in itertools.islice(self._hand, _AHEAD):
                self._ahead.begin(ticket)

    def _load(self, ticket: Ticket) -> None:
        answer = self._answer
        began = time.monotonic()
        try:
            self._fill(ticket)
        except _TooLarge:
            answer.too_large.append(ticket.ticket)
        except ImageError as error:
            answer.failed.append(FrameFailed(ticket.ticket, error.kind, error.reason))
        except MemoryError:
            answer.failed.append(FrameFailed(ticket.ticket, "too-large", "not enough memory to decode it"))
        finally:
            self._ahead.end(ticket)
        answer.took(time.monotonic() - began)

    def _fill(self, ticket: Ticket) -> None:
        """Puts an image's frame into its place."""
        room = self._memory.room(ticket.offset, ticket.room)
        kept, key = None, None
        if self._orders.remember:
            key = _identity(ticket.path)
            kept = self._kept.get(key)
        image, size = kept or self._image(ticket, room)
        height, width = self._target(*size)
        frame = resize(image, height, width, _part(room, height, width).reshape(height, width, 3))
        self._answer.ready.append(FrameReady(ticket.ticket, height, width, *size))
        if kept is None and len(self._kept) < self._orders.remember:
            self._kept[key] = (frame.copy(), size)

    def _image(self, ticket: Ticket, room: np.ndarray) -> Tuple[np.ndarray, Tuple[int, int]]:
        """An image's pixels, uint8 `[H, W, 3]`, and its height and width, which are more where it was decoded smaller."""
        image = self._videos.at(ticket.path)
        if image is not None:
            return image, image.shape[:2]
        data = self._ahead.read(ticket)
        size = image_size(data)
        if size is None:
            image = decode(data, self._orders.max_pixels)
            return image, image.shape[:2]
        target = self._target(*size)
        # Before it is decoded in vain.
        _part(room, *target)
        smaller = self._orders.fast_decode and size[0] >= 2 * target[0] and size[1] >= 2 * target[1]
        # An image of the right size is decoded where the engine will read it, and never copied.
        in_place = room if size == target else None
        return decode(data, self._orders.max_pixels, in_place, target if smaller else (0, 0)), size

    def _target(self, height: int, width: int) -> Tuple[int, int]:
        return target_size(height, width, self._orders.short_edge_size, self._orders.max_size)


class _TooLarge(Exception):
    """A frame does not fit into the room its ticket has."""


def _part(room: np.ndarray, height: int, width: int) -> np.ndarray:
    """The beginning of a room that holds a frame, uint8 `[height * width * 3]`.

    Raises:
        _TooLarge: when it is longer.
    """
    size = height * width * 3
    if size > len(room):
        raise _TooLarge()
    return room[:size]


def _identity(path: bytes) -> Any:
    """Which file a path leads to, so that links to one are known as one; a frame of a video is known by its path."""
    try:
        status = os.stat(path)
    except OSError:
        return path
    return status.st_dev, status.st_ino
