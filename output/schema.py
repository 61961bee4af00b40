"""What a result must look like: the table of docs/reference/files.md as a check."""

from __future__ import annotations

import math
from typing import Any, Optional

_KEYS = frozenset(("category_id", "cat_name", "score", "bbox", "segmentation"))
_MORE_KEYS = _KEYS | {"im_size"}


def fault(detections: Any) -> Optional[str]:
    """What is wrong with a result.

    Args:
        detections: its parsed JSON.

    Returns:
        Why it is none, in a few words; None when nothing is wrong.
    """
    if not isinstance(detections, list):
        return "it is not a list"
    for number, detection in enumerate(detections):
        wrong = _detection_fault(detection)
        if wrong is not None:
            return "detection {}: {}".format(number, wrong)
    return None


def _detection_fault(detection: Any) -> Optional[str]:
    if not isinstance(detection, dict):
        return "it is not an object"
    if not _KEYS <= set(detection) <= _MORE_KEYS:
        return "its keys are {}".format(", ".join(sorted(map(str, detection))) or "none")
    if type(detection["category_id"]) is not int or detection["category_id"] < 0:
        return "category_id is {!r}".format(detection["category_id"])
    if not isinstance(detection["cat_name"], str):
        return "cat_name is {!r}".format(detection["cat_name"])
    if not _is_number(detection["score"]):
        return "score is {!r}".format(detection["score"])
    if not _are_numbers(detection["bbox"], 4):
        return "bbox is {!r}".format(detection["bbox"])
    if "im_size" in detection and not _are_numbers(detection["im_size"], 2):
        return "im_size is {!r}".format(detection["im_size"])
    code = detection["segmentation"]
    if code is not None and not (isinstance(code, dict) and set(code) == {"size", "counts"}):
        return "segmentation is {!r}".format(code)
    return None


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _are_numbers(value: Any, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(map(_is_number, value))
