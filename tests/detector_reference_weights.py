"""Random weights and images for the detector of 2019, made so that scores are spread out and nothing fades or bursts."""

from __future__ import annotations

from typing import Dict

import numpy as np
from detector_reference import BLOCKS


def random_weights(
    seed: int, resnet: int = 50, num_class: int = 15, class_agnostic: bool = False
) -> Dict[str, np.ndarray]:
    """All variables of a checkpoint, float32, by name.

    Args:
        seed: the same seed gives the same values, whatever the NumPy.
        resnet: 50, 101 or 152.
        num_class: with the background.
        class_agnostic: the box head has 4 outputs.
    """
    return _Maker(np.random.RandomState(seed)).detector(BLOCKS[resnet], num_class, class_agnostic)


def random_image(seed: int, height: int, width: int) -> np.ndarray:
    """Blocks of colour under noise: float32 `[height, width, 3]`, whole numbers from 0 to 255."""
    generator = np.random.RandomState(seed)
    blocks = generator.randint(0, 200, (-(-height // 16), -(-width // 16), 3))
    blocks = blocks.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
    return (blocks + generator.randint(0, 56, blocks.shape)).astype(np.float32)


class _Maker:
    """Collects variables."""

    def __init__(self, generator: np.random.RandomState) -> None:
        self.generator = generator
        self.values: Dict[str, np.ndarray] = {}

    def detector(self, blocks: tuple, num_class: int, class_agnostic: bool) -> Dict[str, np.ndarray]:
        self.convolution("conv0", 7, 3, 64)
        channels = 64
        for group, count in enumerate(blocks):
            inner = 64 << group
            for block in range(count):
                scope = "group{}/block{}/".format(group, block)
                self.convolution(scope + "conv1", 1, channels, inner)
                self.convolution(scope + "conv2", 3, inner, inner)
                # Each block adds a little to what passes by it, or the sum would grow with the depth.
                self.convolution(scope + "conv3", 1, inner, inner * 4, gain=1 / np.sqrt(count))
                if block == 0:
                    self.convolution(scope + "convshortcut", 1, channels, inner * 4, gain=0.7)
                channels = inner * 4
        for level in (2, 3, 4, 5):
            self.layer("fpn/lateral_1x1_c{}".format(level), (1, 1, 256 << (level - 2), 256), gain=0.5)
            self.layer("fpn/posthoc_3x3_p{}".format(level), (3, 3, 256, 256))
        self.layer("rpn/conv0", (3, 3, 256, 256))
        self.layer("rpn/class", (1, 1, 256, 3), gain=2)
        self.layer("rpn/box", (1, 1, 256, 12), gain=0.1)
        self.layer("fastrcnn/fc6", (256 * 7 * 7, 1024), gain=2, bias=-5, spread=2)
        self.layer("fastrcnn/fc7", (1024, 1024), gain=2, bias=-1, spread=0.5)
        self.layer("fastrcnn/outputs/class", (1024, num_class), gain=4)
        self.layer("fastrcnn/outputs/box", (1024, 4 if class_agnostic else num_class * 4), gain=4)
        return self.values

    def convolution(self, name: str, size: int, inputs: int, outputs: int, gain: float = 1) -> None:
        """A convolution followed by a batch norm with moments that are near what it sees, but not the same."""
        shape = (size, size, inputs, outputs)
        self.values[name + "/W"] = self.normal(shape, np.sqrt(2 / (size * size * inputs)))
        self.values[name + "/bn/gamma"] = self.uniform(outputs, 0.7 * gain, 1.3 * gain)
        self.values[name + "/bn/beta"] = self.normal((outputs,), 0.2)
        self.values[name + "/bn/mean/EMA"] = self.normal((outputs,), 0.3)
        self.values[name + "/bn/variance/EMA"] = self.uniform(outputs, 0.7, 1.5)

    def layer(self, name: str, shape: tuple, gain: float = 1, bias: float = 0, spread: float = 0.2) -> None:
        """A convolution or a matrix with a bias; its weights add up to 0, so that what all inputs share does not count."""
        weights = self.normal(shape, gain / np.sqrt(np.prod(shape[:-1])))
        self.values[name + "/W"] = weights - weights.mean(axis=tuple(range(len(shape) - 1)))
        self.values[name + "/b"] = self.normal(shape[-1:], spread) + np.float32(bias)

    def normal(self, shape: tuple, deviation: float) -> np.ndarray:
        return (self.generator.standard_normal(shape) * deviation).astype(np.float32)

    def uniform(self, count: int, low: float, high: float) -> np.ndarray:
        return self.generator.uniform(low, high, count).astype(np.float32)
