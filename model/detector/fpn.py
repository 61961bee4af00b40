"""The feature pyramid: maps of one depth in five sizes, each with what the coarser ones know."""

from __future__ import annotations

from typing import Any, List

from .layers import Layers

#: Pixels of the image between two positions, of p2 to p6.
STRIDES = (4, 8, 16, 32, 64)


def pyramid(layers: Layers, backbone: List[Any], height: Any, width: Any) -> List[Any]:
    """The feature maps p2 to p6.

    Args:
        layers: makes the layers.
        backbone: c2 to c5.
        height: of the image, pixels, int32 scalar.
        width: of the image, pixels.

    Returns:
        Five maps of 256 channels. p2, p3, p4 are `ceil(height/stride) x ceil(width/stride)`; p5 is as large as c5, p6 half of
        that.
    """
    merged = [layers.convolution(c, "fpn/lateral_1x1_c{}".format(level)) for level, c in enumerate(backbone, start=2)]
    for finer in (2, 1, 0):
        merged[finer] += layers.double(merged[finer + 1])
    maps = [layers.convolution(x, "fpn/posthoc_3x3_p{}".format(level)) for level, x in enumerate(merged, start=2)]
    maps.append(layers.max_pool(maps[-1], size=1, stride=2))
    for index, stride in enumerate(STRIDES[:3]):
        maps[index] = layers.crop(maps[index], -(-height // stride), -(-width // stride))
    return maps
