"""The frame queue of one worker: leases in, tickets out, frames in, batches out.

Pure: no socket, no thread, no clock of its own. Event methods take note; `follow` returns the commands that follow from all
events since the last call.

    lease ──> pieces ──Ask──> loader ──loaded──> cell ──Compute──> engine ──computed──> place free
                 ^               │                                     └──> writer ──written──> Done
                 └──loader_gone──┘

Which image is asked for next is `pieces.py`'s to say, who gets it `hands.py`'s, and where it goes `cells.py`'s.

NOTE [short]: frames of several shapes wait for their like, but only while the engine has one batch more than it can compute at
a time. With less, the most that there are of one shape become a short batch: else such frames would fill the memory, and
engine and loaders would wait for each other by turns. A cell that is being filled is cut only when nothing else is left to
do or to wait for.
"""

from __future__ import annotations

import math
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Set, Tuple

from ..messages import Failure, FrameFailed, FrameReady
from ..ranges import between
from .cells import Cells
from .commands import Ask, Command, Compute, Done, Frame, Part, Retired, Stuck, Want
from .hands import Hand, Hands, Ticket
from .pieces import Pieces


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


class FrameQueue:
    """The state of one worker's queue.

    Args:
        slots: frames that the shared memory holds; a multiple of `batch_size`.
        batch_size: frames the engine takes in one step.
        frame_bytes: bytes of the largest frame.
        deadline: seconds a loader may work on one image.
        block: images that make a whole block; so many are asked for at once, if they are more than the slots.
        report_every: seconds after which the finished part of a block is reported, though the block is not done.
        doomed: tells of an image in a run (NOTE [runs] in `pieces.py`) whether the rest of that run is a failure untried.
        streams: batches that the engine computes at the same time.
    """

    def __init__(
        self,
        slots: int,
        batch_size: int,
        frame_bytes: int,
        deadline: float,
        block: int = 1,
        report_every: float = math.inf,
        doomed: Callable[[int], bool] = lambda index: False,
        streams: int = 1,
    ) -> None:
        self.slots = slots
        self.failed = 0
        self._ahead = max(slots, block)
        self._report_every = report_every
        self._doomed = doomed
        self._streams = streams
        self._reported_at: Optional[float] = None
        self._cells = Cells(slots, batch_size, frame_bytes)
        self._hands = Hands(deadline, slots)
        self._pieces = Pieces()
        self._too_large: List[Ticket] = []
        self._wanted = False
        self._tickets = 0
        self._batches: Dict[int, Compute] = {}
        self._computing = self._at_engine = 0
        self._next_batch = 0
        self._blocks: Dict[int, _Block] = {}
        self._draining = False
        self._commands: List[Command] = []

    @property
    def loaders(self) -> int:
        """Loaders at work."""
        return len(self._hands)

    @property
    def waiting(self) -> int:
        """Decoded frames that wait for the engine or are with it."""
        return self._at_engine + self._cells.waiting

    @property
    def has_work(self) -> bool:
        """Whether any image is between lease and result."""
        return bool(self._blocks)

    @property
    def feeds(self) -> bool:
        """Whether any image is on its way to the engine or with it; else all that is left to do is to write."""
        on_the_way = bool(len(self._pieces) or self._too_large) or not self._hands.empty
        return self._at_engine > 0 or (on_the_way and not self._draining)

    @property
    def at_rest(self) -> bool:
        """Whether nothing is being computed or written (decoding does not count)."""
        return not self._batches

    @property
    def is_hard_up(self) -> bool:
        """Whether the next thing to do waits for the engine to be through with a batch."""
        return bool(self._batches) and (not self._cells.any_free or self._hands.empty or self._cells.waiting > 0)

    # --- events

    def lease(self, block: int, start: int, count: int, runs: Iterable[Tuple[int, int]] = ()) -> None:
        """The dispatcher leases images `start` to `start + count - 1`; `runs` of them are frames of one video each."""
        self._wanted = False
        self._pieces.add(block, start, start + count, runs)
        self._blocks[block] = _Block(start, count)
        self.give_up()

    def give_up(self) -> None:
        """`doomed` says more than it did: what is left of those runs fails."""
        reason = "not tried: loaders ended while decoding another frame of this video."
        for image in self._pieces.drop(self._doomed):
            self._image_over(image.block, image.index, Failure(image.index, "crash", reason))
        for ticket in self._hands.drop_suspects(self._doomed):
            self._fail(ticket, "crash", reason)
        for ticket in [ticket for ticket in self._too_large if self._doomed(ticket.index)]:
            self._too_large.remove(ticket)
            self._image_over(ticket.block, ticket.index, Failure(ticket.index, "crash", reason))

    def loader_up(self, loader: str) -> None:
        """A loader is there."""
        self._hands.up(loader)

    def loader_gone(self, loader: str, how: str) -> List[int]:
        """A loader's process has ended; what it held is asked for again, or given up.

        Returns:
            The images that are convicted, and failures from now on.
        """
        if self._hands.of(loader) is None:
            return []
        self._pieces.release(loader)
        convicted = self._hands.gone(loader)
        for ticket in convicted:
            reason = "a loader ended while it held this image, and another one while it tried it alone ({}).".format(
                how
            )
            self._fail(ticket, "crash", reason)
        return [ticket.index for ticket in convicted]

    def retire(self, loader: str) -> None:
        """A loader gets no more tickets; it is named as `Retired` once it holds none."""
        hand = self._hands.of(loader)
        if hand is not None:
            hand.retiring = True
            self._pieces.release(loader)
            self._retired(hand)

    def loaded(
        self,
        loader: str,
        ready: Sequence[FrameReady],
        failed: Sequence[FrameFailed],
        too_large: Sequence[int],
        seconds: float,
        now: float,
    ) -> None:
        """A loader is through with some tickets.

        Args:
            loader: its name.
            ready: frames that are in their places.
            failed: images that cannot be decoded.
            too_large: tickets whose frames do not fit into their places.
            seconds: the time it took for all of them.
            now: the time.
        """
        hand = self._hands.of(loader)
        if hand is None:
            return
        self._hands.learn(len(ready) + len(failed) + len(too_large) or 1, seconds)
        for frame in ready:
            ticket = self._hands.take_back(loader, frame.ticket, now)
            if ticket is not None:
                place = ticket.place
                self._compute_all(
                    self._cells.ready(Frame(ticket.index, ticket.block, place.cell, place.offset, *frame[1:]))
                )
        for failure in failed:
            ticket = self._hands.take_back(loader, failure.ticket, now)
            if ticket is not None:
                self._fail(ticket, failure.kind, failure.reason)
        for number in too_large:
            ticket = self._hands.take_back(loader, number, now)
            if ticket is not None:
                self._compute_all(self._cells.too_large(ticket.place))
                self._too_large.append(ticket)
        self._retired(hand)

    def computed(self, number: int) -> None:
        """The engine needs the frames of a batch no more."""
        self._computing -= 1
        self._at_engine -= len(self._batches[number].frames)
        for frame in self._batches[number].frames:
            self._cells.release(frame.cell)

    def written(self, number: int, failures: List[Failure]) -> None:
        """Each image of a batch has its result in place, or is among `failures`."""
        failed = {failure.index: failure for failure in failures}
        for frame in self._batches.pop(number).frames:
            self._image_over(frame.block, frame.index, failed.get(frame.index))

    def drain(self) -> None:
        """From now on asks for nothing more; what is being computed is still written. Reports what is done so far."""
        self._draining = True
        self._report()

    def dropped(self, number: int) -> None:
        """After `drain`: the engine passes a batch over that it had not begun."""
        self._at_engine -= len(self._batches.pop(number).frames)

    def give_back(self) -> None:
        """After `drain`, once `at_rest`: reports what is done of each lease, and gives the rest back."""
        self._commands += [Done(number, block.parts()) for number, block in sorted(self._blocks.items())]
        self._blocks.clear()
        self._hands.forget()

    def tick(self, now: float) -> None:
        """Time has passed; names each stuck loader once, and reports parts of blocks when it is time."""
        if self._reported_at is None:
            self._reported_at = now
        if now - self._reported_at >= self._report_every and not self._draining:
            self._reported_at = now
            self._report()
        for name in self._hands.stuck(now):
            self._pieces.release(name)
            self._commands.append(Stuck(name))

    # --- what follows

    def follow(self, now: float) -> List[Command]:
        """The commands that follow from all events since the last call."""
        if not self._draining:
            self._ask(now)
            self._flush()
            if not self._wanted and len(self._pieces) < self.slots:
                self._wanted = True
                self._commands.append(Want(self._ahead - len(self._pieces)))
        commands, self._commands = self._commands, []
        return commands

    def _ask(self, now: float) -> None:
        first: Optional[Hand] = None
        credit = self._hands.credit
        for hand in self._hands.hungry():
            before = len(self._commands)
            if self._hands.any_suspect:
                suspect = self._hands.suspect_for(hand)
                if suspect is not None:
                    self._give(hand, suspect, now)
            else:
                while len(hand.tickets) < credit and not hand.closed:
                    ticket = self._next_ticket(hand)
                    if ticket is None:
                        break
                    self._give(hand, ticket, now)
            if first is None and len(self._commands) > before:
                first = hand
        if first is not None:
            self._hands.served_first(first)

    def _give(self, hand: Hand, ticket: Ticket, now: float) -> None:
        self._tickets += 1
        ticket.number = self._tickets
        self._hands.give(hand, ticket, now)
        self._commands.append(Ask(hand.loader, ticket.number, ticket.index, ticket.place.offset, ticket.place.room))

    def _next_ticket(self, hand: Hand) -> Optional[Ticket]:
        if not self._cells.any_free:
            return None
        if self._too_large:
            if self._too_large[0].attempts:
                if hand.tickets:
                    return None
                hand.alone = True
            ticket = self._too_large.pop(0)
            ticket.place = self._cells.take()
            return ticket
        following = self._pieces.take(hand.loader, hungry=not self._computing)
        if following is None:
            return None
        return Ticket(0, following.index, following.block, self._cells.take())

    def _retired(self, hand: Hand) -> None:
        if hand.retiring and not hand.tickets:
            self._commands.append(Retired(hand.loader))

    def _fail(self, ticket: Ticket, kind: str, reason: str) -> None:
        self._compute_all(self._cells.failed(ticket.place))
        self._image_over(ticket.block, ticket.index, Failure(ticket.index, kind, reason))

    def _flush(self) -> None:
        """Computes short batches when the engine would wait otherwise (NOTE [short])."""
        if not self._computing and self._hands.empty:
            self._compute_all(self._cells.cut())
        while self._computing <= self._streams and self._cells.waiting:
            self._compute_all(self._cells.leftovers())

    def _compute_all(self, batches: List[List[Frame]]) -> None:
        for frames in batches:
            batch = Compute(self._next_batch, tuple(frames))
            self._next_batch += 1
            self._batches[batch.number] = batch
            self._computing += 1
            self._at_engine += len(frames)
            self._commands.append(batch)

    def _report(self) -> None:
        reports = [Done(number, block.parts(), over=False) for number, block in sorted(self._blocks.items())]
        self._commands += [report for report in reports if report.parts]

    def _image_over(self, number: int, index: int, failure: Optional[Failure]) -> None:
        block = self._blocks[number]
        block.left.remove(index)
        if failure is not None:
            block.failures.append(failure)
            self.failed += 1
        if not block.left:
            del self._blocks[number]
            self._commands.append(Done(number, block.parts()))
