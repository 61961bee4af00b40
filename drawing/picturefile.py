"""Drawn pictures as JPEG files: whole or not there."""

from __future__ import annotations

import contextlib
import errno
import os

import cv2
import numpy as np

#: In a comment at each file's beginning, by which it is known again.
_MARK = b"drawn by divainfer"
_LOOK_AT = 128
_COMMENT = b"\xff\xfe"
#: What is wrong with a name or its place, and not with the disk.
_NAME_ERRORS = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP)


class PictureError(Exception):
    """A picture that has no place; the end of a sentence about its path."""


def encode_jpeg(picture: np.ndarray, quality: int = 90) -> bytes:
    """A picture as JPEG.

    Args:
        picture: uint8 `[H, W, 3]`, BGR.
        quality: 1 to 100.

    Raises:
        PictureError: when it is larger than a JPEG may be.
    """
    try:
        done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error:
        done = False
    if not done:
        raise PictureError("a picture of {} x {} pixels cannot be a JPEG".format(picture.shape[1], picture.shape[0]))
    return data.tobytes()  # type: ignore[no-any-return]


def write_picture(path: bytes, picture: np.ndarray, quality: int = 90) -> None:
    """Writes a JPEG beside its place and renames it.

    Args:
        path: the file; its folder is made.
        picture: uint8 `[H, W, 3]`, BGR.
        quality: 1 to 100.

    Raises:
        PictureError: when there can be no file of that name.
        OSError: when the disk refuses.
    """
    data = encode_jpeg(picture, quality)
    # Behind the first segment, which must stay the first.
    head = 4 + int.from_bytes(data[4:6], "big")
    mark = _COMMENT + (len(_MARK) + 2).to_bytes(2, "big") + _MARK
    folder = os.path.dirname(path)
    # Short, so that each name that a result could have is possible.
    part = os.path.join(folder, b".divainfer-%d" % os.getpid())
    try:
        os.makedirs(folder or b".", exist_ok=True)
        with open(part, "wb") as file:
            file.write(data[:head] + mark + data[head:])
        os.replace(part, path)
    except OSError as error:
        if error.errno in _NAME_ERRORS:
            raise PictureError("there can be no file of that name ({})".format(error.strerror))
        raise
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)


def may_write(path: bytes) -> bool:
    """Whether there is no file yet, or one that `write_picture` has made: an image of the same name must not be lost."""
    if not os.path.lexists(path):
        return True
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return _MARK in file.read(_LOOK_AT)
    except OSError:
        return False
