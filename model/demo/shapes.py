"""What stands on the lot: cars, persons, bikes, trees, lamp posts and small things. Sizes in metres.

Each function draws one thing at a pose; `footprint` rules its shadow. The caller tells the canvas who owns the pixels.
Colours are BGR. `rng` draws the looks, never the place.
"""

from __future__ import annotations

import math
from typing import List, Tuple

import numpy as np

from .canvas import Canvas, Colour, Pose, shade

#: Car paints as they are seen on a lot: mostly white, grey, black, some colours.
PAINTS: List[Colour] = [
    (232, 234, 235), (214, 216, 218), (172, 174, 176), (128, 130, 133), (84, 86, 90), (46, 46, 50), (32, 33, 38),
    (38, 40, 168), (30, 30, 120), (150, 84, 34), (112, 58, 26), (70, 100, 60), (60, 168, 214), (150, 180, 196),
    (120, 70, 80), (40, 110, 200),
]  # fmt: skip
CLOTHES: List[Colour] = [
    (40, 40, 45), (200, 200, 205), (150, 60, 40), (50, 50, 170), (60, 130, 60), (40, 170, 220), (140, 60, 130),
    (190, 150, 60), (90, 90, 95), (70, 60, 110), (60, 110, 210), (225, 225, 225),
]  # fmt: skip
SKINS: List[Colour] = [(150, 180, 222), (120, 150, 200), (80, 110, 160), (50, 72, 110)]
HAIRS: List[Colour] = [(20, 22, 26), (30, 42, 62), (60, 90, 120), (110, 150, 185), (120, 120, 124)]
GLASS: Colour = (74, 62, 52)
TYRE: Colour = (24, 24, 25)

#: Kind -> length, width, height of the bonnet, height of the roof, cabin's rear and front end as shares of the length.
CARS = {
    "sedan": (4.6, 1.84, 0.84, 1.42, -0.33, 0.20),
    "hatch": (4.0, 1.76, 0.86, 1.46, -0.46, 0.19),
    "suv": (4.7, 1.92, 0.98, 1.68, -0.47, 0.22),
    "van": (5.0, 1.98, 1.10, 1.98, -0.48, 0.34),
    "pickup": (5.2, 1.95, 0.98, 1.72, -0.08, 0.24),
}


def pick(rng: np.random.RandomState, items: List[Colour]) -> Colour:
    """One of the colours, slightly varied."""
    return shade(items[rng.randint(len(items))], rng.uniform(0.88, 1.1))


def car_size(kind: str, stretch: float) -> Tuple[float, float]:
    """Length and width of a car, metres."""
    return CARS[kind][0] * stretch, CARS[kind][1]


def rectangle(rear: float, front: float, half_width: float, cut: float) -> np.ndarray:
    """An outline with cut corners, float64 `[8, 2]`: forward and left, metres."""
    inner = half_width - cut
    return np.array(
        [
            [front, -inner], [front, inner], [front - cut, half_width], [rear + cut, half_width],
            [rear, inner], [rear, -inner], [rear + cut, -half_width], [front - cut, -half_width],
        ]
    )  # fmt: skip


def shadow_of(canvas: Canvas, pose: Pose, length: float, width: float, height: float, low: float = 0.0) -> None:
    """Lays the shadow of a box-like body, or of an elliptic one where `low` is above 0."""
    if low:
        angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        outline = np.stack([np.cos(angles) * length / 2, np.sin(angles) * width / 2], axis=1)
    else:
        outline = rectangle(-length / 2, length / 2, width / 2, min(length, width) * 0.15)
    world = pose.place(np.column_stack([outline, np.zeros(len(outline))]))[:, :2]
    canvas.cast(world, height, low)


def car(canvas: Canvas, pose: Pose, kind: str, stretch: float, rng: np.random.RandomState) -> None:
    """A car, van or pickup: body, wheels, cabin of glass, roof, lights."""
    length, width, bonnet, roof, cabin_rear, cabin_front = CARS[kind]
    length *= stretch
    half, unit = width / 2, canvas.camera.unit
    paint = pick(rng, PAINTS)
    body = rectangle(-length / 2, length / 2, half, 0.26)
    canvas.solid(pose, rectangle(-length / 2, length / 2, half - 0.04, 0.2), 0.1, 0.34, (52, 52, 54), None)
    canvas.solid(pose, body, 0.3, bonnet, paint, shade(paint, 0.98))
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    for side in (-1.0, 1.0):
        # Only the side that looks towards the viewer shows its wheels.
        if side * math.cos(pose.heading) < 0.08:
            continue
        for axle in (-0.31, 0.31):
            for radius, colour in ((0.36, TYRE), (0.2, (150, 150, 152))):
                wheel = np.stack(
                    [axle * length + radius * np.cos(angles), np.full(16, side * half), 0.35 + radius * np.sin(angles)],
                    axis=1,
                )
                canvas.polygon(canvas.at(pose, wheel), colour)
    bright, red = (225, 240, 245), (40, 36, 190)
    for left in (-0.62, 0.62):
        for end, colour in ((length / 2 - 0.12, bright), (-length / 2 + 0.1, red)):
            spot = [[end - 0.12, left * half * 1.1 - 0.15, bonnet], [end + 0.1, left * half * 1.1 - 0.15, bonnet],
                    [end + 0.1, left * half * 1.1 + 0.15, bonnet], [end - 0.12, left * half * 1.1 + 0.15, bonnet]]  # fmt: skip
            canvas.polygon(canvas.at(pose, spot), colour)
    # Seams of the bonnet.
    seam = canvas.at(pose, [[cabin_front * length, s * half * 0.72, bonnet] for s in (-1, 1)])
    nose = canvas.at(pose, [[length / 2 - 0.3, s * half * 0.6, bonnet] for s in (-1, 1)])
    for i in (0, 1):
        canvas.stroke(seam[i], nose[i], unit * 0.03, shade(paint, 0.8))
    if kind == "pickup":
        bed = rectangle(-length / 2 + 0.15, cabin_rear * length - 0.1, half - 0.16, 0.05)
        canvas.polygon(
            canvas.at(pose, np.column_stack([bed, np.full(8, bonnet)])), shade((62, 62, 64), rng.uniform(0.8, 1.3))
        )
    _cabin(canvas, pose, length, half, bonnet, roof, (cabin_rear * length, cabin_front * length), kind, paint)


def _cabin(
    canvas: Canvas, pose: Pose, length: float, half: float, low: float, high: float,
    ends: Tuple[float, float], kind: str, paint: Colour,
) -> None:  # fmt: skip
    rear, front = ends
    lean_front = 0.45 if kind == "van" else 0.72
    lean_rear = {"sedan": 0.55, "hatch": 0.3, "suv": 0.22, "van": 0.1, "pickup": 0.12}[kind]
    base = rectangle(rear, front, half - 0.05, 0.1)
    upper = rectangle(rear + lean_rear, front - lean_front, half - 0.2, 0.12)
    canvas.solid(pose, base, low, high, GLASS, None, upper)
    # The windscreen mirrors the sky.
    screen = np.array(
        [[*base[0], low + 0.04], [*base[1], low + 0.04], [*upper[1], high - 0.03], [*upper[0], high - 0.03]]
    )
    if math.sin(pose.heading) > -0.75:
        canvas.polygon(canvas.at(pose, screen), shade(GLASS, 1.35))
    top = canvas.at(pose, np.column_stack([upper, np.full(8, high)]))
    foot = canvas.at(pose, np.column_stack([base, np.full(8, low)]))
    centre = top.mean(axis=0)
    for i in (2, 3, 6, 7):
        # A pillar behind the roof would stand out of it.
        if (foot[i] - centre) @ (foot[i] - centre) > (top[i] - centre) @ (top[i] - centre):
            canvas.stroke(foot[i], top[i], canvas.camera.unit * 0.08, shade(paint, 0.8))
    canvas.polygon(top, shade(paint, 1.04))
    canvas.polygon(centre + (top - centre) * 0.72, shade(paint, 1.1))


def person(canvas: Canvas, pose: Pose, height: float, rng: np.random.RandomState) -> None:
    """A person who walks or stands: legs, trunk, arms, head."""
    unit, scale = canvas.camera.unit, height / 1.75
    stride = rng.uniform(0.05, 0.36)
    shirt, trousers, skin, hair = pick(rng, CLOTHES), pick(rng, CLOTHES), pick(rng, SKINS), pick(rng, HAIRS)

    def at(forward: float, left: float, up: float) -> np.ndarray:
        point: np.ndarray = canvas.at(pose, [[forward * scale, left * scale, up * scale]])[0]
        return point

    for side in (-1, 1):
        foot = at(side * stride, side * 0.1, 0.03)
        canvas.stroke(at(0, side * 0.09, 0.92), foot, unit * 0.18, shade(trousers, 0.92 + 0.08 * side))
        canvas.stroke(foot, at(side * stride + 0.14, side * 0.1, 0.03), unit * 0.12, (40, 40, 44))
    swing = rng.uniform(0.0, 0.3)
    arms = [(side, at(0, side * 0.25, 1.42), at(-side * swing, side * 0.31, 0.88)) for side in (-1, 1)]
    arms.sort(key=lambda arm: arm[2][1])
    for i, (_, shoulder, hand) in enumerate(arms):
        if i == 1:
            _trunk(canvas, pose, scale, shirt)
        canvas.stroke(shoulder, hand, unit * 0.12, shade(shirt, 0.84))
        canvas.disc(hand, unit * 0.065, skin)
    if rng.rand() < 0.25:
        # A rucksack.
        canvas.disc(at(-0.2, 0, 1.25), unit * 0.17, pick(rng, CLOTHES))
    canvas.disc(at(0.02, 0, 1.64), unit * 0.135 * scale, skin)
    canvas.disc(at(-0.03, 0, 1.69), unit * 0.125 * scale, hair)


def _trunk(canvas: Canvas, pose: Pose, scale: float, shirt: Colour) -> None:
    angles = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    outline = np.stack([np.cos(angles) * 0.15, np.sin(angles) * 0.27], axis=1) * scale
    canvas.solid(pose, outline * 0.8, 0.82 * scale, 1.46 * scale, shade(shirt, 1.12), shirt, outline)


def bike(canvas: Canvas, pose: Pose, rng: np.random.RandomState) -> None:
    """A bicycle on its stand: two wheels, a frame, a saddle, a handlebar."""
    unit, radius, lean = canvas.camera.unit, 0.36, rng.uniform(-0.12, 0.12)
    paint = shade(pick(rng, [p for p in PAINTS if max(p) - min(p) > 40]), 1.25)

    def at(points: List[Tuple[float, float]], left: float = 0.0) -> np.ndarray:
        return canvas.at(pose, [[forward, left + lean * up, up] for forward, up in points])

    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for axle in (-0.54, 0.54):
        rim = at([(axle + radius * math.cos(a), radius + radius * math.sin(a)) for a in angles])
        canvas.loop(rim, unit * 0.085, TYRE)
        for i in range(0, 12, 3):
            canvas.stroke(rim[i], rim[i + 12], unit * 0.015, (150, 150, 150))
    rear, front, crank = (-0.54, radius), (0.54, radius), (-0.08, 0.32)
    seat, head = (-0.22, 0.82), (0.40, 0.86)
    for start, end in ((rear, crank), (crank, seat), (rear, seat), (crank, head), (seat, head), (head, front)):
        line = at([start, end])
        canvas.stroke(line[0], line[1], unit * 0.075, paint)
    saddle = at([(-0.38, 0.93), (-0.12, 0.93)])
    canvas.stroke(saddle[0], saddle[1], unit * 0.14, (30, 30, 34))
    grips = np.stack([at([(0.38, 1.0)], left)[0] for left in (-0.28, 0.28)])
    canvas.stroke(grips[0], grips[1], unit * 0.07, (58, 58, 62))
    if rng.rand() < 0.35:
        basket = rectangle(0.45, 0.75, 0.17, 0.03)
        canvas.solid(pose, basket, 0.72, 0.95, (70, 96, 120), (50, 70, 92))


def tree(canvas: Canvas, pose: Pose, radius: float, height: float, rng: np.random.RandomState) -> None:
    """A broad-leaved tree: a trunk and a crown of some hundred leaves, the lit ones last."""
    unit = canvas.camera.unit
    foot, top = canvas.at(pose, [[0, 0, 0], [0, 0, height]])
    canvas.stroke(foot, top, unit * 0.28, (48, 62, 78))
    count = int(70 * radius)
    angle, reach = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
    rise = np.sqrt(np.maximum(0, 1 - reach**2)) * rng.uniform(-0.5, 1.0, count)
    leaves = np.stack([reach * np.cos(angle), reach * np.sin(angle), rise], axis=1)
    sun = np.array([-canvas.sun[0], -canvas.sun[1], 1.2])
    light = leaves @ (sun / np.linalg.norm(sun))
    hue = np.array([rng.uniform(38, 62), rng.uniform(92, 122), rng.uniform(50, 88)])
    spots = canvas.camera.project(np.array([pose.x, pose.y, height]) + leaves * radius)
    sizes = unit * radius * rng.uniform(0.1, 0.24, count)
    for i in np.argsort(light + rng.uniform(-0.25, 0.25, count)):
        canvas.disc(spots[i], sizes[i], tuple(hue * (0.72 + 0.42 * light[i])))


def lamp(canvas: Canvas, pose: Pose, height: float) -> None:
    """A lamp post with an arm."""
    unit = canvas.camera.unit
    foot, top, tip = canvas.at(pose, [[0, 0, 0], [0, 0, height], [1.5, 0, height + 0.1]])
    canvas.disc(foot, unit * 0.26, (120, 122, 124))
    canvas.stroke(foot, top, unit * 0.17, (92, 94, 96))
    canvas.stroke(foot - [unit * 0.04, 0], top - [unit * 0.04, 0], unit * 0.05, (150, 152, 154))
    canvas.stroke(top, tip, unit * 0.11, (96, 98, 100))
    canvas.solid(Pose(*pose[:2], pose.heading), rectangle(1.2, 1.9, 0.16, 0.05), height + 0.05, height + 0.2,
                 (120, 122, 124), (176, 180, 182))  # fmt: skip


def thing(canvas: Canvas, pose: Pose, rng: np.random.RandomState) -> None:
    """A bin, a cone or a box: something that is none of the classes."""
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    kind = rng.randint(3)
    if kind == 0:
        colour = pick(rng, [(60, 90, 50), (90, 92, 94), (50, 60, 66)])
        canvas.solid(pose, circle * 0.3, 0.0, 0.95, colour, shade(colour, 0.6))
    elif kind == 1:
        canvas.solid(pose, circle * 0.24, 0.0, 0.35, (40, 110, 235), None, circle * 0.15)
        canvas.solid(pose, circle * 0.15, 0.35, 0.5, (235, 235, 235), None, circle * 0.11)
        canvas.solid(pose, circle * 0.11, 0.5, 0.8, (40, 110, 235), (30, 90, 200), circle * 0.04)
    else:
        colour = pick(rng, [(130, 140, 146), (60, 80, 70), (80, 110, 150)])
        canvas.solid(pose, rectangle(-0.75, 0.75, 0.5, 0.05), 0.0, 0.9, colour, shade(colour, 1.12))
