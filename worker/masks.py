"""Masks of detections: from a 14 x 14 patch in each box to a run-length code of the whole image, as COCO writes it."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import numpy as np

from ..errors import EngineBootError


def check_masks() -> None:
    """Checks that masks can be encoded here.

    Raises:
        EngineBootError: when pycocotools is missing.
    """
    try:
        import pycocotools.mask  # noqa: F401
    except ImportError:
        raise EngineBootError(
            'the model has masks, and encoding them needs pycocotools: pip install "divainfer[masks]", or leave them out '
            'with "masks": "" among the outputs of its card'
        )


def encode_masks(masks: np.ndarray, corners: np.ndarray, image_size: Tuple[int, int]) -> List[Dict[str, Any]]:
    """Pastes each patch into its box and encodes the image.

    The paste is that of the 2019 program (tensorpack's `fill_full_mask`): corners are clipped to the image and rounded
    (`x1, y1` half up, `x2, y2` half down), the patch is stretched bilinearly and cut at 0.5.

    Args:
        masks: float32 `[R, 14, 14]`, from 0 to 1.
        corners: float32 `[R, 4]`, `x1, y1, x2, y2` in pixels of the image.
        image_size: height and width of the image, pixels.

    Returns:
        For each mask `{"size": [height, width], "counts": "..."}`.
    """
    # Only models with masks need these two; `check_masks` has found them at the worker's start.
    import cv2
    from pycocotools import mask as coco_mask

    height, width = image_size
    clipped = np.clip(corners, 0, [width, height, width, height])
    encoded = []
    for patch, (x1, y1, x2, y2) in zip(masks, clipped):
        left, top = int(x1 + 0.5), int(y1 + 0.5)
        right, bottom = max(left, int(x2 - 0.5)), max(top, int(y2 - 0.5))
        full = np.zeros((height, width), dtype=np.uint8, order="F")
        region = full[top : bottom + 1, left : right + 1]
        if region.size:
            stretched = cv2.resize(patch, (right + 1 - left, bottom + 1 - top)) > 0.5
            region[:] = stretched[: region.shape[0], : region.shape[1]]
        code = coco_mask.encode(full)
        encoded.append({"size": [int(edge) for edge in code["size"]], "counts": code["counts"].decode("ascii")})
    return encoded
