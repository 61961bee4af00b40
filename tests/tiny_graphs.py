"""Small frozen graphs with the contract's inputs and outputs, for tests: `python tests/tiny_graphs.py KIND OUT.pb`.

What they detect depends on the pixels, and only whole numbers below 2**24 are added up, so that each process, thread count
and TensorFlow gives the same bits; `expected` says the same in NumPy. A frame is cut into cells of 32 x 32 pixels (every
fourth pixel of each row and column counts). The 20 brightest cells become detections, of these those with more than
half the brightness of the first: a black frame has none.

kinds: one        one image, `[H, W, 3]` float32
       batch      B = 4, with final_valid_indices, rows padded to 100, labels float32
       any-batch  the same with any B
       uint8      one image, uint8 placeholder
       pinned     one image, each node on /gpu:0
       nchw       one image, with an NCHW convolution, bias and pooling (that change nothing)
       masks      one image, with final_masks
       renamed    one image, other tensor names (RENAMED)
       fixed-size one image, 240 x 320 only (FIXED_SIZE)
       nan        one image, the best box's score is not a number
       fragile    one image, fails on a frame whose first pixel is FRAGILE_PIXEL
       loop       one image, with a functional While and its library functions, as the graphs of 2019 have
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any, Dict, NamedTuple, Optional, Sequence

import numpy as np

KINDS = (
    "one", "batch", "any-batch", "uint8", "pinned", "nchw", "masks", "renamed", "fixed-size", "nan", "fragile", "loop"
)  # fmt: skip
BATCH = 4
FIXED_SIZE = (240, 320)
FRAGILE_PIXEL = (13, 13, 13)
#: Role to tensor of the "renamed" kind.
RENAMED = {"image": "frames:0", "boxes": "net/boxes:0", "labels": "net/classes:0", "scores": "net/confidences:0"}

_CONTRACT = {"boxes": "final_boxes", "labels": "final_labels", "scores": "final_probs"}
_STEP = 4
_CELL = 32
_PER_CELL = (_CELL // _STEP) ** 2
_BRIGHTEST = _PER_CELL * 3 * 255
_MOST = 20
_ROWS = 100
_CLASSES = 14


class Expected(NamedTuple):
    """What the graphs find on a frame: float32 `[R, 4]`, int64 `[R]`, float32 `[R]`, float32 `[R, 14, 14]`."""

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    masks: np.ndarray


def write_graph(path: str, kind: str = "one") -> None:
    """Builds a graph and writes it; imports TensorFlow into this process.

    Args:
        path: the `.pb` to write.
        kind: one of `KINDS`.
    """
    graph_def = build(kind)
    with open(path, "wb") as file:
        file.write(graph_def.SerializeToString())


def write_graph_apart(path: str, kind: str = "one", python: Optional[str] = None) -> None:
    """The same in a process of its own, for tests that must not import TensorFlow.

    Args:
        path: the `.pb` to write.
        kind: one of `KINDS`.
        python: interpreter; None takes this one.
    """
    done = subprocess.run(
        [python or sys.executable, os.path.abspath(__file__), kind, path],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise RuntimeError(done.stdout.decode("utf-8", "replace")[-2000:])


def expected(frame: np.ndarray) -> Expected:
    """What the graphs find, computed with NumPy.

    Args:
        frame: uint8 `[H, W, 3]`, BGR.
    """
    height, width = frame.shape[:2]
    down, across = -(-height // _CELL), -(-width // _CELL)
    padded = np.zeros((down * _CELL, across * _CELL, 3), np.int64)
    padded[:height, :width] = frame
    cells = padded[::_STEP, ::_STEP].reshape(down, _CELL // _STEP, across, _CELL // _STEP, 3).sum((1, 3)).reshape(-1, 3)
    brightness = cells.sum(1)
    order = np.argsort(-brightness, kind="stable")[:_MOST]
    order = order[2 * brightness[order] > brightness.max()]
    x, y = (order % across) * _CELL, (order // across) * _CELL
    boxes = np.stack([x, y, np.minimum(x + _CELL, width), np.minimum(y + _CELL, height)], 1).astype(np.float32)
    labels = 1 + cells[order] @ np.array([1, 2, 3]) % _CLASSES
    scores = (brightness[order].astype(np.float32) + np.float32(0.5)) / np.float32(_BRIGHTEST + 1)
    return Expected(boxes, labels.astype(np.int64), scores, scores[:, None, None] * _ramp()[None])


def build(kind: str) -> Any:
    """A graph as a `GraphDef`."""
    if kind not in KINDS:
        raise ValueError("kind is one of " + ", ".join(KINDS))
    import tensorflow

    tf = tensorflow.compat.v1
    graph = tf.Graph()
    with graph.as_default():
        batched = kind in ("batch", "any-batch")
        height, width = FIXED_SIZE if kind == "fixed-size" else (None, None)
        shape = [height, width, 3]
        if batched:
            shape.insert(0, BATCH if kind == "batch" else None)
        dtype = tf.uint8 if kind == "uint8" else tf.float32
        image = tf.placeholder(dtype, shape, RENAMED["image"][:-2] if kind == "renamed" else "image")
        frames = tf.cast(image, tf.float32)
        frames = frames if batched else frames[None]
        if kind == "nchw":
            frames = _through_nchw(tf, frames)
        if kind == "fragile":
            bad = tf.reduce_all(tf.equal(image[0, 0], tf.constant(FRAGILE_PIXEL, tf.float32)))
            with tf.control_dependencies([tf.debugging.Assert(tf.logical_not(bad), ["the fragile pixel"])]):
                frames = tf.identity(frames)
        if kind == "loop":
            frames = _through_loop(tf, frames)
        found = _detect(tf, frames)
        (_name_batch if batched else _name_one)(tf, found, kind)
    graph_def = graph.as_graph_def()
    if kind == "pinned":
        for node in graph_def.node:
            node.device = "/gpu:0"
    return graph_def


def _detect(tf: Any, frames: Any) -> Dict[str, Any]:
    """Detections on float32 `[B, H, W, 3]`, the best first, and how many of them count."""
    shape = tf.shape(frames)
    height, width = shape[1], shape[2]
    down, across = (height + _CELL - 1) // _CELL, (width + _CELL - 1) // _CELL
    padded = tf.pad(frames, [[0, 0], [0, down * _CELL - height], [0, across * _CELL - width], [0, 0]])
    small = _CELL // _STEP
    cells = tf.reshape(padded[:, ::_STEP, ::_STEP], tf.stack([shape[0], down, small, across, small, 3]))
    cells = tf.cast(tf.reshape(tf.reduce_sum(cells, [2, 4]), tf.stack([shape[0], down * across, 3])), tf.int32)
    # Of equals, top_k takes the lower index first.
    best, where = tf.nn.top_k(tf.reduce_sum(cells, 2), tf.minimum(_MOST, down * across))
    images = tf.tile(tf.range(shape[0])[:, None], tf.stack([1, tf.shape(where)[1]]))
    colours = tf.gather_nd(cells, tf.stack([images, where], 2))
    x, y = (where % across) * _CELL, (where // across) * _CELL
    boxes = tf.stack([x, y, tf.minimum(x + _CELL, width), tf.minimum(y + _CELL, height)], 2)
    labels = 1 + tf.reduce_sum(colours * tf.constant([1, 2, 3]), 2) % _CLASSES
    scores = (tf.cast(best, tf.float32) + 0.5) / (_BRIGHTEST + 1.0)
    valid = tf.reduce_sum(tf.cast(2 * best > best[:, :1], tf.int32), 1)
    return {"boxes": tf.cast(boxes, tf.float32), "labels": labels, "scores": scores, "valid": valid}


def _name_one(tf: Any, found: Dict[str, Any], kind: str) -> None:
    count = found["valid"][0]
    scores = found["scores"][0, :count]
    if kind == "nan":
        scores = tf.concat([tf.fill(tf.shape(scores[:1]), float("nan")), scores[1:]], 0)
    parts = {
        "boxes": found["boxes"][0, :count],
        "labels": tf.cast(found["labels"][0, :count], tf.int64),
        "scores": scores,
    }
    for role, tensor in parts.items():
        tf.identity(tensor, RENAMED[role][:-2] if kind == "renamed" else _CONTRACT[role])
    tf.zeros(tf.stack([count, 256, 7, 7]), tf.float32, "fpn_box_feat")
    if kind == "masks":
        tf.multiply(scores[:, None, None], tf.constant(_ramp()[None]), "final_masks")


def _name_batch(tf: Any, found: Dict[str, Any], kind: str) -> None:
    del kind
    rows = tf.shape(found["scores"])[1]
    for role in ("boxes", "labels", "scores"):
        tensor = tf.cast(found[role], tf.float32)
        pads = [[0, 0], [0, _ROWS - rows], [0, 0]]
        padded = tf.pad(tensor, pads if role == "boxes" else pads[:2])
        padded.set_shape([None, _ROWS, 4] if role == "boxes" else [None, _ROWS])
        tf.identity(padded, _CONTRACT[role])
    tf.identity(found["valid"], "final_valid_indices")


def _through_nchw(tf: Any, frames: Any) -> Any:
    """A convolution, a bias and a pooling in the GPU's layout that leave each pixel as it is, to the bit."""
    frames = tf.transpose(frames, [0, 3, 1, 2])
    same = tf.constant(np.eye(3, dtype=np.float32)[None, None])
    frames = tf.nn.conv2d(frames, filter=same, strides=[1, 1, 1, 1], padding="SAME", data_format="NCHW")
    frames = tf.nn.bias_add(frames, tf.constant([0.0, 0.0, 0.0]), data_format="NCHW")
    frames = tf.nn.max_pool(frames, [1, 1, 1, 1], [1, 1, 1, 1], "VALID", data_format="NCHW")
    return tf.transpose(frames, [0, 2, 3, 1])


def _through_loop(tf: Any, frames: Any) -> Any:
    """A loop of three rounds that adds and takes away, as a functional While."""
    # 1.14 has no public switch for it.
    from tensorflow.python.ops import control_flow_util

    before, control_flow_util.ENABLE_CONTROL_FLOW_V2 = control_flow_util.ENABLE_CONTROL_FLOW_V2, True
    try:
        return tf.while_loop(
            lambda turn, pixels: turn < 3,
            lambda turn, pixels: (turn + 1, pixels + 1.0 - 1.0),
            (tf.constant(0), frames),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([1, None, None, 3])),
        )[1]
    finally:
        control_flow_util.ENABLE_CONTROL_FLOW_V2 = before


def _ramp() -> np.ndarray:
    """float32 `[14, 14]`, from 0 at the left to 1 at the right."""
    return np.tile(np.arange(14, dtype=np.float32) / np.float32(13), (14, 1))


# --- GraphDef bytes without TensorFlow, for the unit tests


def field(number: int, value: Any) -> bytes:
    """A protocol-buffers field: a whole number, text or bytes."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value & (1 << 64) - 1)
    data = value.encode("utf-8") if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def encode_node(
    name: str,
    op: str,
    inputs: Sequence[str] = (),
    device: str = "",
    dtype: Optional[int] = None,
    shape: Any = None,
    attributes: Optional[Dict[str, bytes]] = None,
) -> bytes:
    """A node as a field of a GraphDef.

    Args:
        name, op, inputs, device: as in `NodeDef`.
        dtype: number of the DataType, 1 for float32 and 4 for uint8.
        shape: dimensions with None for unknown ones, or "unknown" for unknown rank; None leaves it out.
        attributes: more of them, as encoded `AttrValue`s.
    """
    attributes = dict(attributes or {})
    if dtype is not None:
        attributes["dtype"] = field(6, dtype)
    if shape is not None:
        sizes = (
            [field(2, field(1, -1 if size is None else size)) for size in shape]
            if shape != "unknown"
            else [field(3, 1)]
        )
        attributes["shape"] = field(7, b"".join(sizes))
    node = field(1, name) + field(2, op) + b"".join(field(3, source) for source in inputs)
    node += field(4, device) if device else b""
    return field(1, node + b"".join(field(5, field(1, key) + field(2, value)) for key, value in attributes.items()))


def encode_contract(
    shape: Any = (None, None, 3), dtype: int = 1, more: Sequence[str] = (), image: str = "image"
) -> bytes:
    """A graph with the contract's names that computes nothing.

    Args:
        shape: of the placeholder.
        dtype: of the placeholder.
        more: names of further outputs.
        image: name of the placeholder.
    """
    outputs = [encode_node(name, "Identity", [image]) for name in list(_CONTRACT.values()) + list(more)]
    versions = field(4, field(1, 38))
    return encode_node(image, "Placeholder", dtype=dtype, shape=shape) + b"".join(outputs) + versions


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes(data) + bytes([value])


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in KINDS:
        sys.exit("usage: tiny_graphs.py KIND OUT.pb, with KIND one of " + ", ".join(KINDS))
    write_graph(sys.argv[2], sys.argv[1])
