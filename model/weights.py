"""The values of a detector's variables: out of a checkpoint; or random ones, for benchmarks and tests."""

from __future__ import annotations

import math
import re
import zlib
from typing import Any, Dict, Iterable, Tuple

import numpy as np

from ..errors import DivaInferError, ModelError
from ..modelfile.architecture import BLOCKS, Architecture
from ..modelfile.checkpoint import NPZ, Checkpoint, check_dtypes, plain_name
from .tensorflow1 import first_line, import_tensorflow

#: Of layers without ReLU behind them: how much larger (or smaller) their output is than their input, about. Levels of the
#: pyramid are summed up; logits tell places and classes apart; boxes move by about a tenth of their size.
_GAINS = {
    "fpn/lateral_1x1": 0.4,
    "fpn/posthoc_3x3": 1.0,
    "rpn/class": 2.0,
    "rpn/box": 0.1,
    "fastrcnn/outputs/class": 1.0,
    "fastrcnn/outputs/box": 0.5,
}
_WITH_RELU = math.sqrt(2.0)
_LEVEL = re.compile("_[cp][2-5]$")


def random_weights(architecture: Architecture, seed: int) -> Dict[str, np.ndarray]:
    """Weights with which a detector computes as much as a trained one, and finds nonsense.

    Activations keep their size from layer to layer (He et al., Delving Deep into Rectifiers), also through the sums of 50
    blocks, so that a frame gives as many proposals and detections as it may have, and no infinity.

    Args:
        architecture: tells names and shapes.
        seed: the same seed gives the same weights with any version of NumPy.

    Returns:
        Variable name to float32 array.
    """
    return {name: _draw(architecture, name, shape, seed) for name, shape in architecture.variables().items()}


def read_weights(checkpoint: Checkpoint, names: Iterable[str]) -> Dict[str, np.ndarray]:
    """The values of variables.

    Args:
        checkpoint: where they are.
        names: of those that are wanted; each is there.

    Returns:
        Variable name to float32 array, whatever kind of floating-point numbers the checkpoint has.

    Raises:
        ModelError: one sentence, when a value cannot be read, or is not a finite number.
        EngineBootError: when TensorFlow, which only checkpoints need, cannot be imported.
    """
    names = list(names)
    check_dtypes(checkpoint, names)
    values: Dict[str, np.ndarray] = {}
    try:
        if checkpoint.kind == NPZ:
            with np.load(checkpoint.prefix, allow_pickle=False) as arrays:
                members = {plain_name(member): member for member in arrays.files}
                for name in names:
                    values[name] = _float32(checkpoint, name, arrays[members[name]])
        else:
            reader: Any = import_tensorflow().train.load_checkpoint(checkpoint.prefix)
            for name in names:
                values[name] = _float32(checkpoint, name, reader.get_tensor(name))
    except DivaInferError:
        raise
    except Exception as error:  # TensorFlow and NumPy raise anything for files that are damaged.
        raise ModelError(
            "{}: its values cannot be read ({}). Copy it again.".format(checkpoint.path, first_line(error))
        )
    return values


def _float32(checkpoint: Checkpoint, name: str, value: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        value = np.asarray(value, np.float32, order="C")
    if not np.isfinite(value).all():
        raise ModelError("{}: {} has values that are no finite float32.".format(checkpoint.path, name))
    return value


def _draw(architecture: Architecture, name: str, shape: Tuple[int, ...], seed: int) -> np.ndarray:
    random = np.random.RandomState(zlib.crc32("{}:{}".format(seed, name).encode()))
    if name.endswith(("/gamma", "/variance/EMA")):
        values = random.uniform(0.8, 1.25, shape)
        if name.endswith("conv3/bn/gamma"):
            # What all blocks of a group add to their sum must stay as large as the sum.
            group = int(name[len("group")])
            values /= BLOCKS[architecture.resnet][group]
    elif name.endswith(("/beta", "/mean/EMA", "/b")):
        values = random.normal(0.0, 0.1, shape)
    else:
        fan_in = int(np.prod(shape[:-1]))
        gain = _GAINS.get(_LEVEL.sub("", name.rpartition("/")[0]), _WITH_RELU)
        values = random.normal(0.0, gain / np.sqrt(fan_in), shape)
    return values.astype(np.float32)
