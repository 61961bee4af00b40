"""What each loader has in hand: the tickets it holds, how many it may hold, and what is suspected of having taken one down.

Pure.

NOTE [hand]: a loader holds as many tickets as keep it busy for some fifty milliseconds, at least two: the image it works on
and the next, so that it never waits for an answer. It answers several at once, so when it dies any ticket it held may be at
fault. They are suspects, and each is tried alone: by a loader that holds nothing else. One that takes that loader down too
is convicted.
"""

from __future__ import annotations

import collections
import math
from typing import Callable, Deque, Iterator, List, Optional

from .cells import Place

#: Tickets a loader holds at least, and at most.
LEAST, MOST = 2, 32
#: Seconds of work in a loader's hand. A message wakes three threads, each of which costs a tenth of a millisecond and more on a
#: virtual machine; so one is sent for some images, not for each.
_SECONDS = 0.05
#: How many loaders an image may take down before it is recorded as a failure.
ATTEMPTS = 2


class Ticket:
    """One image on its way through a loader. `attempts`: loaders that ended while they held it."""

    __slots__ = ("number", "index", "block", "place", "attempts")

    def __init__(self, number: int, index: int, block: int, place: Place) -> None:
        self.number = number
        self.index = index
        self.block = block
        self.place = place
        self.attempts = 0


class Hand:
    """A loader's tickets.

    Attributes:
        loader: its name.
        tickets: what it holds, in the order it works on them.
        since: when it began the first.
        alone: whether it tries a suspect.
        reported: named as stuck; it gets no more tickets.
        retiring: it gets no more tickets, and goes when it holds none.
    """

    def __init__(self, loader: str) -> None:
        self.loader = loader
        self.tickets: "collections.OrderedDict[int, Ticket]" = collections.OrderedDict()
        self.since = 0.0
        self.alone = False
        self.reported = False
        self.retiring = False

    @property
    def closed(self) -> bool:
        """Whether it gets nothing more, for now or for ever."""
        return self.alone or self.reported or self.retiring


class Hands:
    """The hands of all loaders of a worker.

    Args:
        deadline: seconds a loader may work on one image.
        slots: frames there is memory for, which the loaders share.
    """

    def __init__(self, deadline: float, slots: int) -> None:
        self._deadline = deadline
        self._slots = slots
        self._hands: "collections.OrderedDict[str, Hand]" = collections.OrderedDict()
        self._suspects: Deque[Ticket] = collections.deque()
        self._seconds: Optional[float] = None

    def __len__(self) -> int:
        return len(self._hands)

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for, and nothing is to be tried again."""
        return not self._suspects and not any(hand.tickets for hand in self._hands.values())

    @property
    def credit(self) -> int:
        """Tickets a loader may hold now."""
        fair = max(LEAST, self._slots // (2 * max(1, len(self._hands))))
        if not self._seconds:
            return LEAST
        return min(max(LEAST, 1 + math.ceil(_SECONDS / self._seconds)), MOST, fair)

    def up(self, loader: str) -> None:
        """A loader is there."""
        self._hands[loader] = Hand(loader)

    def of(self, loader: str) -> Optional[Hand]:
        """A loader's hand; None when there is no such loader (any more)."""
        return self._hands.get(loader)

    def gone(self, loader: str) -> List[Ticket]:
        """A loader has ended. Its tickets become suspects; returns those that are convicted instead."""
        hand = self._hands.pop(loader)
        for ticket in hand.tickets.values():
            ticket.attempts += 1
        self._suspects.extendleft(
            ticket for ticket in reversed(list(hand.tickets.values())) if ticket.attempts < ATTEMPTS
        )
        return [ticket for ticket in hand.tickets.values() if ticket.attempts >= ATTEMPTS]

    def drop_suspects(self, doomed: Callable[[int], bool]) -> List[Ticket]:
        """Takes out the suspects that are failures untried."""
        dropped = [ticket for ticket in self._suspects if doomed(ticket.index)]
        self._suspects = collections.deque(ticket for ticket in self._suspects if not doomed(ticket.index))
        return dropped

    def hungry(self) -> Iterator[Hand]:
        """The hands that may get tickets now; whoever was served first comes last the next time."""
        credit = self.credit
        for hand in list(self._hands.values()):
            if not hand.closed and len(hand.tickets) <= credit // 2:
                yield hand

    def served_first(self, hand: Hand) -> None:
        """So that few images spread over all loaders."""
        self._hands.move_to_end(hand.loader)

    def suspect_for(self, hand: Hand) -> Optional[Ticket]:
        """The suspect that this loader is to try now; None when it holds something else, or another one tries one.

        One after the other: of a video that takes loaders down many frames may be suspects, and the first conviction is enough.
        """
        if hand.tickets or not self._suspects or any(other.alone for other in self._hands.values()):
            return None
        hand.alone = True
        return self._suspects.popleft()

    @property
    def any_suspect(self) -> bool:
        """Whether suspects wait; until they are tried no loader gets anything else."""
        return bool(self._suspects)

    @staticmethod
    def give(hand: Hand, ticket: Ticket, now: float) -> None:
        """A ticket goes to a loader."""
        if not hand.tickets:
            hand.since = now
        hand.tickets[ticket.number] = ticket

    def take_back(self, loader: str, number: int, now: float) -> Optional[Ticket]:
        """The ticket that a loader hands back; None when it does not hold it."""
        hand = self._hands.get(loader)
        if hand is None or number not in hand.tickets:
            return None
        hand.since = now
        hand.alone = False
        return hand.tickets.pop(number)

    def learn(self, images: int, seconds: float) -> None:
        """So long have so many images taken a loader."""
        mean = seconds / images
        # The first ones are slow, since libraries are loaded and files are cold; they are forgotten by eighths.
        self._seconds = mean if self._seconds is None else self._seconds + (mean - self._seconds) / 8

    def stuck(self, now: float) -> Iterator[str]:
        """Names each loader once that has held a ticket for too long."""
        for name, hand in self._hands.items():
            if hand.tickets and not hand.reported and now - hand.since > self._deadline:
                hand.reported = True
                yield name

    def forget(self) -> None:
        """What loaders still say comes too late."""
        self._suspects.clear()
        for hand in self._hands.values():
            hand.tickets.clear()
