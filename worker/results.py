"""From what the engine found to the detections of a result: keys, scale and rounding as in 2019."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Tuple

import numpy as np

from ..detections import Detections
from ..errors import EngineError
from ..geometry import frame_scale
from .masks import encode_masks


class Style(NamedTuple):
    """Decimal places of scores and boxes, and whether each detection names the image's size."""

    score_places: int
    box_places: int
    im_size: bool


STYLES = {"seed": Style(4, 1, False), "later": Style(7, 2, True)}


class ResultFormat(NamedTuple):
    """How detections become results.

    Attributes:
        classes: class names, index is the class id; ids beyond it are named by their number.
        style: a key of `STYLES`.
        score_threshold: least score that is kept.
        keep: class ids that are kept; None keeps all.
    """

    classes: Tuple[str, ...]
    style: str = "seed"
    score_threshold: float = 0.0
    keep: Optional[FrozenSet[int]] = None

    def rows(
        self, detections: Detections, image_size: Tuple[int, int], frame_size: Tuple[int, int]
    ) -> List[Dict[str, Any]]:
        """Makes one image's result.

        Boxes are divided by the mean of the two edge ratios, `(frame_h / image_h + frame_w / image_w) / 2`, in float32,
        as the 2019 program does; the rounding is done in float64, so that the text reads `48.2`.

        Args:
            detections: the engine's, in pixels of the frame.
            image_size: height and width of the image, pixels.
            frame_size: height and width of the frame, pixels.

        Returns:
            One dict a detection, as a result file has them (docs/reference/files.md).

        Raises:
            EngineError: when a box or a score is not a number.
        """
        boxes, labels, scores, masks = detections
        if not len(scores):
            return []
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise EngineError("the engine returned a box or a score that is not a number")
        # Engines differ in the order of their rows, so it is fixed here: by score, then label, then box.
        order = np.lexsort((boxes[:, 3], boxes[:, 2], boxes[:, 1], boxes[:, 0], labels, -scores))
        order = order[self._kept(labels, scores)[order]]
        style = STYLES[self.style]
        scale = np.float32(frame_scale(image_size[0], image_size[1], frame_size[0], frame_size[1]))
        with np.errstate(over="ignore"):
            corners = boxes[order].astype(np.float32) / scale
        if not np.isfinite(corners).all():
            raise EngineError("the engine returned a box that is beyond any number")
        segmentations = [None] * len(order) if masks is None else encode_masks(masks[order], corners, image_size)
        corners[:, 2:] -= corners[:, :2]
        rows = zip(
            labels[order].tolist(),
            _rounded(scores[order], style.score_places),
            _rounded(corners, style.box_places),
            segmentations,
        )
        found = [self._detection(*row) for row in rows]
        if style.im_size:
            for detection in found:
                detection["im_size"] = list(image_size)
        return found

    def _kept(self, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
        kept: np.ndarray = scores >= self.score_threshold
        return kept if self.keep is None else kept & np.isin(labels, list(self.keep))

    def _detection(self, label: int, score: float, box: List[float], segmentation: Any) -> Dict[str, Any]:
        name = self.classes[label] if 0 <= label < len(self.classes) else str(label)
        return {"category_id": label, "cat_name": name, "score": score, "bbox": box, "segmentation": segmentation}


def _rounded(values: np.ndarray, places: int) -> List[Any]:
    """Rounds float32 values as Python's `round` does.

    A float32 has 24 bits, so its product with 10^places (24 bits at most for 7 places) is exact in float64; `rint` rounds
    half to even and the division gives the float64 nearest to the decimal: the same as `round`, at a tenth of the cost.
    """
    return values.astype(np.float64).round(places).tolist()  # type: ignore[no-any-return]
