"""The TensorFlow engine: a detector of the 2019 contract, on TensorFlow 1.14 and on TensorFlow 2 alike.

How a model comes to be a graph is told by `frozen`, `variables` and `saved_model`, one for each form; here it is run. Only
names that both versions have are used, those of `tf.compat.v1` but for `_make_call`. TensorFlow is imported by `load`, in the
worker that needs it.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from ...config import MIXED
from ...detections import Detections
from ...errors import ConfigError, DivaInferError, EngineBootError, EngineError, EngineOutOfMemory
from ...model.tensorflow1 import first_line, import_tensorflow
from ...modelfile.checkpoint import CHECKPOINT
from ...modelfile.form import FROZEN, SAVED_MODEL, model_form
from ...modelfile.variable import parse_options
from .base import Engine, EngineInfo, EngineSpec
from .frozen import prepare_frozen
from .prepared import Prepared
from .saved_model import prepare_saved_model
from .variables import prepare_variables

_PREPARE = {FROZEN: prepare_frozen, CHECKPOINT: prepare_variables, SAVED_MODEL: prepare_saved_model}


class TensorFlowEngine(Engine):
    """Runs a model in one session. Its options say what a checkpoint's detector is: fields of `Architecture`."""

    def __init__(self, spec: EngineSpec) -> None:
        super().__init__(spec)
        try:
            parse_options(spec.options)
        except ConfigError as error:
            raise EngineBootError(str(error))
        self._tf: Any = None
        self._session: Any = None
        self._model: Optional[Prepared] = None
        self._call: Optional[Callable[[np.ndarray], Dict[str, np.ndarray]]] = None

    def load(self) -> EngineInfo:
        """Makes the graph and opens the session. The first frames of each size are slower than the later ones."""
        self._tf = tf = import_tensorflow()
        path = self.spec.model
        try:
            self._model = model = _PREPARE[model_form(path)](tf, self.spec)
            self._session = tf.compat.v1.Session(graph=model.graph, config=self._config())
            device = self._check_device()
            # Outside of a graph TensorFlow 2 would take operations for eager ones.
            with model.graph.as_default():
                model.fill(self._session)
            self._call = _make_call(self._session, model)
        except DivaInferError:
            raise
        except MemoryError:
            raise EngineBootError("{}: there is not enough memory to load the graph.".format(path))
        except Exception as error:  # Importers raise anything from ValueError to protobuf's own DecodeError.
            raise EngineBootError(
                "{}: TensorFlow {} cannot load it: {}".format(path, tf.__version__, first_line(error))
            )
        taken = model.input
        kind = "one image"
        if taken.batched:
            kind = "batch of {}".format(taken.batch_size) if taken.batch_size else "any batch"
        return EngineInfo(
            "TensorFlow {}, {}, {}, {}".format(tf.__version__, kind, model.layout, device),
            taken.batch_size,
            taken.frame_height,
            taken.frame_width,
        )

    def infer(self, frames: np.ndarray) -> List[Detections]:
        """Computes one batch; a graph for one image takes its frames one after the other."""
        assert self._model is not None, "load() comes first"
        taken, count = self._model.input, len(frames)
        if not taken.batched:
            return [self._whole(self._run(frame)) for frame in frames]
        fixed = taken.batch_size
        if fixed is not None and count > fixed:
            raise EngineError("the graph takes {} frames at a time, not {}".format(fixed, count))
        if fixed is not None and count < fixed:
            padded = np.zeros((fixed,) + frames.shape[1:], np.uint8)
            padded[:count] = frames
            frames = padded
        return self._split(self._run(frames), len(frames))[:count]

    def close(self) -> None:
        """Closes the session; the process keeps the device's memory until it ends."""
        if self._session is not None:
            self._call = None
            self._session.close()
            self._session = None

    def _run(self, frames: np.ndarray) -> Dict[str, np.ndarray]:
        # TensorFlow reads the pixels where they lie if they begin at a multiple of 64 bytes, and copies them otherwise.
        assert self._call is not None
        errors = self._tf.compat.v1.errors
        try:
            return self._call(frames)
        except errors.ResourceExhaustedError as error:
            raise EngineOutOfMemory(
                "the device has not enough memory for {}: {}".format(_size(frames), first_line(error))
            )
        except (errors.OpError, ValueError, RuntimeError) as error:
            raise EngineError("TensorFlow failed on {}: {}".format(_size(frames), first_line(error)))

    def _split(self, found: Dict[str, np.ndarray], batch: int) -> List[Detections]:
        """Takes a batched graph's outputs apart, `[B, N, ...]` each, and cuts the rows that do not count."""
        if batch == 1 and found["boxes"].ndim == 2:
            # A graph for a batch of one may leave that dimension away.
            return [self._whole(found)]
        valid = found.get("valid")
        for role, array in found.items():
            if array.ndim < 1 or array.shape[0] != batch:
                raise EngineError("{} has the shape {} for a batch of {}".format(self._name(role), array.shape, batch))
        if valid is not None and valid.ndim != 1:
            raise EngineError("{} has the shape {}, [B] is wanted".format(self._name("valid"), valid.shape))
        detections = []
        for index in range(batch):
            rows = found["boxes"].shape[1] if found["boxes"].ndim > 1 else 0
            count = rows if valid is None else min(max(int(valid[index]), 0), rows)
            parts = {role: array[index] for role, array in found.items() if role != "valid"}
            self._check_rows(parts)
            detections.append(_detections({role: array[:count] for role, array in parts.items()}))
        return detections

    def _whole(self, found: Dict[str, np.ndarray]) -> Detections:
        self._check_rows(found)
        return _detections(found)

    def _check_rows(self, found: Dict[str, np.ndarray]) -> None:
        boxes = found["boxes"]
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise EngineError(
                "{} has the shape {} for a frame, [R, 4] is wanted".format(self._name("boxes"), boxes.shape)
            )
        for role, dimensions in (("labels", 1), ("scores", 1), ("masks", 3)):
            array = found.get(role)
            if array is not None and (array.ndim != dimensions or len(array) != len(boxes)):
                raise EngineError(
                    "{} has the shape {} for a frame with {} boxes".format(self._name(role), array.shape, len(boxes))
                )

    def _name(self, role: str) -> str:
        return self.spec.card.outputs[role]

    def _config(self) -> Any:
        tf, spec = self._tf, self.spec
        # Graphs of 2019 pin most nodes to /gpu:0, some of them kinds that only a CPU has.
        config = tf.compat.v1.ConfigProto(
            allow_soft_placement=True,
            intra_op_parallelism_threads=spec.threads,
            inter_op_parallelism_threads=spec.threads,
        )
        if spec.on_gpu:
            config.gpu_options.allow_growth = True
            # Both leave the graph's own types of inputs and outputs. What they gain was measured on no GPU yet.
            if spec.precision == MIXED:
                rewriting = config.graph_options.rewrite_options
                rewriting.auto_mixed_precision = rewriting.ON
            if spec.xla:
                optimizing = config.graph_options.optimizer_options
                optimizing.global_jit_level = optimizing.ON_1
        else:
            config.device_count["GPU"] = 0
            # Without it the first frame is there after a few seconds instead of ten and later ones take as long as before.
            config.graph_options.rewrite_options.disable_meta_optimizer = True
        return config

    def _check_device(self) -> str:
        """The device for the description; refuses a GPU worker without a GPU."""
        tf, spec = self._tf, self.spec
        if not spec.on_gpu:
            return "CPU"
        # The refusal is tested on machines without a GPU; that a GPU is found was never tried there.
        if any(device.device_type == "GPU" for device in self._session.list_devices()):
            return "GPU " + spec.device
        needed = "CUDA 10.0 and cuDNN 7.4" if tf.__version__.startswith("1.") else 'pip install "divainfer[gpu]"'
        raise EngineBootError(
            "TensorFlow {} sees no GPU on the worker for {}, so it would compute on the CPU. It needs {}, the libraries on "
            "LD_LIBRARY_PATH; its own words are in the worker's log. --gpus cpu computes on the CPU.".format(
                tf.__version__, spec.device, needed
            )
        )


def _make_call(session: Any, model: Prepared) -> Callable[[np.ndarray], Dict[str, np.ndarray]]:
    """From frames to the outputs by their roles.

    `Session.run` goes through names, types and structures anew each time: a quarter of a millisecond of Python in a row, four
    times that on a core that slept meanwhile, and a GPU waits for it between two batches. What Keras uses instead in both
    versions saves most of that (`benchmarks/call.py`). It is no public name, so a version may come without it.
    """
    if not hasattr(session, "_make_callable_from_options"):
        return lambda frames: session.run(model.fetches, {model.frames: frames})  # type: ignore[no-any-return]
    from tensorflow.core.protobuf.config_pb2 import CallableOptions

    options = CallableOptions(feed=[model.frames.name], fetch=[tensor.name for tensor in model.fetches.values()])
    call, roles = session._make_callable_from_options(options), list(model.fetches)
    return lambda frames: dict(zip(roles, call(frames)))


def _detections(found: Dict[str, np.ndarray]) -> Detections:
    """Copies a frame's rows out of TensorFlow's memory."""
    masks = found.get("masks")
    return Detections(
        np.array(found["boxes"], np.float32),
        np.array(found["labels"], np.int64),
        np.array(found["scores"], np.float32),
        None if masks is None else np.array(masks, np.float32),
    )


def _size(frames: np.ndarray) -> str:
    shape: Sequence[int] = frames.shape
    count = 1 if len(shape) == 3 else shape[0]
    return "{} frame{} of {}x{}".format(count, "" if count == 1 else "s", shape[-2], shape[-3])
