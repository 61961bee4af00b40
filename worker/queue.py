"""The frame queue of one worker: leases in, tickets out, frames in, batches out.

Pure: no socket, no thread, no clock of its own. Each event method returns the commands that follow from it.

    lease ──> pieces ──Ask──> loader ──frame_ready──> cell ──Compute──> engine ──computed──> slot free
                 ^                │                                        └──> writer ──written──> Done
                 └──loader_gone───┘

NOTE [cells]: the slots are divided into cells of one batch each, and the images of a cell are asked for in order, so that a
full cell of one shape lies side by side and is handed to the engine as a view. Frames of a cell with several shapes wait
in `_leftovers` for others of their shape. Cells, not single slots, because loaders finish out of order: a batch made of the
first frames that happen to be ready would rarely lie side by side. Which image is asked for next is `pieces.py`'s to say.
"""

from __future__ import annotations

import collections
import math
from typing import Callable, Deque, Dict, Iterable, List, Optional, Set, Tuple

from ..messages import Failure
from ..ranges import between
from .commands import Ask, Command, Compute, Convicted, Done, Frame, Part, Retired, Stuck, Want
from .pieces import Pieces

#: Tickets a loader holds: the image it works on and the next, so that it never waits for an answer.
CREDIT = 2
#: How many loaders an image may take down before it is recorded as a failure.
ATTEMPTS = 2


class _Ticket:
    """One image on its way through a loader."""

    __slots__ = ("number", "index", "block", "slot", "attempts")

    def __init__(self, number: int, index: int, block: int, slot: int) -> None:
        self.number = number
        self.index = index
        self.block = block
        self.slot = slot
        self.attempts = 0


class _Block:
    """A lease: the images that are not over yet, those that were reported, and the failures among the others."""

    def __init__(self, start: int, count: int) -> None:
        self.start = start
        self.stop = start + count
        self.left = set(range(start, start + count))
        self.reported: Set[int] = set()
        self.failures: List[Failure] = []

    def parts(self) -> List[Part]:
        """What is done of it and was not reported before, as ranges."""
        parts = [
            Part(start, stop, [failure for failure in self.failures if start <= failure.index < stop])
            for start, stop in between(self.start, self.stop, self.left | self.reported)
        ]
        self.failures = []
        for part in parts:
            self.reported.update(range(part.start, part.stop))
        return parts


class _Loader:
    """A loader and the tickets it holds, in the order it works on them.

    Attributes:
        since: when it began the first.
        reported: named as stuck; it gets no more tickets.
        retiring: it gets no more tickets, and goes when it holds none.
    """

    def __init__(self) -> None:
        self.tickets: Deque[_Ticket] = collections.deque()
        self.since = 0.0
        self.reported = False
        self.retiring = False


class _Cell:
    """The slots of one batch. `asked`: slots handed out; `open`: frames awaited; `held`: slots in use."""

    __slots__ = ("asked", "open", "held", "frames")

    def __init__(self) -> None:
        self.asked = self.open = self.held = 0
        self.frames: List[Frame] = []


class FrameQueue:
    """The state of one worker's queue.

    Args:
        slots: frames that the shared memory holds; a multiple of `batch_size`.
        batch_size: frames the engine takes in one step.
        deadline: seconds a loader may work on one image.
        block: images that make a whole block; so many are asked for at once, if they are more than the slots.
        report_every: seconds after which the finished part of a block is reported, though the block is not done.
        doomed: tells of an image in a run (NOTE [runs] in `pieces.py`) whether the rest of that run is a failure untried.
    """

    def __init__(
        self,
        slots: int,
        batch_size: int,
        deadline: float,
        block: int = 1,
        report_every: float = math.inf,
        doomed: Callable[[int], bool] = lambda index: False,
    ) -> None:
        if slots < batch_size or slots % batch_size:
            raise ValueError("{} slots do not divide into batches of {}".format(slots, batch_size))
        self.slots = slots
        self.batch_size = batch_size
        self._deadline = deadline
        self._ahead = max(slots, block)
        self._report_every = report_every
        self._doomed = doomed
        self._reported_at: Optional[float] = None
        self._cells = [_Cell() for _ in range(slots // batch_size)]
        self._free: Deque[int] = collections.deque(range(len(self._cells)))
        self._filling: Optional[int] = None
        self._pieces = Pieces()
        self._again: Deque[_Ticket] = collections.deque()
        self._wanted = False
        self._loaders: "collections.OrderedDict[str, _Loader]" = collections.OrderedDict()
        self._tickets = 0
        self._leftovers: Dict[Tuple[int, int], List[Frame]] = {}
        self._batches: Dict[int, Compute] = {}
        self._computing = 0
        self._next_batch = 0
        self._blocks: Dict[int, _Block] = {}
        self._draining = False
        self.failed = 0

    @property
    def loaders(self) -> int:
        """Loaders at work."""
        return len(self._loaders)

    @property
    def waiting(self) -> int:
        """Decoded frames that wait for the engine or are with it."""
        in_batches = sum(len(batch.frames) for batch in self._batches.values())
        return in_batches + sum(len(frames) for frames in self._leftovers.values())

    @property
    def has_work(self) -> bool:
        """Whether any image is between lease and result."""
        return bool(self._blocks)

    @property
    def at_rest(self) -> bool:
        """Whether nothing is being computed or written (decoding does not count)."""
        return not self._batches

    # --- events

    def start(self) -> List[Command]:
        """The worker is set up; its engine may still be loading."""
        return self._go_on(0.0)

    def lease(
        self, block: int, start: int, count: int, now: float, runs: Iterable[Tuple[int, int]] = ()
    ) -> List[Command]:
        """The dispatcher leases images `start` to `start + count - 1`; `runs` of them are frames of one video each."""
        self._wanted = False
        self._pieces.add(block, start, start + count, runs)
        self._blocks[block] = _Block(start, count)
        return self.give_up(now)

    def give_up(self, now: float) -> List[Command]:
        """`doomed` says more than it did: what is left of those runs fails."""
        commands: List[Command] = []
        for image in self._pieces.drop(self._doomed):
            failure = Failure(
                image.index, "crash", "not tried: loaders ended while decoding another frame of this video."
            )
            commands += self._image_over(image.block, image.index, failure)
        return commands + self._go_on(now)

    def loader_up(self, loader: str, now: float) -> List[Command]:
        """A loader is there."""
        self._loaders[loader] = _Loader()
        return self._go_on(now)

    def loader_gone(self, loader: str, how: str, now: float) -> List[Command]:
        """A loader's process has ended; what it held is asked for again, or given up."""
        gone = self._loaders.pop(loader, None)
        if gone is None:
            return []
        self._pieces.release(loader)
        commands: List[Command] = []
        for ticket in reversed(gone.tickets):
            if ticket is gone.tickets[0]:
                ticket.attempts += 1
            if ticket.attempts >= ATTEMPTS:
                reason = "{} loaders ended while decoding this image (the last one: {}).".format(ATTEMPTS, how)
                commands += self._fail(ticket, "crash", reason) + [Convicted(ticket.index)]
            else:
                self._again.appendleft(ticket)
        return commands + self._go_on(now)

    def retire(self, loader: str) -> List[Command]:
        """A loader gets no more tickets; it is named as `Retired` once it holds none."""
        holder = self._loaders.get(loader)
        if holder is None:
            return []
        holder.retiring = True
        self._pieces.release(loader)
        return self._retired(loader)

    def frame_ready(
        self, loader: str, number: int, height: int, width: int, image_height: int, image_width: int, now: float
    ) -> List[Command]:
        """A loader has filled the slot of a ticket."""
        ticket = self._returned(loader, number, now)
        if ticket is None:
            return []
        commands = self._retired(loader)
        cell = self._cells[ticket.slot // self.batch_size]
        cell.open -= 1
        frame = Frame(ticket.index, ticket.block, ticket.slot, height, width, image_height, image_width)
        cell.frames.append(frame)
        return commands + self._close_cell(ticket.slot // self.batch_size) + self._go_on(now)

    def frame_failed(self, loader: str, number: int, kind: str, reason: str, now: float) -> List[Command]:
        """A loader cannot decode the image of a ticket."""
        ticket = self._returned(loader, number, now)
        if ticket is None:
            return []
        return self._retired(loader) + self._fail(ticket, kind, reason) + self._go_on(now)

    def computed(self, number: int, now: float) -> List[Command]:
        """The engine needs the frames of a batch no more."""
        self._computing -= 1
        for frame in self._batches[number].frames:
            self._release(frame.slot)
        return self._go_on(now)

    def written(self, number: int, failures: List[Failure], now: float) -> List[Command]:
        """Each image of a batch has its result in place, or is among `failures`."""
        failed = {failure.index: failure for failure in failures}
        commands: List[Command] = []
        for frame in self._batches.pop(number).frames:
            commands += self._image_over(frame.block, frame.index, failed.get(frame.index))
        return commands + self._go_on(now)

    def drain(self) -> List[Command]:
        """From now on asks for nothing more; what is being computed is still written. Reports what is done so far."""
        self._draining = True
        return self._parts()

    def dropped(self, number: int) -> None:
        """After `drain`: the engine passes a batch over that it had not begun."""
        del self._batches[number]

    def give_back(self) -> List[Command]:
        """After `drain`, once `at_rest`: reports what is done of each lease, and gives the rest back."""
        commands: List[Command] = [Done(number, block.parts()) for number, block in sorted(self._blocks.items())]
        self._blocks.clear()
        # What loaders still say of these images comes too late.
        for loader in self._loaders.values():
            loader.tickets.clear()
        return commands

    def tick(self, now: float) -> List[Command]:
        """Time has passed; names each stuck loader once, and reports parts of blocks when it is time."""
        commands: List[Command] = self._report(now)
        for name, loader in self._loaders.items():
            if loader.tickets and not loader.reported and now - loader.since > self._deadline:
                loader.reported = True
                self._pieces.release(name)
                commands.append(Stuck(name))
        return commands

    def _report(self, now: float) -> List[Command]:
        if self._reported_at is None:
            self._reported_at = now
        if now - self._reported_at < self._report_every or self._draining:
            return []
        self._reported_at = now
        return self._parts()

    def _parts(self) -> List[Command]:
        reports = [Done(number, block.parts(), over=False) for number, block in sorted(self._blocks.items())]
        return [report for report in reports if report.parts]

    # --- what follows

    def _go_on(self, now: float) -> List[Command]:
        if self._draining:
            return []
        commands: List[Command] = []
        for name, loader in self._loaders.items():
            while len(loader.tickets) < CREDIT and not loader.reported and not loader.retiring:
                ticket = self._next_ticket(name)
                if ticket is None:
                    break
                if not loader.tickets:
                    loader.since = now
                loader.tickets.append(ticket)
                commands.append(Ask(name, ticket.number, ticket.index, ticket.slot))
        # Whoever was served first now goes last, so that few images spread over all loaders.
        if commands:
            self._loaders.move_to_end(commands[0].loader)  # type: ignore[union-attr]
        commands += self._flush()
        if not self._wanted and len(self._pieces) < self.slots:
            self._wanted = True
            commands.append(Want(self._ahead - len(self._pieces)))
        return commands

    def _next_ticket(self, loader: str) -> Optional[_Ticket]:
        if self._again:
            ticket = self._again.popleft()
            self._tickets += 1
            ticket.number = self._tickets
            return ticket
        if self._filling is None and not self._free:
            return None
        following = self._pieces.take(loader, hungry=not self._computing)
        if following is None:
            return None
        if self._filling is None:
            self._filling = self._free.popleft()
        cell = self._cells[self._filling]
        slot = self._filling * self.batch_size + cell.asked
        cell.asked += 1
        cell.open += 1
        cell.held += 1
        if cell.asked == self.batch_size:
            self._filling = None
        self._tickets += 1
        return _Ticket(self._tickets, following.index, following.block, slot)

    def _retired(self, loader: str) -> List[Command]:
        holder = self._loaders[loader]
        return [Retired(loader)] if holder.retiring and not holder.tickets else []

    def _returned(self, loader: str, number: int, now: float) -> Optional[_Ticket]:
        """The ticket that a loader hands back; None when it is not the one it works on."""
        holder = self._loaders.get(loader)
        if holder is None or not holder.tickets or holder.tickets[0].number != number:
            return None
        holder.since = now
        return holder.tickets.popleft()

    def _fail(self, ticket: _Ticket, kind: str, reason: str) -> List[Command]:
        self._cells[ticket.slot // self.batch_size].open -= 1
        self._release(ticket.slot)
        commands = self._image_over(ticket.block, ticket.index, Failure(ticket.index, kind, reason))
        return commands + self._close_cell(ticket.slot // self.batch_size)

    def _close_cell(self, number: int) -> List[Command]:
        """Sends the frames of a cell on, once all that were asked for have come."""
        cell = self._cells[number]
        if cell.open or number == self._filling or not cell.frames:
            return []
        frames, cell.frames = sorted(cell.frames, key=lambda frame: frame.slot), []
        if len({(frame.height, frame.width) for frame in frames}) == 1:
            return [self._compute(frames)]
        commands: List[Command] = []
        for frame in frames:
            waiting = self._leftovers.setdefault((frame.height, frame.width), [])
            waiting.append(frame)
            if len(waiting) == self.batch_size:
                commands.append(self._compute(self._leftovers.pop((frame.height, frame.width))))
        return commands

    def _flush(self) -> List[Command]:
        """Computes short batches when nothing else is left to do or to wait for; without this, leftovers would hold up all."""
        if self._computing or self._again or any(loader.tickets for loader in self._loaders.values()):
            return []
        if self._filling is not None:
            number, self._filling = self._filling, None
            self._free_if_empty(number)
            commands = self._close_cell(number)
            if commands:
                return commands
        if not self._leftovers:
            return []
        shape = max(self._leftovers, key=lambda shape: len(self._leftovers[shape]))
        return [self._compute(self._leftovers.pop(shape))]

    def _compute(self, frames: List[Frame]) -> Compute:
        batch = Compute(self._next_batch, tuple(frames))
        self._next_batch += 1
        self._batches[batch.number] = batch
        self._computing += 1
        return batch

    def _release(self, slot: int) -> None:
        number = slot // self.batch_size
        self._cells[number].held -= 1
        self._free_if_empty(number)

    def _free_if_empty(self, number: int) -> None:
        if not self._cells[number].held and number != self._filling:
            self._cells[number] = _Cell()
            self._free.append(number)

    def _image_over(self, number: int, index: int, failure: Optional[Failure]) -> List[Command]:
        block = self._blocks[number]
        block.left.remove(index)
        if failure is not None:
            block.failures.append(failure)
            self.failed += 1
        if block.left:
            return []
        del self._blocks[number]
        return [Done(number, block.parts())]
