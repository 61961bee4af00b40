"""Compares a run's results with the truth of drawn scenes: AP50, each class and their mean.

    python -m divainfer.model.demo.evaluate --truth truth.json --results OUT_DIR [--min-ap50 0.9]

Exit status: 0, or 1 below `--min-ap50`, or 2 when a file is missing or is not what it should be.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
from typing import Any, Dict, List, Tuple

import numpy as np


class EvaluationError(Exception):
    """A sentence about a file that cannot be used."""


def read_json(path: str) -> Any:
    """The parsed content of a JSON file.

    Raises:
        EvaluationError: when it is not there or is not JSON.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        raise EvaluationError("{}: there is no such file.".format(path))
    except (OSError, ValueError) as error:
        raise EvaluationError("{}: cannot be read as JSON ({}).".format(path, error))


def result_path(results: str, name: str) -> str:
    """Where a run put an image's result.

    Args:
        results: the run's output folder.
        name: the image's path relative to the folder that all images have in common.

    Returns:
        `a/b.json` for `a/b.jpg`, or `a/b.jpg.json` where only that is there.

    Raises:
        EvaluationError: when neither is.
    """
    usual = os.path.join(results, os.path.splitext(name)[0] + ".json")
    full = os.path.join(results, name + ".json")
    if os.path.exists(usual):
        return usual
    if os.path.exists(full):
        return full
    raise EvaluationError("{}: there is no result for the image {}.".format(usual, name))


def read_results(truth: Dict[str, Any], results: str) -> List[Dict[str, Any]]:
    """All detections of a run as COCO results.

    Args:
        truth: COCO ground truth; `file_name` is a path as `result_path` takes it.
        results: the run's output folder.

    Returns:
        One object a detection: `image_id`, `category_id`, `score`, `bbox` (`x, y, w, h`, pixels of the image).
    """
    found = []
    for image in truth["images"]:
        path = result_path(results, image["file_name"])
        try:
            for item in read_json(path):
                found.append(
                    {
                        "image_id": image["id"],
                        "category_id": int(item["category_id"]),
                        "score": float(item["score"]),
                        "bbox": [float(value) for value in item["bbox"]],
                    }
                )
        except (KeyError, TypeError, ValueError) as error:
            raise EvaluationError("{}: not a list of detections ({!r}).".format(path, error))
    return found


def ap50(truth: Dict[str, Any], found: List[Dict[str, Any]]) -> Tuple[float, Dict[str, float]]:
    """Average precision at an overlap of one half, by pycocotools.

    Args:
        truth: COCO ground truth.
        found: COCO results.

    Returns:
        The mean over the classes that the truth holds, and each class's own by name; 0 to 1.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    names = {category["id"]: category["name"] for category in truth["categories"]}
    # pycocotools reports its every step on the standard output.
    with contextlib.redirect_stdout(io.StringIO()):
        wanted = COCO()
        wanted.dataset = {"info": {}, **truth}
        wanted.createIndex()
        if not found:
            return 0.0, dict.fromkeys(names.values(), 0.0)
        evaluation = COCOeval(wanted, wanted.loadRes(found), "bbox")
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.params.areaRng = [[0, 1e10]]
        evaluation.params.areaRngLbl = ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    # Precision: [overlap, recall, class, area, most detections]; -1 for a class without a single object.
    precision = evaluation.eval["precision"][0, :, :, 0, -1]
    classes = {
        names[category]: float(precision[:, k].mean())
        for k, category in enumerate(evaluation.params.catIds)
        if precision[:, k].min() > -1
    }
    return float(np.mean(list(classes.values()))) if classes else 0.0, classes


def main() -> int:
    """Prints the figures; returns the exit status."""
    parser = argparse.ArgumentParser(description="AP50 of a run over drawn scenes.")
    parser.add_argument("--truth", required=True, help="truth.json of the scenes")
    parser.add_argument("--results", required=True, help="the run's output folder")
    parser.add_argument("--min-ap50", type=float, help="exit with 1 when the mean is below this")
    options = parser.parse_args()
    try:
        truth = read_json(options.truth)
        if not isinstance(truth, dict) or not {"images", "annotations", "categories"} <= set(truth):
            raise EvaluationError("{}: not a COCO ground truth.".format(options.truth))
        mean, classes = ap50(truth, read_results(truth, options.results))
    except EvaluationError as error:
        print(error, file=sys.stderr)
        return 2
    for name, value in classes.items():
        print("{:8s} {:.2f}".format(name, value))
    print("AP50 {:.2f}".format(mean))
    if options.min_ap50 is not None and mean < options.min_ap50:
        print("AP50 {:.4f} is below {}.".format(mean, options.min_ap50), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
