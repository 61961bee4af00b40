"""How large a frame is, and how its boxes get back to the image. Plain numbers: no OpenCV, for everyone's use."""

from __future__ import annotations

from typing import Tuple

from .errors import ConfigError


def target_size(height: int, width: int, short_edge_size: int, max_size: int) -> Tuple[int, int]:
    """The size of the frame that an image becomes.

    The short edge becomes `short_edge_size`; when the long edge then exceeds `max_size`, both shrink until it does not.

    Args:
        height: pixels of the image, at least 1.
        width: pixels of the image, at least 1.
        short_edge_size: pixels, at least 1.
        max_size: pixels, at least 1.

    Returns:
        Height and width of the frame, pixels, each at least 1.
    """
    # The order of these operations is that of 2019 (tensorpack's CustomResize): another order rounds some sizes differently.
    scale = short_edge_size * 1.0 / min(height, width)
    new_height: float
    new_width: float
    if height < width:
        new_height, new_width = short_edge_size, scale * width
    else:
        new_height, new_width = scale * height, short_edge_size
    if max(new_height, new_width) > max_size:
        scale = max_size * 1.0 / max(new_height, new_width)
        new_height = new_height * scale
        new_width = new_width * scale
    # An image such as 3000 x 1 would come out with no height at all, and OpenCV refuses that.
    return max(1, int(new_height + 0.5)), max(1, int(new_width + 0.5))


def frame_scale(height: int, width: int, new_height: int, new_width: int) -> float:
    """The one scale kept for an image: a box in the frame divided by it is the box in the image.

    Args:
        height: pixels of the image.
        width: pixels of the image.
        new_height: pixels of the frame.
        new_width: pixels of the frame.
    """
    return (new_height * 1.0 / height + new_width * 1.0 / width) / 2.0


def frame_bytes(short_edge_size: int, max_size: int) -> int:
    """Bytes of the largest frame that these sizes allow, as uint8 `[H, W, 3]`: what a slot must hold.

    The long edge never exceeds `max_size`. The short edge never exceeds `short_edge_size`, nor the long edge, which only
    counts for the odd choice of a `short_edge_size` above `max_size`. Rounding adds nothing, since both limits are whole.
    """
    return min(short_edge_size, max_size) * max_size * 3


def check_sizes(short_edge_size: int, max_size: int) -> None:
    """Refuses frames whose long edge would be the shorter one.

    Args:
        short_edge_size: of a frame, pixels.
        max_size: limit of its long edge, pixels.

    Raises:
        ConfigError: when the limit is below the short edge.
    """
    if max_size < short_edge_size:
        raise ConfigError(
            "--max-size {} is below --short-edge-size {}; the long edge can only be the larger one.".format(
                max_size, short_edge_size
            )
        )
