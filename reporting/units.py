"""Figures as a page says them, with their units; a terminal, with less room, has `monitor/words.py`."""

from __future__ import annotations

import datetime
import time
from typing import Optional

_GIBI = float(1 << 30)


def share_text(share: Optional[float]) -> str:
    """A share for people."""
    return "–" if share is None else "{:.1f} %".format(100 * share)


def size_text(size: Optional[float]) -> str:
    """A size for people."""
    return "–" if size is None else "{:.1f} GiB".format(size / _GIBI)


def duration_text(seconds: float) -> str:
    """A time for people: "12.3 s", "1:02:03"."""
    return "{:.1f} s".format(seconds) if seconds < 600 else str(datetime.timedelta(seconds=round(seconds)))


def moment_text(seconds: float) -> str:
    """A time since 1970 for people, in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(seconds))
