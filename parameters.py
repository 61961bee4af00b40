"""Types of the command line's parameters that click does not have."""

from __future__ import annotations

from typing import Any, Optional

import click


class Duration(click.ParamType):  # type: ignore[type-arg]
    """A time such as 90s, 10m or 1h; becomes seconds."""

    name = "TIME"

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> Any:
        """Seconds, as a float; fails with one sentence."""
        number, unit = str(value)[:-1], {"s": 1, "m": 60, "h": 3600}.get(str(value)[-1:])
        try:
            seconds = float(number) * unit if unit else 0.0
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            self.fail("a time such as 90s, 10m or 1h is wanted, not {!r}".format(value), param, ctx)
        return seconds


class BatchSize(click.ParamType):  # type: ignore[type-arg]
    """A number of frames, or "any"."""

    name = "N|any"

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> Any:
        """An int, or "any"; fails with one sentence."""
        if value == "any":
            return value
        return click.IntRange(1, 1024).convert(value, param, ctx)
