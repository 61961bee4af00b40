"""How often something may be started again, and how long to wait before: no restart loops for ever."""

from __future__ import annotations

import math
from typing import Optional


class RestartBudget:
    """Restarts of one process.

    The pause doubles with each restart in a row up to the longest one; progress makes the budget whole again.

    Args:
        allowed: restarts without progress between them.
        first_pause: seconds before the first restart.
        longest_pause: seconds that no pause exceeds.
    """

    def __init__(self, allowed: int, first_pause: float, longest_pause: float = math.inf) -> None:
        self._allowed = allowed
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._spent = 0

    def spend(self) -> Optional[float]:
        """Takes one restart. Returns the pause before it, seconds, or None when there is none left."""
        if self._spent >= self._allowed:
            return None
        self._spent += 1
        return float(min(self._longest_pause, self._first_pause * 2 ** (self._spent - 1)))

    def progress(self) -> None:
        """Something was achieved since the last restart."""
        self._spent = 0
