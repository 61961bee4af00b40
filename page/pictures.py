"""Images with what was found on them, small, as JPEG."""

from __future__ import annotations

from typing import Any, Dict, Sequence

import cv2
import numpy as np

from ..loader.decode import decode
from ..loader.imagefile import ImageError, read_image_file
from ..loader.video import Videos
from ..video.file import parse_frame_path

#: Pixels of the longer edge.
_EDGE = 640
#: What is less likely is not drawn.
MIN_SCORE = 0.5
_QUALITY = 85
#: BGR by class id, in turn.
_COLOURS = ((70, 200, 255), (120, 230, 110), (255, 170, 80), (200, 120, 255), (240, 240, 120), (130, 130, 255))


class Pictures:
    """Reads images as the loaders do: files, and frames of videos.

    Args:
        max_pixels: one with more is refused.
    """

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._videos = Videos(max_pixels)

    def picture(self, path: bytes, rows: Sequence[Dict[str, Any]]) -> bytes:
        """A JPEG of an image with its detections.

        Args:
            path: the image, as the list has it.
            rows: its detections.

        Raises:
            ImageError: when it cannot be read.
        """
        image = self._read(path)
        height, width = image.shape[:2]
        scale = min(1.0, _EDGE / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image
        drawn = draw_detections(small, [row for row in rows if row["score"] >= MIN_SCORE], scale)
        return cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()  # type: ignore[no-any-return]

    def _read(self, path: bytes) -> np.ndarray:
        frame = parse_frame_path(path)
        try:
            if frame is not None:
                return self._videos.frame(frame.video, frame.number)
            return decode(read_image_file(path), self._max_pixels)
        except MemoryError:
            raise ImageError("too-large", "there is not enough memory for its pixels")
        except OSError as error:
            raise ImageError("unreadable", "it cannot be read ({})".format(error.strerror or error))

    def close(self) -> None:
        """Closes the videos."""
        self._videos.close()


def draw_detections(image: np.ndarray, rows: Sequence[Dict[str, Any]], scale: float = 1.0) -> np.ndarray:
    """Draws detections on a copy of an image.

    Args:
        image: uint8 `[H, W, 3]`, BGR.
        rows: detections as a result file has them, `bbox` in pixels of the original image.
        scale: pixels of `image` for one of the original.

    Returns:
        uint8 `[H, W, 3]`, BGR, new memory.
    """
    picture = image.copy()
    for row in rows:
        x, y, w, h = (scale * value for value in row["bbox"])
        colour = _COLOURS[row["category_id"] % len(_COLOURS)]
        cv2.rectangle(picture, (int(x), int(y)), (int(x + w), int(y + h)), colour, 2, cv2.LINE_AA)
    return picture
