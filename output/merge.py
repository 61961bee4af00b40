"""Merges a run's results into one COCO file: images, categories, annotations with scores. Streamed, so of any size."""

from __future__ import annotations

import json
import os
import shutil
from typing import IO, Any, Dict, List, NamedTuple

from ..errors import OutputError
from ..naming import Naming
from ..runfolder import RunFolder
from ..runrecord import read_run_record
from .results import Result, results


class Merged(NamedTuple):
    """What came of it.

    Attributes:
        images: images with a result.
        left_out: images without one: failed, or still to do.
        annotations: detections.
    """

    images: int
    left_out: int
    annotations: int


def merge(out: str, target: str, bare: bool = False) -> Merged:
    """Writes one COCO file.

    An image's id is its position in the list, from 1; its `file_name` is relative to the folder that all listed images have
    in common; `height` and `width` are there where the results tell them (`--result-style later`, jsonl, parquet).

    Args:
        out: the output folder.
        target: the file to write; it is there once it is whole.
        bare: write the plain list of detections that `COCO.loadRes` of pycocotools takes, without the tables.

    Returns:
        Counts.

    Raises:
        OutputError: when the folder holds no run, a result is damaged, or the target cannot be written.
    """
    record = read_run_record(RunFolder(out))
    # A file is written beside its place and renamed; that would replace a device or a pipe, or a link to one.
    if os.path.exists(target) and not os.path.isfile(target):
        raise OutputError(
            "{}: this is no regular file. Give the name of one; it is there once it is whole.".format(target)
        )
    target = os.path.realpath(target)
    naming = record.listing.naming
    part, table = target + ".part", target + ".images.part"
    try:
        with open(part, "w", encoding="ascii") as file, open(table, "w+", encoding="ascii") as images:
            file.write("[" if bare else '{{"info": {},\n"annotations": ['.format(json.dumps(_info(record.started))))
            names = dict(enumerate(record.classes))
            merged = _stream(out, naming, bare, file, images, names)
            file.write("\n]" if bare else '\n],\n"images": [')
            if not bare:
                images.seek(0)
                shutil.copyfileobj(images, file)
                categories = [{"id": number, "name": name} for number, name in sorted(names.items()) if number]
                file.write('\n],\n"categories": {}}}'.format(json.dumps(categories)))
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except OSError as error:
        raise OutputError("{}: it cannot be written ({}).".format(error.filename or target, error.strerror))
    finally:
        for name in (part, table):
            if os.path.exists(name):
                os.unlink(name)
    return merged


def _stream(out: str, naming: Naming, bare: bool, file: IO[str], images: IO[str], names: Dict[int, str]) -> Merged:
    """Writes annotations to the one file and the table of images to the other, each element on a line of its own.

    `names` gets the classes that it does not have, which is all of them for a model without a card.
    """
    found = with_result = left_out = 0
    for result in results(out):
        if result.detections is None:
            left_out += 1
            continue
        images.write((",\n" if with_result else "\n") + json.dumps(_image(result, naming)))
        with_result += 1
        for detection in result.detections:
            names.setdefault(detection["category_id"], detection["cat_name"])
            file.write(
                (",\n" if found else "\n") + json.dumps(_annotation(found + 1, result.index + 1, detection, bare))
            )
            found += 1
    return Merged(with_result, left_out, found)


def _image(result: Result, naming: Naming) -> Dict[str, Any]:
    name = os.fsdecode(os.fsencode(result.image)[len(naming.root) + 1 :])
    entry: Dict[str, Any] = {"id": result.index + 1, "file_name": name}
    if result.image_size is not None:
        entry["height"], entry["width"] = result.image_size
    return entry


def _annotation(number: int, image: int, detection: Dict[str, Any], bare: bool) -> Dict[str, Any]:
    box: List[float] = detection["bbox"]
    entry: Dict[str, Any] = {
        "image_id": image,
        "category_id": detection["category_id"],
        "bbox": box,
        "score": detection["score"],
    }
    if detection["segmentation"] is not None:
        entry["segmentation"] = detection["segmentation"]
    if not bare:
        entry.update(id=number, area=round(box[2] * box[3], 2), iscrowd=0)
    return entry


def _info(started: str) -> Dict[str, str]:
    return {"description": "detections of divainfer", "date_created": started}
