"""Names and shapes in sentences for people."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

_LISTED = 6


def shown(names: Sequence[str]) -> str:
    """Some names and how many more there are."""
    text = ", ".join(names[:_LISTED])
    return text if len(names) <= _LISTED else "{} and {} more".format(text, len(names) - _LISTED)


def shape_text(shape: Optional[Tuple[Optional[int], ...]]) -> str:
    """A shape: "[?, ?, 3]"."""
    if shape is None:
        return "of any shape"
    return "[{}]".format(", ".join("?" if size is None else str(size) for size in shape))
