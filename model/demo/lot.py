"""The ground of a scene: asphalt, painted bays, islands, and the light over all of it."""

from __future__ import annotations

import math
from typing import List, NamedTuple, Tuple

import cv2
import numpy as np

from .canvas import Canvas, Colour, Pose, shade
from .shapes import rectangle

#: Metres: depth and width of a bay, width of the lane between two double rows.
BAY_DEPTH, BAY_WIDTH, LANE = 5.2, 2.65, 7.0
PERIOD = 2 * BAY_DEPTH + LANE


class Lot(NamedTuple):
    """The plan of a lot.

    Attributes:
        bays: where a car can park; the heading points out of the bay.
        islands: planted places between bays.
        lanes: points on the lanes, the heading along them.
        reach: half width and half height of the visible ground, metres.
        heading: of the rows, radians.
    """

    bays: List[Pose]
    islands: List[Pose]
    lanes: List[Pose]
    reach: Tuple[float, float]
    heading: float


def plan(canvas: Canvas, rng: np.random.RandomState) -> Lot:
    """Lays rows of bays at any angle over the visible ground."""
    height, width = canvas.image.shape[:2]
    camera = canvas.camera
    reach = (width / 2 / camera.unit, height / 2 / camera.unit / math.sin(camera.elevation))
    heading = rng.uniform(0, 2 * np.pi) if rng.rand() < 0.7 else rng.randint(4) * np.pi / 2 + rng.normal(0, 0.03)
    origin = Pose(rng.uniform(-8, 8), rng.uniform(-8, 8), heading)
    span = int(math.hypot(*reach) / BAY_WIDTH) + 5
    rows = int(math.hypot(*reach) / PERIOD) + 2
    first_island = rng.randint(9)
    bays: List[Pose] = []
    islands: List[Pose] = []
    lanes: List[Pose] = []
    for row in range(-rows, rows + 1):
        for column in range(-span, span + 1):
            along = column * BAY_WIDTH
            for side in (-1, 1):
                x, y, _ = origin.place(np.array([[along, row * PERIOD + side * BAY_DEPTH / 2, 0.0]]))[0]
                if abs(x) > reach[0] + 3 or abs(y) > reach[1] + 3:
                    continue
                pose = Pose(x, y, heading + side * np.pi / 2)
                (islands if (column - first_island) % 9 == 0 else bays).append(pose)
            if column % 2 == 0:
                x, y, _ = origin.place(np.array([[along, (row + 0.5) * PERIOD, 0.0]]))[0]
                if abs(x) < reach[0] + 2 and abs(y) < reach[1] + 2:
                    lanes.append(Pose(x, y, heading))
    return Lot(bays, islands, lanes, reach, heading)


def pave(canvas: Canvas, lot: Lot, rng: np.random.RandomState) -> None:
    """Draws the asphalt, the paint on it, the islands, and the grain of both."""
    height, width = canvas.image.shape[:2]
    unit = canvas.camera.unit
    grey = rng.uniform(74, 136)
    tint = np.array([rng.uniform(0.96, 1.06), 1.0, rng.uniform(0.95, 1.04)])
    canvas.image[:] = (grey * tint).astype(np.uint8)
    for pose in lot.lanes:
        # Seams and patches of newer tar.
        if rng.rand() < 0.3:
            patch = rectangle(-rng.uniform(1, 5), rng.uniform(1, 5), rng.uniform(0.4, 2.2), 0.05)
            canvas.polygon(_flat(canvas, pose, patch), shade(tuple(grey * tint), rng.uniform(0.82, 1.06)))
    paint: Colour = (232, 236, 238) if rng.rand() < 0.75 else (80, 196, 236)
    paint = shade(paint, rng.uniform(0.7, 1.0))
    stripe = max(1.0, unit * 0.12)
    for pose in lot.bays:
        for side in (-0.5, 0.5):
            ends = canvas.at(pose, [[-BAY_DEPTH / 2, side * BAY_WIDTH, 0], [BAY_DEPTH / 2 - 0.1, side * BAY_WIDTH, 0]])
            canvas.stroke(ends[0], ends[1], stripe, paint)
        ends = canvas.at(pose, [[-BAY_DEPTH / 2, side * BAY_WIDTH, 0] for side in (-0.5, 0.5)])
        canvas.stroke(ends[0], ends[1], stripe, paint)
        if rng.rand() < 0.4:
            # Oil below the engines that stood here.
            spot = _flat(canvas, pose, rectangle(-0.2, 0.9, rng.uniform(0.2, 0.5), 0.2) + [rng.uniform(-1.5, 1), 0])
            canvas.polygon(spot, shade(tuple(grey * tint), 0.86))
    for pose in lot.lanes[::3]:
        if rng.rand() < 0.5:
            _arrow(canvas, Pose(pose.x, pose.y, pose.heading + (np.pi if rng.rand() < 0.5 else 0)), shade(paint, 0.95))
    grass = np.zeros((height, width), np.uint8)
    for pose in lot.islands:
        canvas.polygon(
            _flat(canvas, pose, rectangle(-BAY_DEPTH / 2, BAY_DEPTH / 2, BAY_WIDTH / 2 - 0.1, 0.4)), (168, 170, 172)
        )
        inner = _flat(canvas, pose, rectangle(-BAY_DEPTH / 2 + 0.2, BAY_DEPTH / 2 - 0.2, BAY_WIDTH / 2 - 0.3, 0.35))
        canvas.polygon(inner, (58, 104, 84))
        cv2.fillConvexPoly(grass, np.round(inner).astype(np.int32), 255)
    _grain(canvas.image, grass, rng)


def _arrow(canvas: Canvas, pose: Pose, colour: Colour) -> None:
    shaft = canvas.at(pose, [[-1.2, -0.09, 0], [0.5, -0.09, 0], [0.5, 0.09, 0], [-1.2, 0.09, 0]])
    head = canvas.at(pose, [[0.4, -0.36, 0], [1.2, 0, 0], [0.4, 0.36, 0]])
    canvas.polygon(shaft, colour)
    canvas.polygon(head, colour)


def _flat(canvas: Canvas, pose: Pose, outline: np.ndarray) -> np.ndarray:
    return canvas.at(pose, np.column_stack([outline, np.zeros(len(outline))]))


def _grain(image: np.ndarray, grass: np.ndarray, rng: np.random.RandomState) -> None:
    """Roughens the ground in place: wide stains, fine grain, and tufts where `grass` is set."""
    height, width = image.shape[:2]
    stains = rng.normal(0, rng.uniform(3, 8), (7 + height // 160, 7 + width // 160)).astype(np.float32)
    stains = cv2.resize(stains, (width, height), interpolation=cv2.INTER_CUBIC)
    stains += _tile(rng, height, width, rng.uniform(3, 8))
    if grass.any():
        tufts = cv2.blur(_tile(rng, height, width, 60.0), (3, 3))
        np.copyto(stains, tufts, where=grass > 0)
    bright = cv2.merge([cv2.convertScaleAbs(cv2.max(stains, 0))] * 3)
    dark = cv2.merge([cv2.convertScaleAbs(cv2.min(stains, 0))] * 3)
    cv2.subtract(cv2.add(image, bright, dst=image), dark, dst=image)


def _tile(rng: np.random.RandomState, height: int, width: int, sigma: float) -> np.ndarray:
    """Gaussian grain, float32 `[height, width]`, from a small tile: drawing every pixel anew would cost most of a scene."""
    tile = rng.normal(0, sigma, (256, 256)).astype(np.float32)
    return _spread(tile, height, width)


def _spread(tile: np.ndarray, height: int, width: int) -> np.ndarray:
    """Repeats a tile `[h, w]` over `[height, width]`."""
    h, w = tile.shape
    spread: np.ndarray = cv2.copyMakeBorder(tile, 0, max(0, height - h), 0, max(0, width - w), cv2.BORDER_WRAP)
    return spread[:height, :width]


def darken(image: np.ndarray, mask: np.ndarray, strength: float) -> None:
    """Lays a shadow over the picture in place.

    Args:
        image: uint8 `[H, W, 3]`.
        mask: uint8 `[H, W]`, 255 where the shadow is full.
        strength: the share of the light it takes, 0 to 1.
    """
    light = cv2.convertScaleAbs(mask, alpha=-strength, beta=255.0)
    cv2.multiply(image, cv2.merge([light] * 3), dst=image, scale=1 / 255.0)


def expose(image: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """The camera's part: shade of a building, exposure, colour of the light, blur, sensor noise; returns uint8."""
    height, width = image.shape[:2]
    if rng.rand() < 0.4:
        # Half of the lot lies in the shade of something large outside the picture.
        angle, far = rng.uniform(0, 2 * np.pi), 3.0 * max(width, height)
        edge = np.array([width, height]) * rng.uniform(0.25, 0.75, 2)
        along, away = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
        corners = np.stack(
            [edge - far * along, edge + far * along, edge + far * (along + away), edge + far * (away - along)]
        )
        mask = np.zeros((height, width), np.uint8)
        cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), 255, cv2.LINE_AA)
        darken(image, cv2.blur(mask, (9, 9)), rng.uniform(0.25, 0.5))
    gain = rng.uniform(0.8, 1.16)
    curve = [
        np.clip(np.arange(256) * gain * balance + rng.uniform(-6, 10), 0, 255)
        for balance in (rng.uniform(0.93, 1.07), 1.0, rng.uniform(0.93, 1.07))
    ]
    image = cv2.LUT(image, np.stack(curve, axis=1).astype(np.uint8)[None])
    if rng.rand() < 0.3:
        image = cv2.GaussianBlur(image, (3, 3), rng.uniform(0.4, 0.9))
    sigma = rng.uniform(1, 6)
    noise = rng.normal(0, sigma, (3, 257, 263))
    channels = []
    for channel, grain in zip(cv2.split(image), noise):
        tiled = _spread(grain.astype(np.int16), height, width)
        channels.append(cv2.add(channel, tiled, dtype=cv2.CV_8U))
    exposed: np.ndarray = cv2.merge(channels)
    return exposed
