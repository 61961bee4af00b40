"""Images with what was found on them, small, as JPEG."""

from __future__ import annotations

from typing import Any, Dict, Sequence

import cv2

from ..drawing import pictures
from ..drawing.boxes import draw_detections

#: Pixels of the longer edge.
_EDGE = 640
#: What is less likely is not drawn.
MIN_SCORE = 0.5
_QUALITY = 85


class Pictures:
    """Reads images as the loaders do, and draws on them.

    Args:
        max_pixels: one with more is refused.
    """

    def __init__(self, max_pixels: int) -> None:
        self._images = pictures.Pictures(max_pixels)

    def picture(self, path: bytes, rows: Sequence[Dict[str, Any]]) -> bytes:
        """A JPEG of an image with its detections.

        Args:
            path: the image, as the list has it.
            rows: its detections.

        Raises:
            ImageError: when it cannot be read.
        """
        image = self._images.read(path)
        height, width = image.shape[:2]
        scale = min(1.0, _EDGE / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image
        drawn = draw_detections(small, [row for row in rows if row["score"] >= MIN_SCORE], scale)
        return cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()  # type: ignore[no-any-return]

    def close(self) -> None:
        """Closes the videos."""
        self._images.close()
