"""Small pictures of a run's images, for a page: JPEG, inside of it."""

from __future__ import annotations

import base64
import threading
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import cv2
import numpy as np
import simplejpeg

from ..drawing.boxes import draw_detections
from ..drawing.pictures import Pictures
from ..loader.header import read_header
from ..loader.imagefile import ImageError, check_pixels, read_image_file
from ..loader.jpeg import SIGNATURE as JPEG
from ..loader.jpeg import read_jpeg_header
from .failures import Example, FailureFigures
from .survey import Found

#: Pictures of either sort.
MOST_PICTURES = 8
#: A disk that is slower than this is not kept longer.
MOST_SECONDS = 10.0
#: Larger images are not decoded for a thumbnail.
_MOST_PIXELS = 50 * 10**6
_WIDTH, _HEIGHT, _QUALITY = 420, 320, 78
_SMALL_WIDTH, _SMALL_HEIGHT = 180, 140
#: Less than this is drawn only where there is nothing likelier.
_LIKELY = 0.3
_MOST_BOXES = 40
#: These were not decoded to the end, but what there is of them shows what is wrong.
_DAMAGED = ("truncated", "corrupt")
#: An image of this kind has taken processes down; this one is not to be the next.
_DANGEROUS = "crash"


class Picture(NamedTuple):
    """A picture.

    Attributes:
        image: path of the image.
        text: what to say below it.
        data: JPEG.
        width: pixels.
        height: pixels.
    """

    image: bytes
    text: str
    data: bytes
    width: int
    height: int

    @property
    def uri(self) -> str:
        """The picture itself, as an address."""
        return "data:image/jpeg;base64," + base64.b64encode(self.data).decode("ascii")


class Album:
    """Makes pictures, for a bounded time.

    Args:
        failures: images that failed; those that can be seen in part or whole are shown, first one of each kind, then another
            one of each.
        candidates: images with what was found on them.

    Attributes:
        failed: pictures of the former.
        found: pictures of the latter.
        late: whether time was up before all were made.
    """

    def __init__(self, failures: FailureFigures, candidates: Sequence[Found], seconds: float = MOST_SECONDS) -> None:
        self._failed: List[Picture] = []
        self._found: List[Picture] = []
        self._failures = failures
        self._candidates = candidates
        self._until = time.monotonic() + seconds
        self._images = Pictures(_MOST_PIXELS)
        # A thread, since a disk may hang, and a frame far into a video that cannot be sought takes minutes.
        thread = threading.Thread(target=self._fill, name="pictures", daemon=True)
        thread.start()
        thread.join(seconds)
        self.late = thread.is_alive() or self._is_late()
        self.failed, self.found = list(self._failed), list(self._found)

    def _is_late(self) -> bool:
        return time.monotonic() >= self._until

    def _fill(self) -> None:
        try:
            self._show_detections()
            self._show_failures()
        finally:
            self._images.close()

    def _show_failures(self) -> None:
        kinds = [kind for kind in self._failures.kinds if kind.kind != _DANGEROUS]
        waiting = [example for examples in _in_turn([kind.examples for kind in kinds]) for example in examples]
        for example in waiting:
            if len(self._failed) == MOST_PICTURES or self._is_late():
                break
            picture = self._failed_picture(example)
            if picture is not None:
                self._failed.append(picture)

    def _show_detections(self) -> None:
        # Those that are not taken at first are there for images that are gone by now.
        step = max(1, len(self._candidates) // MOST_PICTURES)
        for found in [found for first in range(step) for found in self._candidates[first::step]]:
            if len(self._found) == MOST_PICTURES or self._is_late():
                break
            image = self._pixels(found.image)
            if image is not None:
                shown = _likeliest(found.detections)
                small = _shrunk(image, _WIDTH, _HEIGHT)
                scale = small.shape[1] / image.shape[1]
                drawn = draw_detections(small, shown, scale)
                text = "{:,} of {:,} detections".format(len(shown), len(found.detections))
                self._found.append(_picture(found.image, text, drawn))

    def _failed_picture(self, example: Example) -> Optional[Picture]:
        image = self._pixels(example.image, damaged=example.failure.kind in _DAMAGED)
        if image is None:
            return None
        return _picture(example.image, example.failure.kind, _shrunk(image, _SMALL_WIDTH, _SMALL_HEIGHT))

    def _pixels(self, path: bytes, damaged: bool = False) -> Optional[np.ndarray]:
        """uint8 `[H, W, 3]`, BGR; None where there is nothing to see.

        Args:
            path: an image's, or a frame's of a video.
            damaged: be content with a part.
        """
        try:
            try:
                return self._images.read(path)
            except ImageError:
                return _what_is_there(read_image_file(path)) if damaged else None
        except (ImageError, OSError, ValueError, MemoryError, cv2.error):
            return None


def _what_is_there(data: bytes) -> Optional[np.ndarray]:
    """An image as far as it can be decoded; the rest is grey.

    Raises:
        ImageError: when it is too large, or a JPEG does not say how large it is.
        ValueError: when nothing of a JPEG can be decoded.
    """
    if data.startswith(JPEG):
        header = read_jpeg_header(data)
        check_pixels((header.height, header.width), _MOST_PIXELS)
        pixels: np.ndarray = simplejpeg.decode_jpeg(data, colorspace="BGR", strict=False)
        return pixels
    size = read_header(data).size
    if size is None:
        return None
    check_pixels(size, _MOST_PIXELS)
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def _in_turn(lists: Sequence[Sequence[Example]]) -> List[List[Example]]:
    """The first ones of all lists, then the second ones, and so on."""
    longest = max(map(len, lists), default=0)
    return [[one[place] for one in lists if place < len(one)] for place in range(longest)]


def _likeliest(detections: Sequence[Dict[str, Any]]) -> List[Dict[str, Any]]:
    ordered = sorted(detections, key=lambda detection: -detection["score"])[:_MOST_BOXES]
    likely = [detection for detection in ordered if detection["score"] >= _LIKELY]
    return likely or ordered[:3]


def _shrunk(image: np.ndarray, width: int, height: int) -> np.ndarray:
    scale = min(1.0, width / image.shape[1], height / image.shape[0])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small: np.ndarray = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small


def _picture(image: bytes, text: str, pixels: np.ndarray) -> Picture:
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert done, "OpenCV makes a JPEG of any pixels"
    return Picture(image, text, data.tobytes(), pixels.shape[1], pixels.shape[0])
