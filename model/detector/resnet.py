"""The backbone: a ResNet whose strides sit on the 3x3 convolutions, padded as tensorpack's pretrained weights want it."""

from __future__ import annotations

from typing import Any, List

import tensorflow.compat.v1 as tf

from ...modelfile.architecture import BLOCKS, COARSEST, Architecture
from .layers import Layers

#: Around the image for the 7x7 convolution: on top and left, at the bottom and right; pixels.
_STEM_BEFORE, _STEM_AFTER = 3, 2
_DILATED_GROUP = 3
#: So many blocks at the end of that group are dilated.
_DILATED_BLOCKS = 3


def backbone(layers: Layers, image: Any, architecture: Architecture) -> List[Any]:
    """The feature maps c2 to c5.

    Args:
        layers: makes the layers.
        image: a map of 3 channels, normalised, `H x W`.
        architecture: depth and dilation.

    Returns:
        Four maps of 256, 512, 1024 and 2048 channels. With `H'`, `W'` the image's height and width rounded up to multiples
        of 32, they are `H'/4 x W'/4`, `H'/8 x W'/8`, `H'/16 x W'/16`, `H'/32 x W'/32`.
    """
    size = layers.size(image)
    missing = -size % COARSEST
    x = layers.pad(image, _STEM_BEFORE, _STEM_AFTER + missing)
    x = layers.normed(x, "conv0", stride=2, padding="VALID")
    x = layers.max_pool(layers.pad(x, 1, 0), size=3, stride=2)
    maps = []
    for group, count in enumerate(BLOCKS[architecture.resnet]):
        for block in range(count):
            dilated = architecture.use_dilation and group == _DILATED_GROUP and block >= count - _DILATED_BLOCKS
            x = bottleneck(
                layers,
                x,
                "group{}/block{}".format(group, block),
                stride=2 if group and not block else 1,
                dilation=2 if dilated else 1,
                shortcut=block == 0,
            )
        maps.append(x)
    return maps


def bottleneck(layers: Layers, x: Any, name: str, stride: int, dilation: int, shortcut: bool) -> Any:
    """1x1, 3x3 and 1x1 convolution beside a shortcut.

    Args:
        layers: makes the layers.
        x: a map, `H x W`; both even when `stride` is 2.
        name: scope of the weights.
        stride: 1 or 2.
        dilation: of the 3x3 convolution.
        shortcut: whether the shortcut has a convolution, since the number of channels changes.

    Returns:
        A map, `H/stride x W/stride`, of four times the channels of the 3x3 convolution.
    """
    y = layers.normed(x, name + "/conv1")
    if stride == 1:
        y = layers.normed(y, name + "/conv2", dilation=dilation)
    else:
        y = layers.normed(layers.pad(y, 1, 0), name + "/conv2", stride, dilation, "VALID")
        if dilation > 1:
            # The wider kernel gave one row and column less.
            y = layers.pad(y, 1, 0)
    y = layers.normed(y, name + "/conv3", relu=False)
    if shortcut and stride == 2:
        x = layers.normed(layers.crop(x, -1, -1), name + "/convshortcut", stride, padding="VALID", relu=False)
    elif shortcut:
        x = layers.normed(x, name + "/convshortcut", relu=False)
    return tf.nn.relu(y + x)
