"""Reading an image file's bytes, and the one error that anything wrong with an image becomes."""

from __future__ import annotations

import errno
import os
import stat
from typing import Tuple

from ..opening import open_without_waiting

#: Bytes. Nothing that a camera writes comes near; a video or an archive in the list does.
MAX_FILE_BYTES = 2 * 2**30

#: These are the machine's trouble, not the image's: another image would fail as well, and this one succeed later.
_MACHINE_ERRORS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class ImageError(Exception):
    """An image that has no frame.

    Attributes:
        kind: a short word for machines: "missing", "unreadable" (permission, input/output error), "folder", "special" (a
            pipe, a socket or a device), "empty", "not-an-image", "not-a-video", "unsupported" (of a kind that this OpenCV does
            not read), "truncated", "corrupt", "too-large".
        reason: one sentence for a person, without the path.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


def read_image_file(path: bytes) -> bytes:
    """The whole content of a file; never waits for a pipe or a device.

    Args:
        path: any bytes a path may hold.

    Returns:
        At least one byte.

    Raises:
        ImageError: kind "missing", "unreadable", "folder", "special", "empty" or "too-large".
        OSError: when the machine has run out of something (file descriptors, memory).
    """
    return read_open_file(open_image_file(path))


def read_open_file(descriptor: int) -> bytes:
    """The whole content of a file that `open_image_file` has opened; closes it.

    Args:
        descriptor: the file.

    Returns:
        At least one byte.

    Raises:
        ImageError: kind "unreadable", "empty" or "too-large".
        OSError: when the machine has run out of something (file descriptors, memory).
    """
    try:
        length = os.fstat(descriptor).st_size
        if length > MAX_FILE_BYTES:
            raise ImageError(
                "too-large",
                "the file has {:.1f} GB, more than the {:.1f} GB that are read".format(
                    length / 1e9, MAX_FILE_BYTES / 1e9
                ),
            )
        with open(descriptor, "rb", buffering=0, closefd=False) as file:
            data = file.read()
    except OSError as error:
        raise read_error(error)
    finally:
        os.close(descriptor)
    if not data:
        raise ImageError("empty", "the file is empty")
    return data


def open_image_file(path: bytes) -> int:
    """Opens a regular file; never waits for a pipe or a device.

    Args:
        path: any bytes a path may hold.

    Returns:
        A file descriptor for reading, the caller's to close.

    Raises:
        ImageError: kind "missing", "unreadable", "folder" or "special".
        OSError: when the machine has run out of something (file descriptors, memory).
    """
    try:
        descriptor = open_without_waiting(path)
    except ValueError:
        raise ImageError("missing", "a path cannot hold a zero byte")
    except OSError as error:
        raise _open_error(path, error)
    try:
        _check_file(os.fstat(descriptor))
    except ImageError:
        os.close(descriptor)
        raise
    return descriptor


def check_pixels(size: Tuple[int, int], max_pixels: int) -> None:
    """Refuses an image or a video that is too large.

    Args:
        size: height and width, pixels.
        max_pixels: more are refused.

    Raises:
        ImageError: kind "too-large".
    """
    pixels = size[0] * size[1]
    if pixels > max_pixels:
        raise ImageError(
            "too-large",
            "it is {} x {} pixels = {:,.0f} megapixels, above --max-pixels {}".format(
                size[1], size[0], pixels / 1e6, max_pixels
            ),
        )


def _check_file(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ImageError("folder", "it is a folder; list the images in it")
    if not stat.S_ISREG(status.st_mode):
        raise ImageError("special", "it is a pipe or a device, not a file")


def _open_error(path: bytes, error: OSError) -> Exception:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        if os.path.islink(path):
            return ImageError("missing", "it is a symbolic link to a file that does not exist")
        return ImageError("missing", "there is no such file" + _detail(error, errno.ENOENT))
    if error.errno == errno.ELOOP:
        return ImageError("unreadable", "it is a symbolic link that leads in a circle")
    if error.errno in (errno.EACCES, errno.EPERM):
        return ImageError("unreadable", "this user may not read it (permission denied)")
    if error.errno == errno.ENXIO:
        return ImageError("special", "it is a socket or a device, not a file")
    return read_error(error)


def read_error(error: OSError) -> Exception:
    """What to raise for a file that cannot be read: an `ImageError`, or the error itself when it is the machine's trouble."""
    if error.errno in _MACHINE_ERRORS:
        return error
    return ImageError("unreadable", "it cannot be read ({})".format(error.strerror))


def _detail(error: OSError, usual: int) -> str:
    return "" if error.errno == usual else " ({})".format(error.strerror)
