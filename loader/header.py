"""What the first bytes of an image other than a JPEG say of it: its format, and its size before any memory is taken.

OpenCV has a limit of its own (2**30 pixels, 3 GB), read from the environment once, when its library is loaded; the
operator's `--max-pixels` needs the size of each image beforehand.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple, Optional, Tuple

Size = Tuple[int, int]

_PNM = re.compile(rb"P[1-6Ff](?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s")
_PAM_WIDTH = re.compile(rb"\nWIDTH\s+(\d+)")
_PAM_HEIGHT = re.compile(rb"\nHEIGHT\s+(\d+)")
_RADIANCE = re.compile(rb"\n-Y (\d+) \+X (\d+)")
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
#: TIFF field type to its format for `struct`.
_TIFF_NUMBERS = {3: "H", 4: "I", 16: "Q"}


class ImageHeader(NamedTuple):
    """What an image says of itself.

    Attributes:
        format: its name, such as "PNG"; "" when the first bytes are no known image's.
        size: height and width as stored (an orientation may turn them), pixels; None when they are not to be found.
        cut: whether the data surely ends before the image does.
        animated: whether it is an animated WebP.
    """

    format: str
    size: Optional[Size] = None
    cut: bool = False
    animated: bool = False


def read_header(data: bytes) -> ImageHeader:
    """Reads the format and the size. Never raises: a damaged header has no size.

    Args:
        data: the whole file.
    """
    try:
        return _read(data)
    except (struct.error, IndexError, OverflowError):
        return ImageHeader(_format(data), cut=True)


def _format(data: bytes) -> str:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"BM"):
        return "BMP"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if re.match(rb"P[1-7]\s", data):
        return "PNM"
    if re.match(rb"P[Ff]\s", data):
        return "PFM"
    if data.startswith((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")):
        return "JPEG 2000"
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis"):
        return "AVIF"
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
        return "HEIF"
    if data.startswith(b"\x59\xa6\x6a\x95"):
        return "Sun raster"
    if data.startswith((b"#?RADIANCE", b"#?RGBE")):
        return "Radiance HDR"
    return ""


def _read(data: bytes) -> ImageHeader:
    name = _format(data)
    if name == "PNG":
        width, height = struct.unpack_from(">II", data, 16)
        end = data.rfind(b"IEND")
        # Four bytes of checksum follow the name. OpenCV 5 does not mind when the later frames of an animation are missing.
        return ImageHeader(name, (height, width), end < 0 or end + 8 > len(data))
    if name == "GIF":
        width, height = struct.unpack_from("<HH", data, 6)
        return ImageHeader(name, (height, width))
    if name == "BMP":
        return _bmp(data)
    if name == "WebP":
        (length,) = struct.unpack_from("<I", data, 4)
        return ImageHeader(name, _webp_size(data), length + 8 > len(data), data[12:16] == b"VP8X" and data[20] & 2 > 0)
    if name == "TIFF":
        return ImageHeader(name, _tiff_size(data))
    if name in ("PNM", "PFM"):
        return ImageHeader(name, _pnm_size(data[:65536]))
    if name == "JPEG 2000":
        return ImageHeader(name, _jpeg2000_size(data))
    if name in ("AVIF", "HEIF"):
        return ImageHeader(name, _heif_size(data))
    if name == "Sun raster":
        width, height = struct.unpack_from(">II", data, 4)
        return ImageHeader(name, (height, width))
    if name == "Radiance HDR":
        found = _RADIANCE.search(data[:65536])
        return ImageHeader(name, (int(found.group(1)), int(found.group(2))) if found else None)
    return ImageHeader(name)


def _bmp(data: bytes) -> ImageHeader:
    length, _, _, header = struct.unpack_from("<IHHI", data, 2)
    if header == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    # A negative height means that the rows go from the top.
    return ImageHeader("BMP", (abs(height), max(width, 0)), length > len(data))


def _webp_size(data: bytes) -> Optional[Size]:
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[27:30], "little") + 1, int.from_bytes(data[24:27], "little") + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return height & 0x3FFF, width & 0x3FFF
    return None


def _tiff_size(data: bytes) -> Optional[Size]:
    order = "<" if data[:1] == b"I" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    at = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    count = struct.unpack_from(order + ("Q" if big else "H"), data, at)[0]
    at += 8 if big else 2
    found = {}
    for entry in range(at, at + min(count, 4096) * (20 if big else 12), 20 if big else 12):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT) and kind in _TIFF_NUMBERS:
            found[tag] = struct.unpack_from(order + _TIFF_NUMBERS[kind], data, entry + (12 if big else 8))[0]
    return (found[_TIFF_HEIGHT], found[_TIFF_WIDTH]) if len(found) == 2 else None


def _pnm_size(data: bytes) -> Optional[Size]:
    if data.startswith(b"P7"):
        height, width = _PAM_HEIGHT.search(data), _PAM_WIDTH.search(data)
        return (int(height.group(1)), int(width.group(1))) if height and width else None
    found = _PNM.match(data)
    return (int(found.group(2)), int(found.group(1))) if found else None


def _jpeg2000_size(data: bytes) -> Optional[Size]:
    if data.startswith(b"\xff\x4f"):
        right, bottom, left, top = struct.unpack_from(">IIII", data, 8)
        return bottom - top, right - left
    at = data.find(b"ihdr")
    height, width = struct.unpack_from(">II", data, at + 4)
    return (height, width) if at > 0 else None


def _heif_size(data: bytes) -> Optional[Size]:
    """The largest of the sizes in the file: it may hold a thumbnail as well."""
    sizes = [struct.unpack(">II", match.group(1)) for match in re.finditer(rb"(?s)ispe\0{4}(.{8})", data[:65536])]
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    return (height, width) if sizes else None
