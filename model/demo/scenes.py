"""Draws parking lots seen from high above, with the truth about what stands on them.

    python -m divainfer.model.demo.scenes --out DIR --count 200 --seed 7

writes JPEG (a few PNG) pictures, some of them in sub folders, `frames.lst` (one path a line, relative to DIR) and
`truth.json` (COCO ground truth). The same seed gives the same lots and boxes everywhere; pixels may differ in their
last bits between OpenCV versions, whose anti-aliasing differs.

An object of which less than 40 % can be seen, be it behind others or outside the picture, is no fair question: it is
`iscrowd` in the truth, so that a detection of it counts neither way.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import cv2
import numpy as np

from ..demo import shapes
from .canvas import OCCLUDER, Camera, Canvas, Pose
from .lot import Lot, darken, expose, pave, plan

CLASSES = ("BG", "Vehicle", "Person", "Bike")
VEHICLE, PERSON, BIKE = 1, 2, 3
#: Box in pixels of the picture and class id: x, y, width, height, category.
Box = Tuple[int, int, int, int, int]

#: An object counts from this visible share on; below the second it leaves no trace in the truth.
FAIR, TRACE = 0.4, 0.04
#: Most objects of a scene; the graph answers with at most 100.
MOST = 85
#: Scenes that the command draws have seeds below this, those of the training above.
TRAINING_SEEDS = 2**31

_USUAL_SIZE = (1920, 1080)
_ODD_SIZES = ((1280, 720), (1000, 1000), (641, 481), (1080, 1920), (2048, 1536))
_FOLDERS = ("", "", "", "north", "north/gate-2", "south")


class Scene(NamedTuple):
    """A drawn scene.

    Attributes:
        image: uint8 `[H, W, 3]`, BGR.
        boxes: around the visible part of each object that is a fair question.
        hidden: around what is left of those that are not.
    """

    image: np.ndarray
    boxes: List[Box]
    hidden: List[Box]


class _Standing(NamedTuple):
    """Something upright that waits for its turn to be drawn."""

    kind: str
    pose: Pose
    length: float
    width: float
    #: Radius of a tree's crown, a person's or a tree's height and the like.
    sizes: Tuple[float, ...]
    model: str = ""


_CATEGORY = {"car": VEHICLE, "person": PERSON, "bike": BIKE}


def draw(seed: int, width: int = 1920, height: int = 1080) -> Scene:
    """Draws one scene.

    Args:
        seed: 0 to 2**32 - 1; below TRAINING_SEEDS for anything but training.
        width: of the picture, pixels.
        height: of the picture, pixels.

    Returns:
        The picture and its boxes; all of it follows from the arguments.
    """
    rng = np.random.RandomState(seed)
    elevation, bearing, length = math.radians(rng.uniform(38, 58)), rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.1)
    # Objects grow with the picture, so that they have one size after the detector's resize.
    camera = Camera(rng.uniform(34, 47) * min(width, height) / 1080, elevation, (width / 2, height / 2))
    canvas = Canvas(width, height, camera, (length * math.cos(bearing), length * math.sin(bearing)))
    lot = plan(canvas, rng)
    pave(canvas, lot, rng)
    standing = _populate(lot, rng)
    for item in standing:
        _cast(canvas, item)
    darken(canvas.image, cv2.blur(canvas.shadow, (3, 3)), rng.uniform(0.12, 0.55))
    standing.sort(key=lambda item: item.pose.y)
    objects: Dict[int, int] = {}
    for item in standing:
        owner = OCCLUDER
        if item.kind in _CATEGORY:
            owner = len(objects) + 1
            objects[owner] = _CATEGORY[item.kind]
        canvas.begin(owner)
        _raise(canvas, item, rng)
        canvas.end()
    boxes: List[Box] = []
    hidden: List[Box] = []
    for owner, category in objects.items():
        share, box = canvas.visible(owner)
        if box is not None and share >= TRACE:
            (boxes if share >= FAIR else hidden).append((*box, category))
    return Scene(expose(canvas.image, rng), boxes, hidden)


def _populate(lot: Lot, rng: np.random.RandomState) -> List[_Standing]:
    """Decides what stands where; nothing stands in anything else."""
    standing: List[_Standing] = []
    crowded = rng.uniform(0.1, 0.6)
    for pose in lot.islands:
        draw_lots = rng.rand()
        if draw_lots < 0.5:
            standing.append(_Standing("tree", pose, 0.5, 0.5, (rng.uniform(0.9, 1.9), rng.uniform(2.2, 3.4))))
        elif draw_lots < 0.75:
            standing.append(_Standing("lamp", pose, 0.4, 0.4, (rng.uniform(4.5, 7.0),)))
    for pose in lot.bays:
        if rng.rand() < crowded and _count(standing) < MOST - 30:
            standing.append(_car(_moved(pose, rng, 0.25, 0.03), rng))
    for pose in lot.lanes:
        if rng.rand() < 0.12:
            turned = Pose(pose.x, pose.y, pose.heading + (np.pi if rng.rand() < 0.5 else 0))
            _try(standing, _car(_moved(turned, rng, 1.2, 0.4), rng), 0.5)
    for _ in range(rng.randint(1, 4)):
        _try(standing, _Standing("thing", _anywhere(lot, rng), 1.0, 0.8, ()), 0.2)
    for _ in range(rng.randint(4, 12)):
        pose = _anywhere(lot, rng)
        # Bikes stand alone or in a short row.
        for place in range(rng.randint(1, 4) if rng.rand() < 0.3 else 1):
            x, y, _ = pose.place(np.array([[0.0, place * 1.15, 0.0]]))[0]
            heading = pose.heading + rng.normal(0, 0.06)
            _try(standing, _Standing("bike", Pose(x, y, heading), 1.8, 0.6, ()), 0.15)
    for _ in range(rng.randint(6, 20)):
        height = rng.uniform(1.55, 1.92)
        _try(standing, _Standing("person", _anywhere(lot, rng), 0.6, 0.6, (height,)), 0.2)
    return standing


def _car(pose: Pose, rng: np.random.RandomState) -> _Standing:
    model, stretch = sorted(shapes.CARS)[rng.randint(len(shapes.CARS))], rng.uniform(0.94, 1.04)
    turned = Pose(pose.x, pose.y, pose.heading + (np.pi if rng.rand() < 0.5 else 0))
    return _Standing("car", turned, *shapes.car_size(model, stretch), (stretch,), model)


def _anywhere(lot: Lot, rng: np.random.RandomState) -> Pose:
    x, y = rng.uniform(-1, 1, 2) * lot.reach
    return Pose(x, y, rng.uniform(0, 2 * np.pi))


def _moved(pose: Pose, rng: np.random.RandomState, distance: float, turn: float) -> Pose:
    shift = np.clip(rng.normal(0, 0.5, 3), -1, 1) * [distance, distance, turn]
    return Pose(*(np.array(pose) + shift))


def _count(standing: Sequence[_Standing]) -> int:
    return sum(item.kind in _CATEGORY for item in standing)


def _try(standing: List[_Standing], new: _Standing, gap: float) -> None:
    """Adds `new` where nothing stands within `gap` metres."""
    if _count(standing) >= MOST:
        return
    corners = np.array([[f * new.length / 2, s * new.width / 2, 0.0] for f in (-1, 0, 1) for s in (-1, 0, 1)])
    points = new.pose.place(corners)[:, :2]
    for item in standing:
        offset = points - [item.pose.x, item.pose.y]
        cos, sin = math.cos(item.pose.heading), math.sin(item.pose.heading)
        forward, left = offset[:, 0] * cos + offset[:, 1] * sin, offset[:, 1] * cos - offset[:, 0] * sin
        if np.any((np.abs(forward) < item.length / 2 + gap) & (np.abs(left) < item.width / 2 + gap)):
            return
    standing.append(new)


def _cast(canvas: Canvas, item: _Standing) -> None:
    if item.kind == "tree":
        radius, height = item.sizes
        shapes.shadow_of(canvas, item.pose, 2 * radius, 2 * radius, height + radius * 0.3, height - radius * 0.3)
    elif item.kind == "car":
        _, _, bonnet, roof, rear, front = shapes.CARS[item.model]
        shapes.shadow_of(canvas, item.pose, item.length, item.width, bonnet)
        x, y, _ = item.pose.place(np.array([[(rear + front) / 2 * item.length, 0.0, 0.0]]))[0]
        cabin = Pose(x, y, item.pose.heading)
        shapes.shadow_of(canvas, cabin, (front - rear) * item.length * 0.8, item.width * 0.8, roof)
    else:
        height = {"person": 1.7, "bike": 0.85, "thing": 0.8}.get(item.kind) or item.sizes[0]
        width = {"person": 0.36, "bike": 0.12, "thing": 0.6}.get(item.kind, 0.16)
        length = {"person": 0.36, "bike": 1.7, "thing": 0.6}.get(item.kind, 0.16)
        shapes.shadow_of(canvas, item.pose, length, width, height)


def _raise(canvas: Canvas, item: _Standing, rng: np.random.RandomState) -> None:
    if item.kind == "car":
        shapes.car(canvas, item.pose, item.model, item.sizes[0], rng)
    elif item.kind == "person":
        shapes.person(canvas, item.pose, item.sizes[0], rng)
    elif item.kind == "bike":
        shapes.bike(canvas, item.pose, rng)
    elif item.kind == "tree":
        shapes.tree(canvas, item.pose, item.sizes[0], item.sizes[1], rng)
    elif item.kind == "lamp":
        shapes.lamp(canvas, item.pose, item.sizes[0])
    else:
        shapes.thing(canvas, item.pose, rng)


def truth_of(scenes: Sequence[Tuple[str, int, int, List[Box], List[Box]]]) -> Dict[str, Any]:
    """COCO ground truth.

    Args:
        scenes: file name, width, height, boxes and hidden boxes of each picture.
    """
    images: List[Dict[str, Any]] = []
    annotations: List[Dict[str, Any]] = []
    for image_id, (name, width, height, boxes, hidden) in enumerate(scenes, 1):
        images.append({"id": image_id, "file_name": name, "width": width, "height": height})
        for crowd, group in ((0, boxes), (1, hidden)):
            for x, y, w, h, category in group:
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": image_id, "category_id": category, "bbox": [x, y, w, h],
                     "area": w * h, "iscrowd": crowd}
                )  # fmt: skip
    categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES) if i]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_scenes(out: str, count: int, seed: int) -> None:
    """Draws `count` pictures below the folder `out`, with `frames.lst` and `truth.json`."""
    rng = np.random.RandomState(seed)
    scenes = []
    for index in range(count):
        width, height = _USUAL_SIZE if rng.rand() < 0.75 else _ODD_SIZES[rng.randint(len(_ODD_SIZES))]
        scene = draw((seed * 1000003 + index) % TRAINING_SEEDS, width, height)
        folder, png = _FOLDERS[rng.randint(len(_FOLDERS))], rng.rand() < 0.04
        # One picture at the top makes DIR the folder that all have in common, from which a run counts its paths.
        folder = folder if index else ""
        quality = [] if png else [cv2.IMWRITE_JPEG_QUALITY, int(rng.randint(60, 96))]
        name = os.path.join(folder, "{:05d}.{}".format(index, "png" if png else "jpg"))
        os.makedirs(os.path.join(out, folder), exist_ok=True)
        if not cv2.imwrite(os.path.join(out, name), scene.image, quality):
            raise OSError("{}: OpenCV could not write it.".format(os.path.join(out, name)))
        scenes.append((name, width, height, scene.boxes, scene.hidden))
    with open(os.path.join(out, "frames.lst"), "w", encoding="utf-8") as file:
        file.writelines(name + "\n" for name, *_ in scenes)
    with open(os.path.join(out, "truth.json"), "w", encoding="utf-8") as file:
        json.dump(truth_of(scenes), file)


def main() -> None:
    """Draws what the command line asks for."""
    parser = argparse.ArgumentParser(description="Draw parking lots, with a list and the COCO truth.")
    parser.add_argument("--out", required=True, help="folder to write to; made if it is not there")
    parser.add_argument("--count", type=int, default=200, help="pictures (200)")
    parser.add_argument("--seed", type=int, default=7, help="0 to 2147483647; other seeds, other lots (7)")
    options = parser.parse_args()
    if options.count < 1 or not 0 <= options.seed < TRAINING_SEEDS:
        parser.error("--count must be above 0 and --seed from 0 to 2147483647.")
    cv2.setNumThreads(1)
    os.makedirs(options.out, exist_ok=True)
    write_scenes(options.out, options.count, options.seed)


if __name__ == "__main__":
    main()
