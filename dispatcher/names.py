"""Looks for images that are listed twice, and for results that would have one name; 8 bytes an image."""

from __future__ import annotations

import array
import os
from typing import Dict, List, NamedTuple, Optional, Set, Tuple

import numpy as np

from ..imagelist import ImageList
from ..video.file import is_video

#: Endings that most images have; what they end is found faster than by `splitext`.
_USUAL = tuple(b".jpg .png .JPG .bmp .PNG .tif".split())


class Comparison(NamedTuple):
    """What is not unique.

    Attributes:
        repeats: the later ones of equal paths, by index.
        clashes: pairs of different paths whose results would have one name.
    """

    repeats: Dict[int, bytes]
    clashes: List[Tuple[bytes, bytes]]


class Names:
    """The names of all images.

    Two results have one name when their images' paths are equal but for the extension (with `flat`: their base names), so
    equal paths are among them.

    Args:
        flat: whether results are named by the base name alone.
    """

    def __init__(self, flat: bool) -> None:
        self._flat = flat
        self._hashes = array.array("q")
        self._prefix: Optional[bytes] = None

    @property
    def root(self) -> bytes:
        """The folder that all images have in common, without a slash at its end; never a video: its frames' names keep it."""
        prefix = self._prefix or b"/"
        root = prefix[: prefix.rindex(b"/")]
        return root[: root.rindex(b"/")] if is_video(root) else root

    def add(self, paths: List[bytes]) -> None:
        """Takes the next absolute paths."""
        if not paths:
            return
        ends = [min(paths), max(paths)] + ([] if self._prefix is None else [self._prefix])
        self._prefix = os.path.commonprefix(ends)  # type: ignore[assignment]
        self._hashes.extend(map(hash, map(self._key, paths)))

    def compare(self, listed: ImageList) -> Comparison:
        """Compares all names; to be called once.

        Args:
            listed: the paths that were added, in order.
        """
        hashes = np.frombuffer(self._hashes, np.int64)
        # Sorted where it lies: a copy would cost as much again.
        hashes.sort()
        suspects = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
        found = Comparison({}, [])
        if not suspects:
            return found
        first: Dict[bytes, bytes] = {}
        seen: Set[bytes] = set()
        for index, path in enumerate(listed):
            key = self._key(path)
            if hash(key) not in suspects:
                continue
            if path in seen:
                found.repeats[index] = path
            elif first.setdefault(key, path) != path:
                found.clashes.append((first[key], path))
            seen.add(path)
        return found

    def _key(self, path: bytes) -> bytes:
        # "/a/.jpg" and "/a/..jpg" have no extension.
        stem = path[:-4] if path.endswith(_USUAL) and path[-5] not in b"./" else os.path.splitext(path)[0]
        return stem[stem.rindex(b"/") + 1 :] if self._flat else stem
