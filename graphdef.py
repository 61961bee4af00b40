"""The skeleton of a frozen graph, read without TensorFlow: nodes and what they say of themselves, without the weights.

The dispatcher never imports TensorFlow, yet must refuse a wrong model file before any process starts. A `.pb` is a
protocol-buffers message (`GraphDef`), and the wire format is small: numbered fields, each with its length. This walks over
the mapped file and jumps over the weights, so that a file of hundreds of megabytes takes a fraction of a second.
"""

from __future__ import annotations

import collections
import dataclasses
import mmap
import os
import stat
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from .digest import digest_of_file
from .errors import ModelError
from .wire import BYTES, VARINT, Broken, Shape, Walker, dtype_name

_FUNCTIONAL = frozenset(["While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase", "For"])
# Before this GraphDef version a placeholder's empty shape meant "unknown", not "a scalar".
_SCALARS_SINCE = 24
# What people give by mistake, by its first bytes.
_MAGIC = (
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG", "a PNG image"),
    (b"\x89HDF", "an HDF5 file (Keras weights)"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "gzip-compressed; unpack it first"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; run git lfs pull"),
    (b"\x80\x02", "a Python pickle (PyTorch?)"),
)
_WANTED = "Give a frozen TensorFlow graph (.pb)"


class GraphNode(NamedTuple):
    """One operation.

    Attributes:
        op: kind, such as "Conv2D".
        device: where it is pinned, or "".
        inputs: as written: "name", "name:1", or "^name" for "after name".
        dtype: of a placeholder, such as "float32"; None elsewhere and when not said.
        shape: of a placeholder; None when not even the rank is known.
        data_format: such as "NCHW"; None when the operation does not say.
    """

    op: str
    device: str = ""
    inputs: Tuple[str, ...] = ()
    dtype: Optional[str] = None
    shape: Optional[Shape] = None
    data_format: Optional[str] = None


@dataclasses.dataclass(frozen=True)
class GraphSkeleton:
    """A graph without its weights."""

    #: Node name to node, in the file's order.
    nodes: Mapping[str, GraphNode]
    #: Names of the library's functions.
    functions: Tuple[str, ...] = ()
    #: GraphDef version of the program that made it; 0 when not said.
    producer: int = 0

    @property
    def ops(self) -> Dict[str, int]:
        """Operation kind to count."""
        return dict(collections.Counter(node.op for node in self.nodes.values()))

    @property
    def placeholders(self) -> Tuple[str, ...]:
        """Names of the nodes that wait for a value from outside."""
        return tuple(name for name, node in self.nodes.items() if node.op.startswith("Placeholder"))

    @property
    def sinks(self) -> Tuple[str, ...]:
        """Names of the nodes that nobody consumes: the candidates for outputs."""
        consumed = {node_name(source) for node in self.nodes.values() for source in node.inputs}
        return tuple(
            name for name, node in self.nodes.items() if name not in consumed and node.op not in ("NoOp", "Const")
        )

    @property
    def functional_control_flow(self) -> bool:
        """Whether a loop or condition stands in the graph as a call of library functions."""
        return any(node.op in _FUNCTIONAL for node in self.nodes.values())

    @property
    def channels_first(self) -> bool:
        """Whether an operation wants its channels before height and width (NCHW)."""
        return any(node.data_format == "NCHW" for node in self.nodes.values())


def node_name(tensor: str) -> str:
    """The node a tensor or a node's input belongs to: "a/b:1" and "^a/b" -> "a/b"."""
    return tensor.lstrip("^").split(":")[0]


def read_graph(path: str) -> GraphSkeleton:
    """Reads a frozen graph's skeleton.

    Args:
        path: a binary GraphDef.

    Raises:
        ModelError: one sentence, when the file is not there, cannot be read, or is not a usable graph.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise ModelError(
                "{}: this is a folder. SavedModels and checkpoints are not read by this version; freeze the model to one "
                ".pb file and give that.".format(path)
            )
        if not stat.S_ISREG(mode):
            raise ModelError("{}: not a regular file. {}.".format(path, _WANTED))
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ModelError("{}: the model file is empty. Copy or freeze it again.".format(path))
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _read(data, path)
    except FileNotFoundError:
        raise ModelError("{}: there is no such model file. {}, or 'demo'.".format(path, _WANTED))
    except (OSError, ValueError) as error:
        raise ModelError(
            "{}: the model file cannot be read ({}).".format(path, getattr(error, "strerror", None) or error)
        )


def file_digest(path: str) -> str:
    """A file's "sha256:..." digest, read in pieces.

    Raises:
        ModelError: when it cannot be read.
    """
    try:
        return digest_of_file(path)
    except (OSError, ValueError) as error:
        raise ModelError(
            "{}: the model file cannot be read ({}).".format(path, getattr(error, "strerror", None) or error)
        )


def _read(data: Any, path: str) -> GraphSkeleton:
    walker = Walker(data)
    found: List[Tuple[str, GraphNode]] = []
    functions: List[str] = []
    producer = 0
    try:
        for number, wire, start, end in walker.fields(0, len(data)):
            if number == 1 and wire == BYTES:
                found.append(_node(walker, start, end))
            elif number == 2 and wire == BYTES:
                functions.extend(_functions(walker, start, end))
            elif number == 4 and wire == BYTES:
                producer = walker.number(start, end, 1)
            elif (number, wire) not in ((3, VARINT), (5, BYTES)):
                raise Broken("it has a field {} that graphs have not".format(number))
    except Broken as broken:
        raise ModelError(_explain(data, path, str(broken), bool(found)))
    if not found:
        raise ModelError("{}: the graph has no nodes. {}.".format(path, _WANTED))
    nodes = dict(found)
    if len(nodes) < len(found):
        twice = collections.Counter(name for name, _ in found).most_common(1)[0][0]
        raise ModelError("{}: the graph has two nodes named {!r}. Freeze it again.".format(path, twice))
    for name, node in found:
        for source in node.inputs:
            if node_name(source) not in nodes:
                raise ModelError(
                    "{}: the graph is incomplete: node {!r} takes {!r}, which is not there. Copy or freeze it again.".format(
                        path, name, source
                    )
                )
        if node.op.startswith("Placeholder") and node.shape == () and producer < _SCALARS_SINCE:
            nodes[name] = node._replace(shape=None)
    return GraphSkeleton(nodes, tuple(functions), producer)


def _node(walker: Walker, start: int, end: int) -> Tuple[str, GraphNode]:
    name = op = device = ""
    inputs: List[str] = []
    attributes: Dict[str, Tuple[int, int]] = {}
    for number, wire, first, last in walker.fields(start, end):
        if number > 7 or wire != BYTES:
            raise Broken("a node has a field {} that nodes have not".format(number))
        if number == 1:
            name = walker.text(first, last)
        elif number == 2:
            op = walker.text(first, last)
        elif number == 3:
            inputs.append(walker.text(first, last))
        elif number == 4:
            device = walker.text(first, last)
        elif number == 5:
            key, value = _attribute(walker, first, last)
            if key in ("dtype", "shape", "data_format"):
                attributes[key] = value
    if not name or not op.isprintable() or not op:
        raise Broken("a node has no name or no operation")
    node = GraphNode(op, device, tuple(inputs))
    if "data_format" in attributes:
        node = node._replace(data_format=_data_format(walker, *attributes["data_format"]))
    if op.startswith("Placeholder"):
        if "dtype" in attributes:
            node = node._replace(dtype=dtype_name(walker.number(*attributes["dtype"], wanted=6)))
        if "shape" in attributes:
            node = node._replace(shape=_shape(walker, *attributes["shape"]))
    return name, node


def _attribute(walker: Walker, start: int, end: int) -> Tuple[str, Tuple[int, int]]:
    key, value = "", (start, start)
    for number, wire, first, last in walker.fields(start, end):
        if number == 1 and wire == BYTES:
            key = walker.text(first, last)
        elif number == 2 and wire == BYTES:
            value = (first, last)
        else:
            raise Broken("an attribute has a field {} that attributes have not".format(number))
    return key, value


def _data_format(walker: Walker, start: int, end: int) -> Optional[str]:
    for number, wire, first, last in walker.fields(start, end):
        if number == 2 and wire == BYTES:
            return walker.text(first, last)
    return None


def _shape(walker: Walker, start: int, end: int) -> Optional[Shape]:
    for number, wire, first, last in walker.fields(start, end):
        if number == 7 and wire == BYTES:
            return walker.shape(first, last)
    return None


def _functions(walker: Walker, start: int, end: int) -> Iterator[str]:
    """Names of the library's functions: FunctionDefLibrary.function -> FunctionDef.signature -> OpDef.name."""
    for number, wire, first, last in walker.fields(start, end):
        if number != 1 or wire != BYTES:
            continue
        for part, kind, begin, stop in walker.fields(first, last):
            if part == 1 and kind == BYTES:
                for item, form, head, tail in walker.fields(begin, stop):
                    if item == 1 and form == BYTES:
                        yield walker.text(head, tail)


def _explain(data: Any, path: str, why: str, has_nodes: bool) -> str:
    """The sentence for a file that is not a graph: what it is, where that can be told."""
    if has_nodes and why == "cut off":
        return "{}: the graph is cut off after {} bytes. Copy or freeze it again.".format(path, len(data))
    head = data[:512]
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return "{}: this is {}. {}.".format(path, what, _WANTED)
    if head[4:8] == b"TFL3":
        return "{}: this is a TensorFlow Lite model. {}.".format(path, _WANTED)
    kinds = set()
    try:
        for number, wire, _, _ in Walker(data).fields(0, len(data)):
            kinds.add((number, wire))
    except Broken:
        kinds = set()
    if (1, VARINT) in kinds and ((7, BYTES) in kinds or (8, BYTES) in kinds):
        return "{}: this is an ONNX model, which this version does not read. {}.".format(path, _WANTED)
    if kinds == {(1, VARINT), (2, BYTES)} or kinds == {(2, BYTES)}:
        return "{}: this is a SavedModel, which this version does not read; freeze it to a graph first.".format(path)
    if kinds and kinds <= {(number, BYTES) for number in range(1, 8)} and (3, BYTES) in kinds:
        return "{}: this is a checkpoint's .meta file, which has no weights; freeze the checkpoint first.".format(path)
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        what = "a graph in text form; write it in binary" if b"node {" in head else "a text file"
        return "{}: this is {}. {}.".format(path, what, _WANTED)
    return "{}: not a TensorFlow graph, or a damaged one ({}). {}.".format(path, why, _WANTED)
