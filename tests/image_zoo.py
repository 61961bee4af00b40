"""A folder of images that have broken programs: odd ones that must give a result, and bad ones that must give a failure.

Made anew by each test that wants it, in well under a second; nothing of it is kept. Pixels are compared by the tests, with
`cv2.imread` where it can be trusted and with `ZooImage.like` where it cannot.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Dict, FrozenSet, List, NamedTuple, Optional, Tuple, Union

import cv2
import numpy as np
from PIL import Image

RESULT = "result"
HEIGHT, WIDTH = 48, 80
Expect = Union[str, Tuple[str, ...]]


class ZooImage(NamedTuple):
    """One inhabitant.

    Attributes:
        path: absolute, any bytes.
        expect: the outcomes allowed: "result", or a failure's kind. More than one where OpenCV versions differ.
        note: what is special about it.
        like: path of a sound file with the same pixels, where `cv2.imread` does not read this one rightly.
    """

    path: bytes
    expect: FrozenSet[str]
    note: str
    like: Optional[bytes] = None


def picture(height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> np.ndarray:
    """Soft blobs with noise on top, uint8 `[height, width, 3]`: no two rows or columns alike."""
    numbers = np.random.RandomState(seed)
    coarse = numbers.randint(0, 256, (6, 8, 3)).astype(np.uint8)
    soft = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    return np.clip(soft + numbers.randint(-12, 13, soft.shape), 0, 255).astype(np.uint8)


def pillow(image: np.ndarray, kind: str, mode: str = "RGB", **options: object) -> bytes:
    """`image` (BGR) as a file of `kind`, made by Pillow."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image[:, :, ::-1])).convert(mode).save(file, kind, **options)
    return file.getvalue()


def opencv(image: np.ndarray, suffix: str, *options: int) -> bytes:
    """`image` as a file with this suffix, made by OpenCV."""
    return cv2.imencode(suffix, image, list(options))[1].tobytes()


def exif_segment(orientation: int, order: str = "<", before: bytes = b"Exif\0\0") -> bytes:
    """A JPEG's APP1 segment that holds nothing but an orientation; `order` is "<" or ">"."""
    tiff = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, 1)
    tiff += struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0) + b"\0\0\0\0"
    return segment(0xE1, before + tiff)


def segment(marker: int, content: bytes) -> bytes:
    """A JPEG segment with its length."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def before_tables(jpeg: bytes, *pieces: bytes) -> bytes:
    """A JPEG with more segments, or rubbish, put behind its JFIF segment."""
    at = jpeg.index(b"\xff\xdb")
    return jpeg[:at] + b"".join(pieces) + jpeg[at:]


def patched(data: bytes, at: int, new: bytes) -> bytes:
    """`data` with some bytes overwritten."""
    return data[:at] + new + data[at + len(new) :]


def png_chunk(name: bytes, content: bytes) -> bytes:
    """A PNG chunk with its length and checksum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content) & 0xFFFFFFFF)


def png_bomb(height: int, width: int) -> bytes:
    """A PNG of a few hundred bytes whose header promises this many pixels, 8 bit grey."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100000, 9)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def bombs(height: int = 40000, width: int = 40000) -> Dict[str, bytes]:
    """Small files of each format whose headers promise `height` x `width` pixels, by suffix."""
    small = picture(64, 64)
    jpeg, bmp, gif, webp, tiff = (pillow(small, kind) for kind in ("JPEG", "BMP", "GIF", "WEBP", "TIFF"))
    frame = jpeg.index(b"\xff\xc0")
    extended = b"WEBPVP8X\x0a\0\0\0\0\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    jp2 = opencv(small, ".jp2")
    tags = tiff
    for tag, value in ((256, width), (257, height)):
        at = tiff.index(struct.pack("<H", tag), struct.unpack_from("<I", tiff, 4)[0])
        tags = patched(tags, at, struct.pack("<HHII", tag, 4, 1, value))
    return {
        "png": png_bomb(height, width),
        "jpg": patched(jpeg, frame + 5, struct.pack(">HH", height, width)),
        "bmp": patched(bmp, 18, struct.pack("<ii", width, height)),
        "gif": patched(gif, 6, struct.pack("<HH", width, height)),
        "webp": b"RIFF" + struct.pack("<I", 18 + len(webp)) + extended + webp[12:],
        "tiff": tags,
        "ppm": b"P6\n# a comment\n%d %d\n255\n" % (width, height) + b"\0" * 1000,
        "pam": b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n" % (width, height) + b"\0" * 1000,
        "jp2": patched(jp2, jp2.index(b"ihdr") + 4, struct.pack(">II", height, width)),
        "ras": patched(opencv(small, ".ras"), 4, struct.pack(">II", width, height)),
        "hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % (height, width) + b"\0" * 1000,
    }


def progressive_scans(jpeg: bytes) -> List[int]:
    """Offsets at which the scans of a progressive JPEG end (where their pixels do, before the next tables)."""
    ends = []
    at = jpeg.index(b"\xff\xda")
    while True:
        at += 2 + (jpeg[at + 2] << 8 | jpeg[at + 3])
        while jpeg[at] != 0xFF or jpeg[at + 1] == 0:
            at += 1
        ends.append(at)
        while jpeg[at + 1] not in (0xDA, 0xD9):
            at += 2 + (jpeg[at + 2] << 8 | jpeg[at + 3])
        if jpeg[at + 1] == 0xD9:
            return ends


def _odd_images() -> Dict[str, Tuple[bytes, Expect, str]]:
    """Name to content, expectation and note: files that hold an image."""
    image = picture()
    other = Image.fromarray(picture(seed=1)[:, :, ::-1])
    jpeg = pillow(image, "JPEG", quality=90)
    cmyk = pillow(image, "JPEG", "CMYK")
    adobe = cmyk.index(b"Adobe")
    scan = jpeg.index(b"\xff\xda")
    alpha = np.dstack([image, np.linspace(0, 255, image.size // 3).reshape(image.shape[:2]).astype(np.uint8)])
    wide = (image.astype(np.int64) * 257 - 60 * (image > 0)).astype(np.uint16)
    restart = opencv(image, ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
    found = {
        "plain.jpg": (jpeg, RESULT, "an ordinary JPEG"),
        "upper.JPG": (jpeg, RESULT, "an extension in capitals"),
        "no-extension": (jpeg, RESULT, "a JPEG without an extension"),
        "jpeg-named.png": (jpeg, RESULT, "a JPEG that calls itself a PNG"),
        "png-named.jpg": (opencv(image, ".png"), RESULT, "a PNG that calls itself a JPEG"),
        "progressive.jpg": (pillow(image, "JPEG", progressive=True), RESULT, "progressive"),
        "444.jpg": (pillow(image, "JPEG", subsampling=0), RESULT, "colour at full resolution"),
        "422.jpg": (pillow(image, "JPEG", subsampling=1), RESULT, "colour at half the width"),
        "odd-size.jpg": (pillow(picture(37, 51), "JPEG"), RESULT, "edges that are no multiple of 8"),
        "restart.jpg": (restart, RESULT, "restart markers"),
        "grey.jpg": (pillow(image, "JPEG", "L"), RESULT, "one component"),
        "cmyk.jpg": (cmyk, RESULT, "CMYK, inverted, as Adobe writes it"),
        "ycck.jpg": (patched(cmyk, adobe + 11, b"\2"), RESULT, "YCCK"),
        "cmyk-plain.jpg": (cmyk[: adobe - 4] + cmyk[adobe + 12 :], RESULT, "CMYK without Adobe's segment"),
        "rgb.jpg": (
            before_tables(pillow(image, "JPEG", subsampling=0), segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")).replace(
                b"JFIF", b"JUNK"
            ),
            RESULT,
            "a JPEG that holds RGB",
        ),
        "1x1.jpg": (pillow(picture(1, 1), "JPEG"), RESULT, "one pixel"),
        "1x3000.jpg": (pillow(picture(1, 3000), "JPEG"), RESULT, "one row"),
        "3000x1.png": (opencv(picture(3000, 1), ".png"), RESULT, "one column"),
        "trailing.jpg": (jpeg + b"\0rubbish behind the end" * 9, RESULT, "rubbish behind the end marker"),
        "two.jpg": (jpeg + pillow(picture(seed=1), "JPEG"), RESULT, "a second image behind the first"),
        "rubbish-in-header.jpg": (before_tables(jpeg, b"\0\0\0"), RESULT, "3 bytes of nothing between segments"),
        "jfif2.jpg": (patched(jpeg, 11, b"\2"), RESULT, "a JFIF revision that does not exist"),
        "adobe9.jpg": (
            before_tables(jpeg, segment(0xEE, b"Adobe\0\x64\0\0\0\0\x09")).replace(b"JFIF", b"JUNK"),
            RESULT,
            "an Adobe colour code that does not exist",
        ),
        "scan-fields.jpg": (
            patched(jpeg, scan + 11, b"\0\0\0"),
            RESULT,
            "scan fields without sense, as some cameras write",
        ),
        "filler.jpg": (jpeg[:-2] + b"\0" * 30 + jpeg[-2:], RESULT, "zeros before the end marker"),
        "filler-few.jpg": (jpeg[:-2] + b"\x5a\xa5\x5a" + jpeg[-2:], RESULT, "3 odd bytes before the end marker"),
        "xmp-first.jpg": (
            before_tables(jpeg, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), exif_segment(6)),
            RESULT,
            "an XMP segment before the Exif one: OpenCV versions differ",
        ),
        "rgba.png": (opencv(alpha, ".png"), RESULT, "alpha"),
        "grey.png": (opencv(image[:, :, 0], ".png"), RESULT, "grey"),
        "grey-alpha.png": (pillow(image, "PNG", "LA"), RESULT, "grey with alpha"),
        "16bit.png": (opencv(wide, ".png"), RESULT, "16 bit colour"),
        "grey16.png": (opencv(wide[:, :, 1], ".png"), RESULT, "16 bit grey"),
        "palette.png": (pillow(image, "PNG", "P"), RESULT, "a palette"),
        "bits.png": (pillow(image, "PNG", "1"), RESULT, "one bit a pixel"),
        "turned.png": (pillow(image, "PNG", exif=exif_segment(6)[4:]), RESULT, "a PNG turned by Exif"),
        "turned.webp": (pillow(image, "WEBP", exif=exif_segment(6)[4:]), RESULT, "a WebP turned by Exif"),
        "animated.png": (
            pillow(image, "PNG", save_all=True, append_images=[other], duration=100),
            RESULT,
            "an animation: its first frame",
        ),
        "still.gif": (pillow(image, "GIF"), (RESULT, "unsupported"), "OpenCV 4.8 reads no GIF"),
        "animated.gif": (
            pillow(image, "GIF", save_all=True, append_images=[other], duration=100),
            (RESULT, "unsupported"),
            "an animation; OpenCV 4.8 reads no GIF",
        ),
        "animated.webp": (
            pillow(image, "WEBP", save_all=True, append_images=[other], duration=100),
            (RESULT, "unsupported"),
            "an animation; OpenCV 4.8 reads none",
        ),
        "lossy.webp": (pillow(image, "WEBP"), RESULT, "WebP"),
        "lossless.webp": (pillow(image, "WEBP", "RGBA", lossless=True), RESULT, "WebP with alpha"),
        "plain.bmp": (opencv(image, ".bmp"), RESULT, "BMP"),
        "palette.bmp": (pillow(image, "BMP", "P"), RESULT, "BMP with a palette"),
        "lzw.tif": (pillow(image, "TIFF", compression="tiff_lzw"), RESULT, "TIFF, LZW"),
        "16bit.tif": (opencv(wide, ".tiff"), RESULT, "TIFF, 16 bit"),
        "plain.ppm": (opencv(image, ".ppm"), RESULT, "PPM"),
        "plain.hdr": (opencv(image.astype(np.float32) / 255, ".hdr"), RESULT, "Radiance HDR"),
        "plain.pfm": (opencv(image.astype(np.float32) / 255, ".pfm"), RESULT, "PFM"),
        "plain.jp2": (opencv(picture(64, 96), ".jp2"), RESULT, "JPEG 2000"),
    }
    for orientation in range(1, 9):
        for order, suffix in (("<", "le"), (">", "be")):
            name = "exif{}-{}.jpg".format(orientation, suffix)
            found[name] = (before_tables(jpeg, exif_segment(orientation, order)), RESULT, "turned by Exif")
    return found


def _bad_images() -> Dict[str, Tuple[bytes, Expect, str]]:
    """Name to content, expectation and note: files that hold no whole image."""
    image = picture()
    jpeg = pillow(image, "JPEG", quality=90)
    progressive = pillow(image, "JPEG", progressive=True)
    png = pillow(image, "PNG")
    animated = pillow(image, "PNG", save_all=True, append_images=[Image.fromarray(image[::-1])], duration=100)
    half = len(jpeg) // 2
    frame = jpeg.index(b"\xff\xc0")
    restart = opencv(image, ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
    in_pixels = png.index(b"IDAT") + 200
    found = {
        "empty.jpg": (b"", "empty", "no byte at all"),
        "one-byte.jpg": (b"\xff", "not-an-image", "one byte"),
        "zeros.jpg": (b"\0" * 5000, "not-an-image", "only zeros, as a crashed disk leaves"),
        "text.jpg": (b"no image, only some words\n" * 20, "not-an-image", "a text"),
        "page.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "not-an-image", "a web page"),
        "paper.jpg": (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n" + b"1 0 obj\n" * 50, "not-an-image", "a PDF"),
        "archive.jpg": (b"PK\x03\x04" + b"\x14\0" * 100, "not-an-image", "a ZIP archive"),
        "start-only.jpg": (b"\xff\xd8\xff", "truncated", "a JPEG of 3 bytes"),
        "header-only.jpg": (jpeg[:100], "truncated", "a JPEG cut in its header"),
        "no-pixels.jpg": (jpeg[: jpeg.index(b"\xff\xda")], "truncated", "a JPEG cut before its pixels"),
        "half.jpg": (jpeg[:half], "truncated", "half a JPEG"),
        "half-zeros.jpg": (jpeg[:half] + b"\0" * half, "truncated", "half a JPEG, filled up with zeros"),
        "half-many-zeros.jpg": (jpeg[:half] + b"\0" * 50000, "truncated", "half a JPEG, and zeros without end"),
        "almost.jpg": (jpeg[:-12], "truncated", "a JPEG without its last 12 bytes"),
        "half-turned.jpg": (before_tables(jpeg, exif_segment(6))[: half + 100], "truncated", "half a turned JPEG"),
        "half-progressive.jpg": (progressive[: len(progressive) // 2], "truncated", "half a progressive JPEG"),
        "half-ended.jpg": (jpeg[:half] + b"\xff\xd9", "corrupt", "half a JPEG with an end marker"),
        "restart.jpg": (
            restart.replace(b"\xff\xd1", b"\xff\xd5", 1),
            "corrupt",
            "restart markers out of order: something is missing",
        ),
        "middle.jpg": (jpeg[:half] + jpeg[half + 150 :], "corrupt", "a JPEG without 150 bytes in its middle"),
        "middle-progressive.jpg": (
            progressive[: len(progressive) // 3] + b"\xa5" * 40 + progressive[len(progressive) // 3 + 40 :],
            "corrupt",
            "a progressive JPEG damaged in its middle",
        ),
        "table.jpg": (patched(jpeg, jpeg.index(b"\xff\xdb") + 3, b"\x03"), "corrupt", "a table's length is damaged"),
        "no-height.jpg": (patched(jpeg, frame + 5, b"\0\0"), "corrupt", "a JPEG of no height"),
        "no-width.jpg": (patched(jpeg, frame + 7, b"\0\0"), "corrupt", "a JPEG of no width"),
        "12bit.jpg": (patched(jpeg, frame + 4, b"\x0c"), "unsupported", "12 bit"),
        "half.png": (png[: len(png) // 2], "truncated", "half a PNG"),
        "almost.png": (png[:-1], "truncated", "a PNG without its last byte"),
        "start-only.png": (png[:12], "truncated", "a PNG of 12 bytes"),
        "half-animated.png": (animated[: len(animated) * 3 // 4], "truncated", "an animation cut in its second frame"),
        "checksum.png": (
            patched(png, in_pixels, bytes([png[in_pixels] ^ 0xFF])),
            "corrupt",
            "a PNG with a flipped byte",
        ),
        "no-height.png": (png_bomb(0, 100), "corrupt", "a PNG of no height"),
        "half.bmp": (opencv(image, ".bmp")[:5000], "truncated", "half a BMP"),
        "half.webp": (pillow(image, "WEBP", lossless=True)[:900], "truncated", "half a WebP"),
        "half.tif": (pillow(image, "TIFF")[:5000], "corrupt", "half a TIFF"),
        "half-header-last.tif": (
            opencv(image, ".tiff")[:5000],
            "truncated",
            "half a TIFF whose header stands at its end",
        ),
        "half.gif": (pillow(image, "GIF")[:1500], ("corrupt", "unsupported"), "half a GIF; OpenCV 4.8 reads none"),
        "half.ppm": (opencv(image, ".ppm")[:5000], "corrupt", "half a PPM"),
        "half.pfm": (opencv(image.astype(np.float32) / 255, ".pfm")[:5000], "corrupt", "half a PFM"),
        "half.jp2": (opencv(picture(64, 96), ".jp2")[:2000], "corrupt", "half a JPEG 2000"),
        "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + b"\0" * 100, "unsupported", "a phone's HEIF"),
        "progressive-two-scans.jpg": (
            progressive[: progressive_scans(progressive)[1]],
            "truncated",
            "a progressive JPEG cut exactly between two scans",
        ),
    }
    for suffix, content in bombs().items():
        found["bomb." + suffix] = (content, "too-large", "40,000 x 40,000 pixels promised by a few bytes")
    return found


def _like_another() -> Dict[str, Tuple[bytes, bytes, str]]:
    """Name to content, sound content of the same pixels, and note: where `cv2.imread` is no judge."""
    image = picture()
    found = {}
    for name, jpeg in (
        ("end", pillow(image, "JPEG", quality=90)),
        ("end-progressive", pillow(image, "JPEG", progressive=True)),
        ("end-turned", before_tables(pillow(image, "JPEG"), exif_segment(8))),
    ):
        found["no-{}.jpg".format(name)] = (jpeg[:-2], jpeg, "only the end marker is missing")
        found["half-{}.jpg".format(name)] = (jpeg[:-1], jpeg, "half of the end marker is missing")
    return found


_NAMES: Tuple[Tuple[bytes, str], ...] = (
    (b"two words.jpg", "a blank"),
    (b" blank first and last .jpg", "blanks at the ends"),
    (b'it\'s "quoted".jpg', "quotes"),
    (b"new\nline.jpg", "a line break"),
    (b"tab\tand\rreturn.jpg", "a tab and a carriage return"),
    (b"not-utf8-\xff\xfe.jpg", "bytes that are not UTF-8"),
    ("größe-画像-🚗.jpg".encode("utf-8"), "Unicode"),
    (b"-rf.jpg", "a dash first"),
    (b"100%d%s.jpg", "percent signs"),
    (b"$HOME;`id`*?[x].jpg", "what a shell would act on"),
    (b"back\\slash.jpg", "a backslash"),
    (b".hidden.jpg", "a dot first"),
    (b"n" * 251 + b".jpg", "a name of 255 bytes"),
)


def make_zoo(folder: Union[bytes, str, Path]) -> List[ZooImage]:
    """Makes every inhabitant.

    Args:
        folder: an existing folder; sub folders are made in it.

    Returns:
        All of them, in a fixed order. The caller may read none of them: some are pipes.
    """
    top = os.path.abspath(folder if isinstance(folder, bytes) else os.fsencode(str(folder)))
    zoo: List[ZooImage] = []

    def add(sub: bytes, name: bytes, content: Optional[bytes], expect: Expect, note: str) -> bytes:
        path = os.path.join(top, sub, name)
        if content is not None:
            with open(path, "wb") as file:
                file.write(content)
        zoo.append(ZooImage(path, frozenset([expect] if isinstance(expect, str) else expect), note))
        return path

    for sub in (b"odd", b"bad", b"alike", b"sound", b"names", b"paths"):
        os.mkdir(os.path.join(top, sub))
    for name, (content, expect, note) in _odd_images().items():
        add(b"odd", name.encode("ascii"), content, expect, note)
    for name, (content, expect, note) in _bad_images().items():
        add(b"bad", name.encode("ascii"), content, expect, note)
    for name, (content, sound, note) in _like_another().items():
        like = add(b"sound", name.encode("ascii"), sound, RESULT, "the sound twin of alike/" + name)
        add(b"alike", name.encode("ascii"), content, RESULT, note)
        zoo[-1] = zoo[-1]._replace(like=like)
    plain = pillow(picture(), "JPEG")
    for raw_name, note in _NAMES:
        add(b"names", raw_name, plain, RESULT, "a name with " + note)

    add(b"paths", b"missing.jpg", None, "missing", "no such file")
    add(b"paths", b"missing/too.jpg", None, "missing", "no such folder")
    add(b"paths", b"n" * 256, None, "missing", "a name longer than any file's")
    os.mkdir(add(b"paths", b"folder.jpg", None, "folder", "a folder"))
    os.mkfifo(add(b"paths", b"pipe.jpg", None, "special", "a pipe that nobody writes"))
    os.symlink(b"nowhere.jpg", add(b"paths", b"dangling.jpg", None, "missing", "a symbolic link to nothing"))
    os.symlink(b"circle.jpg", add(b"paths", b"circle.jpg", None, "unreadable", "a symbolic link to itself"))
    os.symlink(b"../odd/plain.jpg", add(b"paths", b"link.jpg", None, RESULT, "a symbolic link to an image"))
    os.symlink(b"/dev/zero", add(b"paths", b"device.jpg", None, "special", "a device that never ends"))
    if os.geteuid() != 0:
        # Root may read everything.
        os.chmod(add(b"paths", b"forbidden.jpg", plain, "unreadable", "permission denied"), 0)
    return zoo
