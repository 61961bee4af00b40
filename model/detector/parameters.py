"""Where a graph's weights come from: constants (a frozen graph) or variables (a checkpoint's own form)."""

from __future__ import annotations

import abc
from typing import Any, Dict, Mapping, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from ...modelfile.architecture import Architecture

#: Added to the variance in batch norms.
EPSILON = 1e-5

#: Bytes of weights.
_LOADED_AT_ONCE = 64 << 20


class Parameters(abc.ABC):
    """Weights by variable name."""

    @abc.abstractmethod
    def get(self, name: str) -> Any:
        """The tensor of a variable, float32."""

    @abc.abstractmethod
    def normed(self, convolution: str) -> Tuple[Any, Any, Any]:
        """A convolution that is followed by a batch norm with stored moments.

        Returns:
            kernel `[kh, kw, in, out]`, scale `[out]` or None for 1, shift `[out]`: `conv(x, kernel) * scale + shift`.
        """


class Constants(Parameters):
    """Weights as constants; batch norms are folded into the convolutions, so that one operation does both.

    Args:
        values: variable name to float32 array.
    """

    def __init__(self, values: Mapping[str, np.ndarray]) -> None:
        self._values = values

    def get(self, name: str) -> Any:
        """A constant of the variable's name."""
        return tf.constant(self._values[name], tf.float32, name=name)

    def normed(self, convolution: str) -> Tuple[Any, Any, Any]:
        """The kernel times the norm's scale, and the norm's shift."""
        gamma, beta, mean, variance = (
            np.asarray(self._values["{}/bn/{}".format(convolution, name)], np.float64)
            for name in ("gamma", "beta", "mean/EMA", "variance/EMA")
        )
        scale = gamma / np.sqrt(variance + EPSILON)
        kernel = (self._values[convolution + "/W"] * scale).astype(np.float32)
        shift = (beta - mean * scale).astype(np.float32)
        return tf.constant(kernel, name=convolution + "/W"), None, tf.constant(shift, name=convolution + "/b")


class Variables(Parameters):
    """Weights as variables of the checkpoint's names, to be filled by `load`.

    Args:
        architecture: tells the shapes.
    """

    def __init__(self, architecture: Architecture) -> None:
        self._shapes = architecture.variables()
        self._variables: Dict[str, Any] = {}

    def get(self, name: str) -> Any:
        """A variable of that name, made on the first call."""
        if name not in self._variables:
            self._variables[name] = tf.get_variable(
                name, self._shapes[name], tf.float32, tf.zeros_initializer(), trainable=False, use_resource=False
            )
        return self._variables[name]

    def normed(self, convolution: str) -> Tuple[Any, Any, Any]:
        """The kernel as it is, and the norm's two vectors, computed in each run from its four."""
        gamma, beta, mean, variance = (
            self.get("{}/bn/{}".format(convolution, name)) for name in ("gamma", "beta", "mean/EMA", "variance/EMA")
        )
        scale = gamma * tf.rsqrt(variance + EPSILON)
        return self.get(convolution + "/W"), scale, beta - mean * scale

    def load(self, session: Any, values: Mapping[str, np.ndarray]) -> None:
        """Fills the variables.

        Args:
            session: of the graph in which they are.
            values: variable name to float32 array; more than are needed is fine.
        """
        # TensorFlow optimizes the graph anew for each set of fetches, so there are few; and not one, so that no second copy of
        # all weights lies in memory.
        feeds: Dict[Any, np.ndarray] = {}
        fetches, size = [], 0
        for name, variable in self._variables.items():
            feeds[variable.initializer.inputs[1]] = values[name]
            fetches.append(variable.initializer)
            size += values[name].nbytes
            if size > _LOADED_AT_ONCE:
                session.run(fetches, feeds)
                feeds, fetches, size = {}, [], 0
        session.run(fetches, feeds)
