"""Convolutions and what goes with them, in either layout of feature maps: NHWC or NCHW."""

from __future__ import annotations

from typing import Any, List

import tensorflow.compat.v1 as tf

from .parameters import Parameters

NHWC, NCHW = "NHWC", "NCHW"


class Layers:
    """Makes layers. A feature map is float32 `[B, H, W, C]` (NHWC) or `[B, C, H, W]` (NCHW), called a map below.

    Args:
        parameters: the weights.
        layout: NHWC or NCHW.
    """

    def __init__(self, parameters: Parameters, layout: str) -> None:
        self.layout = layout
        self._parameters = parameters
        self._rows = layout.index("H")
        self._channels = layout.index("C")

    def from_nhwc(self, image: Any) -> Any:
        """`[B, H, W, C]` -> a map."""
        return image if self.layout == NHWC else tf.transpose(image, [0, 3, 1, 2])

    def to_nhwc(self, x: Any) -> Any:
        """A map -> `[B, H, W, C]`."""
        return x if self.layout == NHWC else tf.transpose(x, [0, 2, 3, 1])

    def size(self, x: Any) -> Any:
        """Height and width of a map, int32 `[2]`."""
        return tf.shape(x)[self._rows : self._rows + 2]

    def convolution(self, x: Any, name: str, relu: bool = False) -> Any:
        """A convolution with stride 1, padded to the same size, with bias `name/b`; then ReLU if wanted."""
        y = self._convolve(x, self._parameters.get(name + "/W"), 1, 1, "SAME", name)
        y = tf.nn.bias_add(y, self._parameters.get(name + "/b"), data_format=self.layout)
        return tf.nn.relu(y) if relu else y

    def normed(
        self, x: Any, name: str, stride: int = 1, dilation: int = 1, padding: str = "SAME", relu: bool = True
    ) -> Any:
        """A convolution without bias, its batch norm, then ReLU if wanted.

        Args:
            x: a map.
            name: of the convolution.
            stride: pixels, in both directions.
            dilation: pixels between the kernel's taps, in both directions.
            padding: "SAME" or "VALID".
            relu: whether ReLU follows.
        """
        kernel, scale, shift = self._parameters.normed(name)
        y = self._convolve(x, kernel, stride, dilation, padding, name)
        if scale is None:
            y = tf.nn.bias_add(y, shift, data_format=self.layout)
        else:
            y = y * self._by_channel(scale) + self._by_channel(shift)
        return tf.nn.relu(y) if relu else y

    def pad(self, x: Any, before: Any, after: Any) -> Any:
        """Adds zeros around a map.

        Args:
            x: a map.
            before: rows on top and columns on the left; both alike.
            after: rows at the bottom and columns on the right: a number for both, or int32 `[2]`.
        """
        rows, columns = (after, after) if isinstance(after, int) else (after[0], after[1])
        padding: List[Any] = [[0, 0]] * 4
        padding[self._rows] = [before, rows]
        padding[self._rows + 1] = [before, columns]
        padded = tf.pad(x, padding)
        # What comes next must know the number of channels, which padding by computed numbers forgets.
        shape = [None] * 4
        shape[self._channels] = x.shape.as_list()[self._channels]
        padded.set_shape(shape)
        return padded

    def crop(self, x: Any, height: Any, width: Any) -> Any:
        """The first `height` rows and `width` columns; negative numbers leave so many away."""
        return x[:, :height, :width] if self.layout == NHWC else x[:, :, :height, :width]

    def max_pool(self, x: Any, size: int, stride: int) -> Any:
        """Maxima of squares of `size` pixels, every `stride` pixels, without padding."""
        return tf.nn.max_pool(x, self._spatial(size), self._spatial(stride), "VALID", data_format=self.layout)

    def double(self, x: Any) -> Any:
        """Each pixel four times: the map in twice the height and width (nearest neighbour)."""
        for axis in (self._rows, self._rows + 1):
            shape = tf.unstack(tf.shape(x))
            shape[axis] *= 2
            shape[self._channels] = x.shape.as_list()[self._channels]
            x = tf.reshape(tf.stack([x, x], axis + 1), shape)
        return x

    def _convolve(self, x: Any, kernel: Any, stride: int, dilation: int, padding: str, name: str) -> Any:
        return tf.nn.conv2d(
            x,
            kernel,
            strides=self._spatial(stride),
            padding=padding,
            data_format=self.layout,
            dilations=self._spatial(dilation),
            name=name,
        )

    def _spatial(self, number: int) -> List[int]:
        numbers = [1] * 4
        numbers[self._rows] = numbers[self._rows + 1] = number
        return numbers

    def _by_channel(self, vector: Any) -> Any:
        return vector if self.layout == NHWC else tf.reshape(vector, [-1, 1, 1])
