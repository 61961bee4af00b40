"""What a contestant is given to do, and how a row of the contest is written."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from typing import Any, Dict, List

DEMO = "demo"
#: Frames of the detector that `--model demo` is, pixels: its card's sizes.
_DEMO_SIZES = 540, 960


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of the contest.

    Attributes:
        width: of the images, pixels.
        height: of the images, pixels.
        engine: milliseconds a frame of an emulated device, or DEMO for the demo detector on the CPU.
        devices: how many.
    """

    width: int
    height: int
    engine: str
    devices: int

    @classmethod
    def parse(cls, text: str) -> "Row":
        """Reads "1920x1080:40:4" (emulated, 40 ms a frame, 4 devices) or "1920x1080:demo:1".

        Raises:
            ValueError: when it reads otherwise.
        """
        match = re.match(r"^(\d+)x(\d+):(demo|\d+(?:\.\d+)?):(\d+)$", text)
        if match is None or not all(int(match.group(group)) for group in (1, 2, 4)):
            raise ValueError("{!r}: such as 1920x1080:40:4 or 1920x1080:demo:1 is wanted".format(text))
        return cls(int(match.group(1)), int(match.group(2)), match.group(3), int(match.group(4)))

    def __str__(self) -> str:
        return "{}:{}:{}".format(self.size, self.engine, self.devices)

    @property
    def size(self) -> str:
        """Width and height of the images, as text."""
        return "{}x{}".format(self.width, self.height)

    @property
    def emulated(self) -> bool:
        """Whether the devices are pretended ones."""
        return self.engine != DEMO

    @property
    def busy_ms(self) -> float:
        """Milliseconds that an emulated device takes for a frame."""
        return float(self.engine)

    @property
    def frame_sizes(self) -> Dict[str, int]:
        """The frames' `short_edge_size` and `max_size`, pixels; emulated devices take images as they are."""
        short, longest = sorted((self.width, self.height)) if self.emulated else _DEMO_SIZES
        return {"short_edge_size": short, "max_size": longest}


@dataclasses.dataclass(frozen=True)
class Task:
    """What a contestant is given to do.

    Attributes:
        images: path of the image list, one absolute path a line.
        out: folder for the results, one JSON file an image.
        notes: folder where each process that computes notes when it did.
        engine: as `Row.engine`.
        short_edge_size: of a frame, pixels.
        max_size: of a frame, pixels.
        devices: how many there are.
        workers: how many threads or processes load for each device; 0 where the tool chooses itself.
        threads: CPU threads of each real engine.
    """

    images: str
    out: str
    notes: str
    engine: str
    short_edge_size: int
    max_size: int
    devices: int
    workers: int
    threads: int

    def paths(self) -> List[str]:
        """The whole list."""
        with open(self.images) as file:
            return file.read().split("\n")

    def share(self, device: int) -> List[str]:
        """What one of several independent jobs is given: "4 / 1*" in the tables of 2019."""
        return self.paths()[device :: self.devices]

    def to_json(self) -> str:
        """The task as text."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Task":
        """The task out of its text."""
        plain: Dict[str, Any] = json.loads(text)
        return cls(**plain)

    def result_path(self, image: str) -> str:
        """Where an image's result goes."""
        return os.path.join(self.out, os.path.splitext(os.path.basename(image))[0] + ".json")
