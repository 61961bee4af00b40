"""Who does which images: hands out blocks under lease, takes them back from the lost, and shrinks them near the end.

Pure: no process, no socket, no clock. The dispatcher calls it with what happened and sends the leases that come back.

NOTE [suspects]: when a worker dies, the images it was computing are suspects. Each is leased again as a block of its own, to a
worker that has nothing else and gets nothing else meanwhile. A worker that dies once more convicts the image, which is given
up. So an innocent image that was in the batch when its worker was killed is computed after all, and a guilty one costs two
workers, however large its batch was. As long as no image at all has got a result, it may be the engine that is to blame: then
suspects wait until the other images were tried, and none is convicted.
"""

from __future__ import annotations

import collections
import itertools
from typing import Deque, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from ..ranges import between


class Block(NamedTuple):
    """Images `start` to `start + count - 1`, leased to `worker`.

    Attributes:
        block: the lease's number, never used twice in a run.
        worker: who holds it.
        start: first index.
        count: number of images.
    """

    block: int
    worker: str
    start: int
    count: int  # type: ignore[assignment]


class _Holding:
    """What one worker holds: its leases by number, and how many of their images are not done yet."""

    def __init__(self) -> None:
        self.leases: Dict[int, Block] = {}
        self.images = 0


class Scheduler:
    """Leases for one run.

    Args:
        todo: half-open ranges of indices to do, in order; taken one at a time, since there may be millions.
        images: how many images these ranges have.
        workers: how many workers share them.
        most: largest block, images.
        least: smallest block worth a message, images (the batch size); only the very last may be smaller.
        proven: whether some image has a result already.
    """

    def __init__(
        self,
        todo: Iterable[Tuple[int, int]],
        images: int,
        workers: int,
        most: int = 64,
        least: int = 1,
        proven: bool = False,
    ) -> None:
        self._fresh = iter(todo)
        self._todo: Deque[Tuple[int, int]] = collections.deque()
        self._refill()
        self.unleased = images
        self._workers = max(1, workers)
        self._least = max(1, least)
        self._most = max(most, self._least)
        self._next_block = 0
        #: Of workers that hold leases, and the sum of their images: kept, since each request asks for both.
        self._holdings: Dict[str, _Holding] = {}
        self._leased = 0
        self._reported: Dict[int, Set[int]] = {}
        self._suspects: Deque[int] = collections.deque()
        self._alone: Set[int] = set()
        self._proven = proven
        self._wanted: "collections.OrderedDict[str, int]" = collections.OrderedDict()

    @property
    def finished(self) -> bool:
        """Whether every image is done."""
        return not self.unleased and not self._suspects and not self._holdings

    def outstanding(self, worker: str) -> int:
        """Images that a worker holds leases on."""
        return self._held(worker).images

    def want(self, worker: str, images: int) -> List[Block]:
        """A worker can take that many more images. The request stands until a block answers it."""
        self._wanted[worker] = images
        return self._serve()

    def part_done(self, worker: str, block: int, start: int, stop: int, results: int) -> bool:
        """Images `start` to `stop - 1` of a block are done, with that many results.

        Returns:
            Whether they are; not when the worker does not hold that lease (any more).
        """
        holding = self._held(worker)
        if block not in holding.leases:
            return False
        reported = self._reported.setdefault(block, set())
        before = len(reported)
        reported.update(range(start, stop))
        holding.images -= len(reported) - before
        self._leased -= len(reported) - before
        self._proven = self._proven or results > 0
        return True

    def done(self, worker: str, block: int, results: int) -> Optional[List[Block]]:
        """A worker is through with a block, and has that many results.

        Returns:
            Leases that became possible; None when the worker does not hold that lease (any more).
        """
        lease = self._held(worker).leases.get(block)
        if lease is None:
            return None
        self._end(lease)
        self._alone.discard(block)
        self._proven = self._proven or results > 0
        return self._serve()

    def lost(self, worker: str, computing: Iterable[int] = ()) -> Tuple[List[int], List[Block]]:
        """A worker is gone; what it held goes to whoever asks, and what it was computing is suspect (NOTE [suspects]).

        Args:
            worker: who is gone.
            computing: indices it was computing.

        Returns:
            Convicted images, which are given up, and the leases that became possible.
        """
        self._wanted.pop(worker, None)
        suspected = set(computing)
        convicted: List[int] = []
        held = sorted(self._held(worker).leases.values(), key=lambda lease: lease.start)
        for lease in reversed(held):
            stop = lease.start + lease.count
            reported = self._end(lease)
            suspects = [index for index in range(lease.start, stop) if index in suspected and index not in reported]
            if self._proven and lease.block in self._alone:
                convicted += suspects
            else:
                self._suspects.extend(suspects)
            self._alone.discard(lease.block)
            for first, last in reversed(list(between(lease.start, stop, reported.union(suspects)))):
                self._todo.appendleft((first, last))
                self.unleased += last - first
        return convicted, self._serve()

    def stop(self) -> None:
        """Hands out nothing more."""
        self._fresh = iter(())
        self._todo.clear()
        self._suspects.clear()
        self._wanted.clear()
        self.unleased = 0

    def _serve(self) -> List[Block]:
        served = []
        for worker, images in list(self._wanted.items()):
            block = self._next(worker, images)
            if block is not None:
                del self._wanted[worker]
                served.append(block)
        return served

    def _next(self, worker: str, images: int) -> Optional[Block]:
        """The block a worker gets now, or None."""
        held = self._held(worker).leases
        if any(block in self._alone for block in held):
            return None
        if self._suspects and not held and (self._proven or not self._todo):
            index = self._suspects.popleft()
            block = self._lease(worker, index, 1)
            self._alone.add(block.block)
            return block
        count = min(images, self._block_size(worker)) if self._todo else 0
        if count <= 0:
            return None
        start, stop = self._todo.popleft()
        if stop - start > count:
            self._todo.appendleft((start + count, stop))
            stop = start + count
        self._refill()
        self.unleased -= stop - start
        return self._lease(worker, start, stop - start)

    def _refill(self) -> None:
        """Sees to it that a range lies ready, as long as there is any."""
        if not self._todo:
            self._todo.extend(itertools.islice(self._fresh, 1))

    def _block_size(self, worker: str) -> int:
        """How many images a worker may have now; 0 when it holds its share of the rest already."""
        held = self.outstanding(worker)
        rest = self.unleased + self._leased
        # Near the end a worker that has hoarded its share must wait, or the others would finish long before it.
        share = -(-rest // self._workers)
        room = share - held if held >= 2 * self._least else max(share - held, self._least)
        size = min(self._most, -(-self.unleased // (2 * self._workers)), room)
        if size <= 0:
            return 0
        return max(size - size % self._least, self._least)

    def _held(self, worker: str) -> _Holding:
        return self._holdings.get(worker) or _Holding()

    def _lease(self, worker: str, start: int, count: int) -> Block:
        block = Block(self._next_block, worker, start, count)
        self._next_block += 1
        holding = self._holdings.setdefault(worker, _Holding())
        holding.leases[block.block] = block
        holding.images += count
        self._leased += count
        return block

    def _end(self, lease: Block) -> Set[int]:
        """Takes a lease back; returns which of its images were reported."""
        reported = self._reported.pop(lease.block, set())
        left = lease.count - len(reported)
        holding = self._holdings[lease.worker]
        del holding.leases[lease.block]
        holding.images -= left
        self._leased -= left
        if not holding.leases:
            del self._holdings[lease.worker]
        return reported
