"""Figures as people read them."""

from __future__ import annotations

import datetime
import math
from typing import List, Optional, Sequence

#: Eighths of a character, from the bottom; and what stands for them where there is nothing but ASCII.
_BLOCKS, _ASCII_BLOCKS = "▁▂▃▄▅▆▇█", "_.-:=+*#"
_GIB = 2**30


def percent(share: Optional[float]) -> str:
    """As "97%"; "-" when unknown. Nothing below 1 is 100 %."""
    if share is None:
        return "-"
    return "{:.0f}%".format(min(99.0, 100 * share) if share < 1 else 100)


def percent_done(done: int, images: int) -> float:
    """As 99.9, rounded down: nothing but all of them is 100."""
    return math.floor(1000 * done / images) / 10 if images else 100.0


def rate(per_second: Optional[float]) -> str:
    """As "12.3"; "-" when unknown."""
    return "-" if per_second is None else "{:,.{}f}".format(per_second, 1 if per_second < 1000 else 0)


def duration(seconds: Optional[float]) -> str:
    """As "1:02:03"; "-:--:--" when unknown."""
    return "-:--:--" if seconds is None else str(datetime.timedelta(seconds=int(seconds)))


def gibibytes(size: float) -> str:
    """As "12.3", without its unit."""
    return "{:.{}f}".format(size / _GIB, 1 if size < 100 * _GIB else 0)


def sparkline(shares: Sequence[Optional[float]], width: int, plain: bool = False) -> str:
    """Shares, 0 to 1, as a row of blocks of different height.

    Args:
        shares: one a step; a step of which nothing is known is a blank.
        width: characters; each is the mean of its steps, or the last steps have one each.
        plain: ASCII only.

    Returns:
        `width` characters at most.
    """
    blocks = _ASCII_BLOCKS if plain else _BLOCKS
    together = max(1, -(-len(shares) // max(1, width)))
    # Grouped from the begin, so that only the last block changes while time goes on.
    groups = [shares[at : at + together] for at in range(0, len(shares), together)]
    return "".join(_block(group, blocks) for group in groups[-width:])


def _block(group: Sequence[Optional[float]], blocks: str) -> str:
    known: List[float] = [share for share in group if share is not None]
    if not known:
        return " "
    return blocks[min(len(blocks) - 1, int(len(blocks) * sum(known) / len(known)))]
