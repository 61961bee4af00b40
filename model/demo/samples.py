"""What the demo detector learns from: frames of drawn scenes, crops of them, and the answers wanted.

A frame goes the way that a frame of a run goes: drawn at its own size, written as JPEG, read, and brought to the
detector's size by OpenCV's linear interpolation, aliasing and all.
"""

from __future__ import annotations

import multiprocessing
from typing import Iterator, List, NamedTuple, Tuple

import cv2
import numpy as np

from .network import CLASS_COUNT, STRIDE
from .scenes import TRAINING_SEEDS, draw

#: Length of a frame's short edge and the limit of its long edge, pixels. They go into the card.
SHORT_EDGE, MAX_SIZE = 540, 960
#: Edge of a crop and crops in a batch.
CROP, BATCH = 320, 8

_SIZES = ((1920, 1080), (1920, 1080), (1920, 1080), (1280, 720), (1000, 1000), (641, 481), (1080, 1920), (2048, 1536))


class Frame(NamedTuple):
    """A scene as the detector sees it.

    Attributes:
        image: uint8 `[H, W, 3]`, BGR.
        boxes: float32 `[N, 4]`, `x1, y1, x2, y2` in pixels of `image`.
        labels: int64 `[N]`, from 1.
        counts: bool `[N]`; False where too little of the object is to be seen.
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    counts: np.ndarray


class Batch(NamedTuple):
    """Crops and the answers wanted; `heat`, `weight` and `where` as `targets` gives them, with a leading `[BATCH]`."""

    images: np.ndarray
    heat: np.ndarray
    weight: np.ndarray
    where: np.ndarray


def resized(image: np.ndarray) -> np.ndarray:
    """An image at the detector's size, as a loader makes it."""
    height, width = image.shape[:2]
    scale = SHORT_EDGE / min(height, width)
    if scale * max(height, width) > MAX_SIZE:
        scale = MAX_SIZE / max(height, width)
    size = int(width * scale + 0.5), int(height * scale + 0.5)
    return image if size == (width, height) else cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)


def frame(index: int) -> Frame:
    """Draws the training frame of this number."""
    rng = np.random.RandomState(index)
    width, height = _SIZES[rng.randint(len(_SIZES))]
    scene = draw(TRAINING_SEEDS + index, width, height)
    _, data = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.randint(55, 97))])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    image = resized(np.asarray(decoded))
    found = np.array(scene.boxes + scene.hidden, np.float64).reshape(-1, 5)
    boxes = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], axis=1)
    boxes *= (image.shape[0] / height + image.shape[1] / width) / 2
    counts = np.arange(len(found)) < len(scene.boxes)
    return Frame(image, boxes.astype(np.float32), found[:, 4].astype(np.int64), counts)


def frames(count: int, processes: int) -> List[Frame]:
    """Draws the first `count` training frames on some cores."""
    cv2.setNumThreads(1)
    with multiprocessing.Pool(processes) as pool:
        return pool.map(frame, range(count), chunksize=8)


def batches(pool: List[Frame], seed: int) -> Iterator[Batch]:
    """Random crops without end."""
    rng = np.random.RandomState(seed)
    while True:
        parts = [_crop(pool[rng.randint(len(pool))], rng) for _ in range(BATCH)]
        yield Batch(*(np.stack(column) for column in zip(*parts)))


def _crop(source: Frame, rng: np.random.RandomState) -> Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    height, width = source.image.shape[:2]
    top, left = rng.randint(height - CROP + 1), rng.randint(width - CROP + 1)
    image = source.image[top : top + CROP, left : left + CROP]
    whole = source.boxes - np.array([left, top, left, top], np.float32)
    boxes = np.clip(whole, 0, CROP)
    # What the crop's border cuts is judged as what the picture's border cuts.
    share = _area(boxes) / np.maximum(_area(whole), 1e-3)
    there = share > 0.04
    boxes, labels, counts = boxes[there], source.labels[there], (source.counts & (share >= 0.4))[there]
    if rng.rand() < 0.5:
        image = image[:, ::-1]
        boxes = np.stack([CROP - boxes[:, 2], boxes[:, 1], CROP - boxes[:, 0], boxes[:, 3]], axis=1)
    gain, shift = rng.uniform(0.8, 1.2) * rng.uniform(0.94, 1.06, 3), rng.uniform(-10, 10)
    curve = np.clip(np.arange(256)[:, None] * gain[None] + shift, 0, 255).astype(np.uint8)
    image = cv2.LUT(np.ascontiguousarray(image), curve[None])
    return (image, *targets(boxes, labels, counts, (CROP, CROP)))


def _area(boxes: np.ndarray) -> np.ndarray:
    area: np.ndarray = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return area


def targets(
    boxes: np.ndarray, labels: np.ndarray, counts: np.ndarray, shape: Tuple[int, int]
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the net should have answered.

    Args:
        boxes: float `[N, 4]`, `x1, y1, x2, y2` in pixels.
        labels: int `[N]`, from 1.
        counts: bool `[N]`; False for an object that is neither to be found nor to be left alone.
        shape: height and width of the picture, pixels.

    Returns:
        Centre scores float32 `[h, w, 3]`, 1 at each centre and falling around it; weights of the cells for the scores,
        float32 of the same shape; and `[h, w, 5]` float32: the weight of the cell's box, and the box in pixels.
    """
    height, width = shape[0] // STRIDE, shape[1] // STRIDE
    heat = np.zeros((height, width, CLASS_COUNT), np.float32)
    weight = np.ones((height, width, CLASS_COUNT), np.float32)
    where = np.zeros((height, width, 5), np.float32)
    x, y = (np.arange(width) + 0.5) * STRIDE, (np.arange(height) + 0.5) * STRIDE
    order: List[int] = sorted(range(len(boxes)), key=lambda i: bool(counts[i]))
    for i in order:
        x1, y1, x2, y2 = boxes[i]
        if not counts[i]:
            rows = slice(max(0, int(y1 / STRIDE)), int(y2 / STRIDE) + 1)
            weight[rows, max(0, int(x1 / STRIDE)) : int(x2 / STRIDE) + 1, labels[i] - 1] = 0.0
            continue
        column = min(width - 1, int((x1 + x2) / 2 / STRIDE))
        row = min(height - 1, int((y1 + y2) / 2 / STRIDE))
        # A vehicle's centre may be missed by more pixels than a person's before the boxes no longer agree.
        spread_x, spread_y = max(0.11 * (x2 - x1), 2.6), max(0.11 * (y2 - y1), 2.6)
        bell_x = np.exp(-0.5 * ((x - x[column]) / spread_x) ** 2)
        bell_y = np.exp(-0.5 * ((y - y[row]) / spread_y) ** 2)
        bell = (bell_y[:, None] * bell_x[None]).astype(np.float32)
        np.maximum(heat[:, :, labels[i] - 1], bell, out=heat[:, :, labels[i] - 1])
        weight[row, column, labels[i] - 1] = 1.0
        inside = (x[None] > x1) & (x[None] < x2) & (y[:, None] > y1) & (y[:, None] < y2)
        nearer = (bell > where[:, :, 0]) & (bell > 0.2) & inside
        nearer[row, column] = True
        where[nearer] = np.concatenate([bell[nearer][:, None], np.tile(boxes[i], (int(nearer.sum()), 1))], axis=1)
    return heat, weight, where
