"""Which images of a run are to be drawn: an even sample of those with a result, or those that the operator names."""

from __future__ import annotations

import os
from typing import Dict, List, NamedTuple, Sequence, Union

import numpy as np

from ..entries import entries
from ..errors import ImageListError
from ..imagelist import ImageList
from ..video.file import is_video


class Selection(NamedTuple):
    """What is to be drawn.

    Attributes:
        indices: positions in the run's list, in the order to be drawn.
        unknown: names that are not in the list.
    """

    indices: List[int]
    unknown: List[bytes]


def even(positions: Union[Sequence[int], np.ndarray], wanted: int) -> List[int]:
    """So many of some positions, spread evenly, the first one among them; all when there are no more."""
    count = min(len(positions), wanted)
    return [int(positions[number * len(positions) // count]) for number in range(count)]


def named(images: ImageList, names: Sequence[bytes], root: bytes) -> Selection:
    """The images of these names.

    Args:
        images: the run's list.
        names: absolute paths, or relative ones: to the present folder, or to `root`. That of a video stands for its frames.
        root: the folder that all listed images have in common, as `Naming` has it.
    """
    meant = {name: (os.path.abspath(name), os.path.normpath(os.path.join(root + b"/", name))) for name in names}
    found: Dict[bytes, List[int]] = {path: [] for paths in meant.values() for path in paths}
    videos = {path for path in found if is_video(path)}
    for index, path in enumerate(images):
        if path in found:
            found[path].append(index)
        elif videos and os.path.dirname(path) in videos:
            found[os.path.dirname(path)].append(index)
    indices: List[int] = []
    unknown: List[bytes] = []
    for name, paths in meant.items():
        places = next((found[path] for path in paths if found[path]), None)
        if places is None:
            unknown.append(name)
        else:
            indices += places
    # Each once, however often it is named.
    return Selection(list(dict.fromkeys(indices)), unknown)


def read_names(path: str) -> List[bytes]:
    """The names in a list file, as `--images` reads them.

    Args:
        path: the file.

    Returns:
        Absolute paths.

    Raises:
        ImageListError: when it cannot be read, or names nothing.
    """
    base = os.path.dirname(os.path.abspath(os.fsencode(path)))
    try:
        with open(path, "rb") as file:
            names = [name for part in entries(file, base, "--list") for name in part]
    except OSError as error:
        raise ImageListError("--list {}: it cannot be read ({}).".format(path, error.strerror))
    if not names:
        raise ImageListError("--list {}: no image is named in it.".format(path))
    return names
