"""The images of a list, read again as the loaders have read them: files, and frames of videos."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np

from ..loader.decode import decode
from ..loader.imagefile import ImageError, read_image_file
from ..loader.video import Videos


class Pictures:
    """Reads images.

    Args:
        max_pixels: one with more is refused.
    """

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._videos = Videos(max_pixels)

    def read(self, path: bytes, image_size: Optional[Tuple[int, int]] = None) -> np.ndarray:
        """The pixels that a result is about.

        Args:
            path: an image or a frame of a video, as the image list has it.
            image_size: the height and width, pixels, that its result tells of; None when it does not.

        Returns:
            uint8 `[H, W, 3]`, BGR; to be read before the next call.

        Raises:
            ImageError: when it cannot be read, or is of another size now; its `reason` is the end of a sentence.
        """
        try:
            image = self._videos.at(path)
            if image is None:
                image = decode(read_image_file(path), self._max_pixels)
        except MemoryError:
            raise ImageError("too-large", "there is not enough memory for its pixels")
        except OSError as error:
            raise ImageError("unreadable", "it cannot be read ({})".format(error.strerror or error))
        height, width = image.shape[:2]
        if image_size is not None and (height, width) != tuple(image_size):
            raise ImageError(
                "changed",
                "it is {} x {} pixels, and was {} x {} when its result was made".format(
                    width, height, image_size[1], image_size[0]
                ),
            )
        return image

    def close(self) -> None:
        """Closes the videos."""
        self._videos.close()
