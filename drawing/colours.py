"""A colour a class that people tell apart, also those who do not see red and green alike."""

from __future__ import annotations

from typing import Tuple

Colour = Tuple[int, int, int]

#: BGR, in turn by class id. Of Okabe and Ito, "Color Universal Design" (2008), without their black, which is the casing's.
PALETTE: Tuple[Colour, ...] = (
    (233, 180, 86),  # sky blue
    (0, 159, 230),  # orange
    (115, 158, 0),  # bluish green
    (66, 228, 240),  # yellow
    (167, 121, 204),  # reddish purple
    (0, 94, 213),  # vermilion
    (178, 114, 0),  # blue
)
DARK: Colour = (20, 20, 20)
LIGHT: Colour = (250, 250, 250)
#: Above this a colour is light, 0 to 255.
_LIGHT_FROM = 110.0


def colour_of(category_id: int) -> Colour:
    """The colour of a class, BGR.

    Args:
        category_id: its id, from 1.
    """
    return PALETTE[(int(category_id) - 1) % len(PALETTE)]


def ink_on(colour: Colour) -> Colour:
    """DARK or LIGHT, whichever is easier to read on a colour, by its luma (ITU-R BT.601)."""
    blue, green, red = colour
    return DARK if 0.114 * blue + 0.587 * green + 0.299 * red > _LIGHT_FROM else LIGHT
