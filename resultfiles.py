"""Reads a run's results, in the order of its list, while the run goes on or after."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from .errors import OutputError
from .imagelist import ImageList
from .naming import Naming
from .runfolder import RunFolder


class Result(NamedTuple):
    """One listed image.

    Attributes:
        index: position in the list, from 0.
        image: absolute path of the image.
        path: absolute path of its result file.
        detections: the file's content: dicts with `category_id`, `cat_name`, `score`, `bbox` (`[x, y, width, height]` in
            pixels of the image), `segmentation`; None when the image has no result, because it failed or is still to do.
    """

    index: int  # type: ignore[assignment]
    image: str
    path: str
    detections: Optional[List[Dict[str, Any]]]


def results(out: str) -> Iterator[Result]:
    """Iterates over a run's images.

    Args:
        out: the output folder.

    Yields:
        One entry for each listed image, in the list's order.

    Raises:
        OutputError: when the folder holds no run.
    """
    folder = RunFolder(out)
    try:
        with open(folder.run, encoding="utf-8") as file:
            rule, root = json.load(file)["fingerprint"]["naming"]
        images = ImageList(folder.list, folder.index)
    except (OSError, ValueError, KeyError) as error:
        raise OutputError(
            "{}: there is no run of divainfer in this folder ({}).".format(
                out, getattr(error, "strerror", None) or error
            )
        )
    naming = Naming(rule, os.fsencode(root))
    for index, image in enumerate(images):
        path = os.path.join(os.fsencode(folder.out), naming.result_name(image))
        try:
            with open(path, encoding="ascii") as result:
                detections = json.load(result)
        except FileNotFoundError:
            detections = None
        yield Result(index, os.fsdecode(image), os.fsdecode(path), detections)
