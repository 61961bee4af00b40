"""A sample of an image list: spread evenly over it, always the same, and as long as a trial needs.

NOTE [rounds]: a list that is shorter than what is measured is gone through again and again. A path may stand in a run's list
only once, since its result has one name. So each round has a link of its own to the folder that all images have in common,
and an image is listed by way of its round's link.
"""

from __future__ import annotations

import math
import os
from typing import Iterator, List, Sequence, Union

from ..imagelist import ImageList

#: Images that follow each other stay together in pieces of this size: a real run takes them so, and videos are read so.
_PIECE = 64
#: A short list gives smaller pieces, so that its sample is still from everywhere.
_LEAST_PIECES = 16
#: Links cost little, but a list of one image should not need tens of thousands.
_MOST_ROUNDS = 2000
_GOLDEN = (math.sqrt(5) - 1) / 2


class Sample:
    """Takes images of a list, one part after the other; no image comes again before all others have come.

    Args:
        images: absolute paths below `root`, at least one.
        root: the folder that all have in common, absolute, without a slash at its end.
        links: a folder of our own, empty, for a link a round (NOTE [rounds]).

    Attributes:
        root: what the paths that `spread` gives have in common.
        links: what those of `following` have.
    """

    def __init__(self, images: Union[ImageList, Sequence[bytes]], root: bytes, links: str) -> None:
        self.root = root
        self.links = os.fsencode(links)
        self._images = images
        self._piece = max(1, min(_PIECE, len(images) // _LEAST_PIECES))
        self._pieces = -(-len(images) // self._piece)
        self._step = _spreading_step(self._pieces)
        self._position = 0

    @property
    def used_up(self) -> bool:
        """Whether every image of the list has been used at least once."""
        return self._position >= len(self._images)

    def spread(self, count: int) -> List[bytes]:
        """Up to `count` single images, evenly spread over the list, by their own paths."""
        total = len(self._images)
        count = min(count, total)
        return [self._images[number * total // count] for number in range(count)]

    def following(self, count: int) -> List[bytes]:
        """The paths of the images that are next, by way of their rounds' links.

        Args:
            count: how many; a very short list gives fewer.
        """
        total = len(self._images)
        start, stop = self._position, self._position + min(count, _MOST_ROUNDS * total)
        paths: List[bytes] = []
        for number in range(start // total, -(-stop // total)):
            link = self._link(number)
            skipped = max(0, start - number * total)
            wanted = min(total, stop - number * total) - skipped
            order = self._order(skipped)
            paths += [link + self._images[next(order)][len(self.root) :] for _ in range(wanted)]
        return paths

    def used(self, count: int) -> None:
        """So many of the images that `following` named have been computed."""
        self._position += count

    def _link(self, number: int) -> bytes:
        link = os.path.join(self.links, b"%d" % number)
        if not os.path.lexists(link):
            os.symlink(self.root or b"/", link)
        return link

    def _order(self, skipped: int) -> Iterator[int]:
        """Indices of one round in their order, without the first `skipped`."""
        total = len(self._images)
        # Only the last piece of the list may be shorter than the others.
        for number in range(self._pieces):
            start = number * self._step % self._pieces * self._piece
            stop = min(start + self._piece, total)
            if skipped >= stop - start:
                skipped -= stop - start
                continue
            yield from range(start + skipped, stop)
            skipped = 0


def _spreading_step(count: int) -> int:
    """The step by which `count` places are visited once each, so that those visited first are always spread evenly.

    Steps of the golden ratio divide a circle evenly at any number of them.
    """
    step = max(1, int(count * _GOLDEN + 0.5))
    while math.gcd(step, count) != 1:
        step += 1
    return step
