"""Reading ahead: while one image is decoded, the kernel reads the files of the next ones.

A cold disk or a network folder takes milliseconds for each file; so each file is opened, and the kernel asked for its
content, as soon as its ticket is there. It needs no thread, and costs microseconds when the file is in memory already.
"""

from __future__ import annotations

import os
import time
from typing import Dict

from ..messages import Ticket
from ..video.file import parse_frame_path
from .imagefile import ImageError, open_image_file, read_image_file, read_open_file


class ReadAhead:
    """The files of the tickets in a loader's hand."""

    def __init__(self) -> None:
        self._files: Dict[int, int] = {}
        self._seconds = 0.0

    def begin(self, ticket: Ticket) -> None:
        """Has the kernel read a ticket's file, once. What is wrong with it is told when it is its turn."""
        if ticket.ticket in self._files or parse_frame_path(ticket.path) is not None:
            return
        started = time.monotonic()
        try:
            self._files[ticket.ticket] = file = open_image_file(ticket.path)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_WILLNEED)
        except (ImageError, OSError):
            pass  # Some file systems cannot read ahead; then it is read when it is needed.
        self._seconds += time.monotonic() - started

    def read(self, ticket: Ticket) -> bytes:
        """The content of a ticket's file.

        Raises:
            ImageError: as `read_image_file`.
            OSError: as `read_image_file`.
        """
        started = time.monotonic()
        try:
            file = self._files.pop(ticket.ticket, None)
            if file is None:
                return read_image_file(ticket.path)
            return read_open_file(file)
        finally:
            self._seconds += time.monotonic() - started

    def seconds(self) -> float:
        """How long files were opened and read since the last call, wall time."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def end(self, ticket: Ticket) -> None:
        """A ticket is over, whether its file was read or not."""
        file = self._files.pop(ticket.ticket, None)
        if file is not None:
            os.close(file)
