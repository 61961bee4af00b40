"""From a file's bytes to pixels: exactly those of `cv2.imread(path, cv2.IMREAD_COLOR)`, or an `ImageError`; never a part.

JPEG goes through `jpeg.py`. All other formats are OpenCV's: with each of them it gives nothing when the file is cut short
(tried on OpenCV 4.8 and 5.0), with one exception that `header.py` knows. Damage inside a file shows only where the format
has checksums (PNG) or codes that can be wrong; a flipped bit in a BMP, TIFF or WebP is a pixel like any other.
"""

from __future__ import annotations

import re
import tempfile
from typing import Optional, Tuple

import cv2
import numpy as np

from .header import ImageHeader, read_header
from .imagefile import ImageError, check_pixels, read_image_file
from .jpeg import SIGNATURE as JPEG
from .jpeg import decode_jpeg, read_jpeg_header

__all__ = ["ImageError", "decode", "image_size", "read_image_file"]

# What OpenCV writes on stderr about a bad file is said better in the failure record. Some of it cannot be turned off.
getattr(getattr(cv2.utils, "logging", cv2), "setLogLevel")(0)  # noqa: B009


def image_size(data: bytes) -> Optional[Tuple[int, int]]:
    """Height and width of the image, pixels, where the header tells them and `decode` can decode in place.

    Args:
        data: the whole file.

    Returns:
        None for other formats than JPEG, a JPEG that may be turned, and anything damaged: there only `decode` can tell.
    """
    if not data.startswith(JPEG):
        return None
    try:
        header = read_jpeg_header(data)
    except ImageError:
        return None
    return None if header.turned else (header.height, header.width)


def decode(
    data: bytes, max_pixels: int, into: Optional[np.ndarray] = None, at_least: Tuple[int, int] = (0, 0)
) -> np.ndarray:
    """Decodes a whole image: the first frame where there are several, upright, 8 bit, without alpha.

    Args:
        data: the whole file.
        max_pixels: an image with more is refused before memory is taken for it.
        into: writable flat C-contiguous uint8 memory of any length. A JPEG that `image_size` knows and that fits is decoded
            there. After an error its content is undefined.
        at_least: height and width, pixels; if given, a JPEG that `image_size` knows may be decoded at a smaller scale, but
            not below these.

    Returns:
        uint8 `[H, W, 3]`, BGR, C-contiguous; a view on `into`, or new memory.

    Raises:
        ImageError: kind "empty", "not-an-image", "unsupported", "truncated", "corrupt" or "too-large".
        MemoryError: when there is not enough for the pixels.
    """
    if not data:
        raise ImageError("empty", "the file is empty")
    if data.startswith(JPEG):
        jpeg = read_jpeg_header(data)
        check_pixels((jpeg.height, jpeg.width), max_pixels)
        return decode_jpeg(data, jpeg, into, at_least)
    header = read_header(data)
    if header.size is not None:
        check_pixels(header.size, max_pixels)
    if header.format == "PNG" and header.cut:
        raise _failure(data, header)
    try:
        image = _opencv(data, header)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError
        if "CV_IO_MAX" in str(error):
            raise ImageError("too-large", "it is larger than OpenCV itself allows ({})".format(_shown(header.size)))
        image = None
    if image is None:
        raise _failure(data, header)
    check_pixels(image.shape[:2], max_pixels)
    return image


def _opencv(data: bytes, header: ImageHeader) -> Optional[np.ndarray]:
    """OpenCV's pixels, uint8 `[H, W, 3]`; None when it has none."""
    if header.format not in ("Radiance HDR", "PFM"):
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    # OpenCV decodes these from files only: it would make one in /tmp, and leave it there when the image is bad.
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return cv2.imread("/proc/self/fd/{}".format(file.fileno()), cv2.IMREAD_COLOR)


def _failure(data: bytes, header: ImageHeader) -> ImageError:
    """Why OpenCV gives nothing."""
    name = header.format
    if not name:
        return ImageError(
            "not-an-image", "it is not an image of a known format (it begins with {})".format(repr(data[:12])[1:])
        )
    unknown = name == "HEIF" or (name in ("GIF", "AVIF") and not _reads(name))
    if unknown or (header.animated and not _reads_animations()):
        return ImageError(
            "unsupported",
            "this OpenCV {} cannot read {}{}; convert it to JPEG or PNG".format(
                cv2.__version__, "animated " if header.animated else "", name
            ),
        )
    if header.size is not None and 0 in header.size:
        return ImageError("corrupt", "its header says {}".format(_shown(header.size)))
    if header.cut:
        return ImageError("truncated", "the {} file is cut short".format(name))
    return ImageError("corrupt", "the {} file is damaged, cut short, or of a rare kind".format(name))


def _reads(name: str) -> bool:
    """Whether this OpenCV was built with a format; it tells only in its build information."""
    return re.search(r"(?m)^\s+{}:\s+(?!NO)\S".format(name), cv2.getBuildInformation()) is not None


def _reads_animations() -> bool:
    """Whether this OpenCV reads the first frame of an animated WebP; older ones refuse the file."""
    return hasattr(cv2, "imreadanimation")


def _shown(size: Optional[Tuple[int, int]]) -> str:
    return "size unknown" if size is None else "{} x {} pixels".format(size[1], size[0])
