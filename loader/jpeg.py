"""Decoding JPEG strictly: every pixel of the file, equal to OpenCV's, or an error.

OpenCV fills what is missing with grey and says nothing, so libjpeg is asked through simplejpeg, which raises at its first
warning. Which warnings an image survives (tried on thousands of damaged files):

* harmless, because no pixel is touched: filler between the segments of the header or before the end marker, an unknown
  JFIF revision or Adobe colour code, senseless scan parameters in a sequential file, a missing end marker. Each of these is
  mended in a copy of the data, and the copy must then decode without any warning: libjpeg tells only the first;
* anything after the end marker is not even looked at;
* everything else ("premature end of data segment", "bad Huffman code", "found marker .. instead of RST.", more "extraneous
  bytes before marker ..") means that pixels are lost, or a table they need.

Filler is zeros, or (not in progressive files) at most 4 bytes. Of 2,400 sequential files of 640 x 480 that were damaged in
their pixels 507 left bytes over before the end marker: 8 or more, and all but one of them 32 or more; progressive ones left
1 to 7 as well. A damaged length in the header leaves the segment's tail over.
"""

from __future__ import annotations

import re
import struct
from typing import Iterator, List, NamedTuple, Optional, Tuple

import cv2
import numpy as np
import simplejpeg

from .imagefile import ImageError

SIGNATURE = b"\xff\xd8\xff"

_APP0, _APP1, _APP14, _SOS, _EOI = 0xE0, 0xE1, 0xEE, 0xDA, 0xD9
#: Frame headers, whatever the coding. C4, C8 and CC are other things.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = (0xC0, 0xC1)
_WITHOUT_LENGTH = frozenset(range(0xD0, 0xD8)) | {0x00, 0x01}

#: An Exif entry that may turn the image: tag 0x0112, type, count, a value from 2 to 8; in either byte order.
_TURNS = (re.compile(rb"(?s)\x12\x01.{6}[\x02-\x08]\x00"), re.compile(rb"(?s)\x01\x12.{6}\x00[\x02-\x08]"))

_NO_END = "Premature end of JPEG file"
_LEFT_OVER = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9")
#: What libjpeg says of sound files that are not for it, and what simplejpeg says where OpenCV may still know the sampling.
_RARE = re.compile(r"Unsupported JPEG|Unsupported color|arithmetic", re.I)
_SAMPLING = "Could not determine subsampling"
_MAX_FILLER = 4
#: In pixel data FF is followed by 00 or a restart marker; the next marker is the first other one.
_NEXT_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")


class JpegHeader(NamedTuple):
    """What stands before the pixels.

    Attributes:
        height: as stored, pixels.
        width: as stored, pixels.
        components: 1 grey, 3 colour, 4 CMYK or YCCK.
        frame: the frame header's marker, which tells the coding.
        scan: offset of the first scan's header.
        turned: whether an Exif orientation other than the usual one may be there.
    """

    height: int
    width: int
    components: int
    frame: int
    scan: int
    turned: bool


def read_jpeg_header(data: bytes) -> JpegHeader:
    """Reads the segments before the pixels.

    Args:
        data: the whole file, which begins with `SIGNATURE`.

    Raises:
        ImageError: kind "truncated" or "corrupt".
    """
    height = width = components = frame = 0
    turned = False
    for marker, start, end in _segments(data):
        if marker in _FRAMES and end - start >= 8:
            frame = marker
            height, width, components = struct.unpack_from(">HHB", data, start + 3)
        elif marker == _APP1:
            turned = turned or any(turn.search(data, start, end) for turn in _TURNS)
        elif marker == _SOS:
            if not frame:
                break
            if not height or not width:
                raise ImageError("corrupt", "its header says {} x {} pixels".format(width, height))
            return JpegHeader(height, width, components, frame, start, turned)
    raise ImageError("corrupt", "the JPEG has no complete header")


def decode_jpeg(
    data: bytes, header: JpegHeader, into: Optional[np.ndarray] = None, at_least: Tuple[int, int] = (0, 0)
) -> np.ndarray:
    """Decodes a whole JPEG.

    Args:
        data: the whole file.
        header: its header.
        into: writable flat uint8 memory for the pixels, used when they fit and lie in the file as they are to be seen.
        at_least: height and width, pixels; if given, the image is decoded at some eighths of its size (by leaving out
            frequencies, which libjpeg can), the fewest with which neither edge becomes shorter. Then `into` is not used.

    Returns:
        uint8 `[H, W, 3]`, BGR, upright, C-contiguous.

    Raises:
        ImageError: kind "truncated", "corrupt" or "unsupported".
    """
    need = header.height * header.width * 3
    if into is None or header.turned or into.size < need or any(at_least):
        into = None
    else:
        into = into[:need]
    complaints: List[str] = []
    # Three things can be mended: the header, the filler, the end marker.
    while len(complaints) < 4:
        try:
            pixels = simplejpeg.decode_jpeg(data, "BGR", min_height=at_least[0], min_width=at_least[1], buffer=into)
        except ValueError as error:
            complaints.append(str(error))
        else:
            # OpenCV versions differ in which Exif segment they follow, so the one at hand turns the image.
            turned = _opencv(data) if header.turned else None
            return pixels if turned is None else turned
        mended = _mend(data, header, complaints)
        if mended is None or mended == data:
            break
        data = mended
        header = read_jpeg_header(data)
    return _last_resort(data, header, complaints)


def _last_resort(data: bytes, header: JpegHeader, complaints: List[str]) -> np.ndarray:
    """A JPEG that simplejpeg does not decode: OpenCV's pixels where it is only of a rare kind.

    Raises:
        ImageError: kind "truncated", "corrupt" or "unsupported".
    """
    complaint = complaints[-1]
    if _NO_END in complaints or data.find(b"\xff\xd9", header.scan) < 0:
        raise ImageError("truncated", "the JPEG is cut short: the end of its pixels is missing")
    rare = _RARE.search(complaint) is not None
    pixels = _opencv(data) if rare or _SAMPLING in complaint else None
    if pixels is not None:
        return pixels
    if rare:
        raise ImageError("unsupported", "it is a rare kind of JPEG (libjpeg: {}); convert it".format(complaint))
    raise ImageError("corrupt", "the JPEG is damaged (libjpeg: {})".format(complaint))


def _opencv(data: bytes) -> Optional[np.ndarray]:
    """OpenCV's pixels, uint8 `[H, W, 3]`, turned upright; None when it has none."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def _segments(data: bytes) -> Iterator[Tuple[int, int, int]]:
    """Marker, start (of the length) and end of each segment up to the first scan's header.

    Raises:
        ImageError: when the data ends or makes no sense before that header.
    """
    at = 2
    while True:
        # libjpeg skips rubbish between segments, and so does this.
        at = data.find(b"\xff", at)
        while at >= 0 and data[at : at + 1] == b"\xff":
            at += 1
        if at < 0 or at + 3 > len(data):
            raise ImageError("truncated", "the JPEG is cut short in its header")
        marker = data[at]
        at += 1
        if marker in _WITHOUT_LENGTH:
            continue
        length = data[at] << 8 | data[at + 1]
        if marker == _EOI or length < 2:
            raise ImageError("corrupt", "the JPEG's header is damaged")
        if at + length > len(data):
            raise ImageError("truncated", "the JPEG is cut short in its header")
        yield marker, at, at + length
        if marker == _SOS:
            return
        at += length


def _mend(data: bytes, header: JpegHeader, complaints: List[str]) -> Optional[bytes]:
    """A copy without the harmless fault that the last complaint is about; None when it is not harmless."""
    complaint = complaints[-1]
    if _NO_END in complaints[:-1]:
        # A file cut short and filled up with zeros also complains about filler once it has an end.
        return None
    if complaint == _NO_END:
        if not _all_scans(data, header.scan, header.components):
            return None
        return data + (b"\xd9" if data.endswith(b"\xff") else b"\xff\xd9")
    left_over = _LEFT_OVER.match(complaint)
    if left_over is None:
        return _mend_header(data, header)
    count = int(left_over.group(1))
    end = data.find(b"\xff\xd9", header.scan)
    return data[: end - count] + data[end:] if _is_filler(data[end - count : end], header) else None


def _is_filler(rubbish: bytes, header: JpegHeader) -> bool:
    return not rubbish.strip(b"\0") or (len(rubbish) <= _MAX_FILLER and header.frame in _SEQUENTIAL)


def _mend_header(data: bytes, header: JpegHeader) -> Optional[bytes]:
    """The header without filler between its segments, and with sense in the fields that libjpeg only warns about."""
    pieces = [b"\xff\xd8"]
    end = 2
    for marker, start, next_end in _segments(data):
        # FF and the marker stand before a segment, and any number of FF before these.
        if not _is_filler(data[end : start - 2].rstrip(b"\xff"), header):
            return None
        end = next_end
        segment = bytearray(data[start:end])
        if marker == _APP0 and segment[2:7] == b"JFIF\0":
            segment[7] = 1
        elif marker == _APP14 and segment[2:7] == b"Adobe" and len(segment) > 13:
            # What libjpeg assumes: YCbCr for three components, YCCK for four.
            if segment[13] not in ((0, 1) if header.components == 3 else (0, 2)):
                segment[13] = 1 if header.components == 3 else 2
        elif marker == _SOS and header.frame in _SEQUENTIAL:
            segment[-3:] = b"\x00\x3f\x00"
        pieces += [b"\xff", bytes([marker]), bytes(segment)]
    return b"".join(pieces) + data[end:]


def _all_scans(data: bytes, at: int, components: int) -> bool:
    """Whether every coefficient of every component has been sent to its last bit.

    A file of several scans (progressive, mostly) that ends between two of them is a blurred whole, with no warning.

    Args:
        data: the whole file.
        at: offset of the first scan's header, after its marker.
        components: how many there are.
    """
    complete = set()
    marker = _SOS
    while True:
        segment = data[at : at + (data[at] << 8 | data[at + 1])] if at + 2 <= len(data) else b""
        if marker == _SOS and len(segment) >= 6:
            first, last, bits = segment[-3:]
            if bits & 15 == 0:
                names = segment[3 : 3 + 2 * segment[2] : 2]
                complete |= {(name, index) for name in names for index in range(first, min(last, 63) + 1)}
        found = _NEXT_MARKER.search(data, at + len(segment))
        if found is None:
            return len(complete) == 64 * components
        marker, at = data[found.end() - 1], found.end()
