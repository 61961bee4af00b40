"""From what the engine found to the detections of a result: keys, scale and rounding as in 2019."""

from __future__ import annotations

import itertools
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Tuple, Union

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

#: One dict a detection.
Rows = List[Dict[str, Any]]


class Found(NamedTuple):
    """What an engine found on one image, and the image's and the frame's height and width, pixels."""

    detections: Detections
    image_size: Tuple[int, int]
    frame_size: Tuple[int, int]


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

    def rows(self, batch: Sequence[Found]) -> "List[Union[Rows, EngineError]]":
        """Makes the results of a batch; all at once, since NumPy takes as long for one image's few boxes as for all of them.

        Boxes are divided by the mean of the two edge ratios, `(frame_h / image_h + frame_w / image_w) / 2`, in float32,
        as the 2019 program does; the rounding is done in float64, so that the text reads `48.2`.

        Args:
            batch: what was found on each image.

        Returns:
            For each image its result: one dict a detection, as a result file has them (docs/reference/files.md). An
            `EngineError` where a box or a score is not a number.
        """
        # What comes of numbers that are none is said by `_errors`.
        with np.errstate(over="ignore", invalid="ignore"):
            boxes, labels, scores, images = _joined(batch)
            # Engines differ in the order of their rows, so it is fixed here: by score, then label, then box.
            order = np.lexsort((boxes[:, 3], boxes[:, 2], boxes[:, 1], boxes[:, 0], labels, -scores, images))
            order = order[self._kept(labels, scores)[order]]
            owners = images[order]
            scales = np.array([[frame_scale(*one.image_size, *one.frame_size)] for one in batch], np.float32)
            corners = boxes[order] / scales[owners]
            sizes = corners[:, 2:] - corners[:, :2]
        errors = _errors(boxes, scores, images, corners, owners)
        stops = list(itertools.accumulate(np.bincount(owners, minlength=len(batch)).tolist()))
        spans = [slice(start, stop) for start, stop in zip([0] + stops, stops)]
        segmentations = _segmentations(batch, spans, order, corners, errors)
        corners[:, 2:] = sizes
        style = STYLES[self.style]
        rows = zip(
            labels[order].tolist(),
            _rounded(scores[order], style.score_places),
            _rounded(corners, style.box_places),
            segmentations,
        )
        found = [self._detection(*row) for row in rows]
        if style.im_size:
            for detection, owner in zip(found, owners.tolist()):
                detection["im_size"] = list(batch[owner].image_size)
        return [errors.get(number) or found[span] for number, span in enumerate(spans)]

    def _kept(self, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
        kept: np.ndarray = scores >= self.score_threshold
        return kept if self.keep is None else kept & np.isin(labels, list(self.keep))

    def _detection(self, label: int, score: float, box: List[float], segmentation: Any) -> Dict[str, Any]:
        name = self.classes[label] if 0 <= label < len(self.classes) else str(label)
        return {"category_id": label, "cat_name": name, "score": score, "bbox": box, "segmentation": segmentation}


def _joined(batch: Sequence[Found]) -> Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All boxes, labels and scores, in the types that `Detections` says, and for each its image's place in the batch."""
    columns = list(zip(*(one.detections for one in batch)))[:3]
    # An engine's empty arrays may be of any type, and must not change that of all others.
    boxes, labels, scores = (
        np.concatenate([np.asarray(part, kind) for part in column])
        for column, kind in zip(columns, (np.float32, np.int64, np.float32))
    )
    return boxes, labels, scores, np.repeat(np.arange(len(batch)), [len(part) for part in columns[2]])


def _errors(
    boxes: np.ndarray, scores: np.ndarray, images: np.ndarray, corners: np.ndarray, owners: np.ndarray
) -> Dict[int, EngineError]:
    """What is wrong with the numbers of some images, by their places in the batch.

    Args:
        boxes: all of them, `[R, 4]`.
        scores: theirs, `[R]`.
        images: their images' places, `[R]`.
        corners: the boxes that are kept, `[K, 4]`, in pixels of their images.
        owners: their images' places, `[K]`.
    """
    if np.isfinite(corners).all() and np.isfinite(scores).all() and np.isfinite(boxes).all():
        return {}
    beyond = owners[~np.isfinite(corners).all(axis=1)].tolist()
    no_numbers = images[~(np.isfinite(boxes).all(axis=1) & np.isfinite(scores))].tolist()
    errors = {image: EngineError("the engine returned a box that is beyond any number") for image in beyond}
    errors.update(
        (image, EngineError("the engine returned a box or a score that is not a number")) for image in no_numbers
    )
    return errors


def _segmentations(
    batch: Sequence[Found],
    spans: Sequence[slice],
    order: np.ndarray,
    corners: np.ndarray,
    errors: Dict[int, EngineError],
) -> List[Any]:
    """The masks of the detections that are kept, encoded; None for models without masks.

    Args:
        batch: what was found on each image.
        spans: where each image's detections are among those that are kept.
        order: for each of these, where it is among all of the batch.
        corners: their boxes, float32 `[K, 4]`, `x1, y1, x2, y2` in pixels of their images.
        errors: images that are passed over.
    """
    encoded: List[Any] = [None] * len(order)
    first = 0
    for number, (one, span) in enumerate(zip(batch, spans)):
        if one.detections.masks is not None and number not in errors:
            encoded[span] = encode_masks(one.detections.masks[order[span] - first], corners[span], one.image_size)
        first += len(one.detections.scores)
    return encoded


def _rounded(values: np.ndarray, places: int) -> List[Any]:
    """Rounds float32 values as Python's `round` does.

    A float32 has 24 bits, so its product with 10^places (24 bits at most for 7 places) is exact in float64; `rint` rounds
    half to even and the division gives the float64 nearest to the decimal: the same as `round`, at a tenth of the cost.
    """
    return values.astype(np.float64).round(places).tolist()  # type: ignore[no-any-return]
