"""Class names of the detectors this tool grew up with; index 0 is the background."""

from __future__ import annotations

from typing import Tuple

from ..errors import ConfigError

DIVA = (
    "BG",
    "Vehicle",
    "Person",
    "Parking_Meter",
    "Tree",
    "Skateboard",
    "Prop_Overshoulder",
    "Construction_Barrier",
    "Door",
    "Dumpster",
    "Push_Pulled_Object",
    "Construction_Vehicle",
    "Prop",
    "Bike",
    "Animal",
)

# fmt: off
COCO = (
    "BG", "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
    "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet",
    "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)
# fmt: on

NAMED = {"diva": DIVA, "diva_class3": DIVA, "coco": COCO}


def class_list(name: str) -> Tuple[str, ...]:
    """Class names, by the name of a list or from a file.

    Args:
        name: "diva", "coco", or the path of a UTF-8 text file with one class a line, the background first.

    Returns:
        The names; the index is the class id.

    Raises:
        ConfigError: when there is no such list or file.
    """
    if name in NAMED:
        return NAMED[name]
    try:
        with open(name, encoding="utf-8") as file:
            names = tuple(line.strip() for line in file if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "--class-list {}: neither a known list ({}) nor a file of class names ({}).".format(
                name, ", ".join(sorted(NAMED)), error
            )
        )
    if not names:
        raise ConfigError(
            "--class-list {}: the file is empty; write one class a line, the background first.".format(name)
        )
    return names
