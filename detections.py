"""What an engine finds on one frame."""

from __future__ import annotations

from typing import NamedTuple, Optional

import numpy as np


class Detections(NamedTuple):
    """R detections on one frame, in the engine's own order.

    Attributes:
        boxes: float32 `[R, 4]`, `x1, y1, x2, y2` in pixels of the frame (the resized image).
        labels: int64 `[R]`, class ids from 1; 0 is background.
        scores: float32 `[R]`, from 0 to 1.
        masks: float32 `[R, 14, 14]`, from 0 to 1, stretched over each box; None for models without masks.
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    masks: Optional[np.ndarray] = None
