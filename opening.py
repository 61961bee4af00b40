"""Opening a file of which nobody knows yet what it is."""

from __future__ import annotations

import os


def open_without_waiting(path: bytes) -> int:
    """Opens a file for reading, whatever it is: a pipe's writer or a device is not waited for.

    Args:
        path: any bytes a path may hold.

    Returns:
        A file descriptor, the caller's to close.

    Raises:
        OSError: as `os.open`.
        ValueError: for a zero byte in the path.
    """
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
