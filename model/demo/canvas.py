"""The drawing surface of a scene: a camera, colour pixels, and who owns each of them.

Frames of reference:
    world   metres; X to the right, Y along the ground towards the viewer, Z up; the origin is the picture's centre
    object  metres; forward, left, up, placed in the world by a position and a heading
    picture pixels; x to the right, y down; the origin is the corner of the upper left pixel

The camera is orthographic: far above the lot the perspective is weak, and an object's size then does not depend on
where it stands.
"""

from __future__ import annotations

import math
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import cv2
import numpy as np

Colour = Tuple[float, float, float]

#: Fixed-point bits of OpenCV's drawing coordinates: a sixteenth of a pixel.
_BITS = 4
#: In the owner map: the ground, and whatever hides objects but is none of ours (trees, posts).
GROUND, OCCLUDER = 0, 255


class Camera(NamedTuple):
    """An orthographic camera.

    Attributes:
        unit: pixels a metre.
        elevation: angle above the horizon, radians.
        centre: picture coordinates of the world's origin, pixels.
    """

    unit: float
    elevation: float
    centre: Tuple[float, float]

    def project(self, points: np.ndarray) -> np.ndarray:
        """World to picture.

        Args:
            points: float `[N, 3]`, metres.

        Returns:
            float64 `[N, 2]`, pixels.
        """
        flat = np.empty((len(points), 2))
        flat[:, 0] = self.centre[0] + self.unit * points[:, 0]
        flat[:, 1] = self.centre[1] + self.unit * (
            points[:, 1] * math.sin(self.elevation) - points[:, 2] * math.cos(self.elevation)
        )
        return flat


class Pose(NamedTuple):
    """Where an object stands: world position in metres, heading in radians."""

    x: float
    y: float
    heading: float

    def place(self, points: np.ndarray) -> np.ndarray:
        """Object frame to world, both float `[N, 3]` in metres."""
        points = np.asarray(points, dtype=np.float64)
        cos, sin = math.cos(self.heading), math.sin(self.heading)
        forward, left = points[:, 0], points[:, 1]
        placed = np.empty((len(points), 3))
        placed[:, 0] = self.x + forward * cos - left * sin
        placed[:, 1] = self.y + forward * sin + left * cos
        placed[:, 2] = points[:, 2]
        return placed


def shade(colour: Colour, factor: float) -> Colour:
    """A colour made darker (below 1) or lighter, kept within 0..255."""
    return tuple(min(255.0, channel * factor) for channel in colour)  # type: ignore[return-value]


class Canvas:
    """Pixels, owners and shadows of a scene under construction.

    The owner map is larger than the picture by `margin` on every side, so that an object cut by the border still
    knows how large it is as a whole.

    Args:
        width: of the picture, pixels.
        height: of the picture, pixels.
        camera: projects the world onto the picture.
        sun: world vector on the ground, metres of shadow a metre of height, `(x, y)`.
    """

    def __init__(self, width: int, height: int, camera: Camera, sun: Tuple[float, float]) -> None:
        self.camera = camera
        self.sun = sun
        self.image = np.zeros((height, width, 3), np.uint8)
        self.shadow = np.zeros((height, width), np.uint8)
        self.margin = int(6 * camera.unit)
        self._owners = np.zeros((height + 2 * self.margin, width + 2 * self.margin), np.uint8)
        self._owner = GROUND
        #: Points of the object at hand, and the box around each finished one, pixels.
        self._drawn: List[np.ndarray] = []
        self._extent: Dict[int, np.ndarray] = {}
        self._whole: Dict[int, int] = {}

    def begin(self, owner: int) -> None:
        """What is drawn from now on belongs to `owner`: an object's number from 1 to 254, or OCCLUDER."""
        self._owner = owner
        self._drawn = []

    def end(self) -> None:
        """The object is complete: notes its whole area, before anything nearer hides a part of it."""
        if self._owner != OCCLUDER:
            points = np.concatenate(self._drawn)
            self._extent[self._owner] = np.concatenate([points.min(axis=0) - 2, points.max(axis=0) + 3])
            self._whole[self._owner] = int(np.count_nonzero(self._window(self._owner)[0]))
        self._owner = GROUND

    def polygon(self, points: np.ndarray, colour: Colour) -> None:
        """Fills a convex polygon; `points` float `[N, 2]` in pixels."""
        cv2.fillConvexPoly(self.image, _fixed(points), colour, cv2.LINE_AA, _BITS)
        if self._owner != GROUND:
            cv2.fillConvexPoly(self._owners, _fixed(points + self.margin), self._owner, cv2.LINE_8, _BITS)
            self._drawn.append(points)

    def stroke(self, start: np.ndarray, end: np.ndarray, width: float, colour: Colour) -> None:
        """A straight line of `width` pixels, which may be a fraction."""
        (x1, y1), (x2, y2) = start, end
        half = max(width, 1.0) / 2 / (math.hypot(x2 - x1, y2 - y1) or 1.0)
        right, down = (y1 - y2) * half, (x2 - x1) * half
        corners = [[x1 + right, y1 + down], [x2 + right, y2 + down], [x2 - right, y2 - down], [x1 - right, y1 - down]]
        self.polygon(np.array(corners), colour)

    def loop(self, points: np.ndarray, width: float, colour: Colour) -> None:
        """A closed line through `points`, float `[N, 2]` in pixels; `width` is rounded to pixels."""
        thickness = max(1, int(width + 0.5))
        cv2.polylines(self.image, [_fixed(points)], True, colour, thickness, cv2.LINE_AA, _BITS)
        if self._owner != GROUND:
            shifted = [_fixed(points + self.margin)]
            cv2.polylines(self._owners, shifted, True, self._owner, thickness, cv2.LINE_8, _BITS)
            self._drawn += [points - thickness, points + thickness]

    def disc(self, centre: np.ndarray, radius: float, colour: Colour) -> None:
        """A filled circle; pixels."""
        size = max(1, int(radius * (1 << _BITS)))
        cv2.circle(self.image, _fixed(centre).tolist(), size, colour, -1, cv2.LINE_AA, _BITS)
        if self._owner != GROUND:
            cv2.circle(self._owners, _fixed(centre + self.margin).tolist(), size, self._owner, -1, cv2.LINE_8, _BITS)
            self._drawn += [centre[None] - radius, centre[None] + radius]

    def cast(self, footprint: np.ndarray, height: float, low: float = 0.0) -> None:
        """Lays the shadow of an upright body on the ground.

        Args:
            footprint: float `[N, 2]`, world metres.
            height: of the body's top, metres.
            low: of its bottom; a tree's crown begins above the ground.
        """
        sun = np.array(self.sun)
        ground = np.concatenate([footprint + sun * low, footprint + sun * height])
        flat = self.camera.project(np.concatenate([ground, np.zeros((len(ground), 1))], axis=1))
        hull = cv2.convexHull(flat.astype(np.float32))[:, 0]
        cv2.fillConvexPoly(self.shadow, _fixed(hull), 255, cv2.LINE_AA, _BITS)

    def solid(
        self,
        pose: Pose,
        base: np.ndarray,
        low: float,
        high: float,
        sides: Colour,
        top: Optional[Colour],
        upper: Optional[np.ndarray] = None,
    ) -> None:
        """Draws a convex body between two outlines, with light on its sides.

        Args:
            pose: of the body.
            base: float `[N, 2]`, its outline at the height `low`: forward and left, metres, in angular order.
            low: metres.
            high: metres.
            sides: colour of the sides in full light.
            top: colour of the upper face; None leaves it open.
            upper: outline at the height `high`, as `base`; the same as `base` when None.
        """
        upper = base if upper is None else upper
        count = len(base)
        bottom = pose.place(np.column_stack([base, np.full(count, low)]))
        ceiling = pose.place(np.column_stack([upper, np.full(count, high)]))
        flat_bottom, flat_top = self.camera.project(bottom), self.camera.project(ceiling)
        following = np.arange(1, count + 1) % count
        faces = np.stack([flat_bottom, flat_bottom[following], flat_top[following], flat_top], axis=1)
        # The area of a quadrilateral, from its diagonals, and of the upper face, as a fan: the sign is the winding.
        areas = _cross(faces[:, 2] - faces[:, 0], faces[:, 3] - faces[:, 1])
        spokes = flat_top - flat_top[0]
        turn = math.copysign(1.0, float(_cross(spokes, spokes[following]).sum()))
        edges = bottom[following] - bottom
        facing_sun = turn * (edges[:, 0] * self.sun[1] - edges[:, 1] * self.sun[0])
        facing_sun /= math.hypot(*self.sun) * np.hypot(edges[:, 0], edges[:, 1]) + 1e-9
        # A face turned away from the camera is wound the other way round.
        for i in np.flatnonzero(areas * turn > 0):
            self.polygon(faces[i], shade(sides, 0.66 + 0.24 * float(facing_sun[i])))
        if top is not None:
            self.polygon(flat_top, top)

    def at(self, pose: Pose, points: Union[np.ndarray, Sequence[Sequence[float]]]) -> np.ndarray:
        """Object frame (metres, `[N][3]`) to picture (pixels, float64 `[N, 2]`)."""
        return self.camera.project(pose.place(np.asarray(points, dtype=np.float64)))

    def visible(self, owner: int) -> Tuple[float, Optional[Tuple[int, int, int, int]]]:
        """What is left of an object in the finished picture.

        Returns:
            The visible share of its whole area, 0 to 1, and the box `(x, y, w, h)` around what is visible, in whole
            pixels of the picture; None when nothing is.
        """
        mask, (left, top) = self._window(owner, inside=True)
        count = int(np.count_nonzero(mask))
        if count == 0:
            return 0.0, None
        columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        box = (
            int(left + columns[0]),
            int(top + rows[0]),
            int(columns[-1] - columns[0] + 1),
            int(rows[-1] - rows[0] + 1),
        )
        return count / max(1, self._whole[owner]), box

    def _window(self, owner: int, inside: bool = False) -> Tuple[np.ndarray, Tuple[int, int]]:
        """Pixels of `owner` in its surroundings, bool `[h, w]`, and where that window begins in the picture."""
        height, width = self.image.shape[:2]
        margin = 0 if inside else self.margin
        low, high = -margin, np.array([width + margin, height + margin])
        left, top = np.clip(self._extent[owner][:2], low, high).astype(int)
        right, bottom = np.clip(self._extent[owner][2:], low, high).astype(int)
        offset = self.margin
        return self._owners[top + offset : bottom + offset, left + offset : right + offset] == owner, (left, top)


def _fixed(points: np.ndarray) -> np.ndarray:
    # OpenCV's coordinates name pixel centres, ours their corners.
    return np.round((points - 0.5) * (1 << _BITS)).astype(np.int32)


def _cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The third component of the cross products of `[N, 2]` and `[N, 2]`."""
    product: np.ndarray = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    return product
