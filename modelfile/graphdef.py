"""The skeleton of a graph, read without TensorFlow: nodes and what they say of themselves, without the weights.

The dispatcher never imports TensorFlow, yet must refuse a wrong model file before any process starts. A `.pb` is a
protocol-buffers message (`GraphDef`). This walks over the mapped file and jumps over the weights, so that a file of
hundreds of megabytes takes a fraction of a second.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import mmap
import os
import stat
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from ..digest import digest_of_file
from ..errors import ModelError
from .wire import BYTES, VARINT, Broken, Shape, Walker, dtype_name

# Before this GraphDef version a placeholder's empty shape meant "unknown", not "a scalar".
_SCALARS_SINCE = 24
#: Kinds of nodes that hold a variable.
VARIABLE_OPS = ("Variable", "VariableV2", "VarHandleOp")
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
_WANTED = "Give a frozen TensorFlow graph (.pb), a checkpoint or a SavedModel"


class GraphNode(NamedTuple):
    """One operation.

    Attributes:
        op: kind, such as "Conv2D".
        device: where it is pinned, or "".
        inputs: as written: "name", "name:1", or "^name" for "after name".
        dtype: of a placeholder, such as "float32"; None elsewhere and when not said.
        shape: of a placeholder; None when not even the rank is known.
        data_format: such as "NCHW"; None when the operation does not say.
        weights: bytes of the value of a constant; 0 for others.
    """

    op: str
    device: str = ""
    inputs: Tuple[str, ...] = ()
    dtype: Optional[str] = None
    shape: Optional[Shape] = None
    data_format: Optional[str] = None
    weights: int = 0


@dataclasses.dataclass(frozen=True)
class GraphSkeleton:
    """A graph without its weights."""

    #: Node name to node, in the file's order.
    nodes: Mapping[str, GraphNode]
    #: Names of the library's functions to their nodes.
    functions: Mapping[str, Tuple[GraphNode, ...]] = dataclasses.field(default_factory=dict)
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
    def channels_first(self) -> bool:
        """Whether an operation wants its channels before height and width (NCHW); functions aside."""
        return any(node.data_format == "NCHW" for node in self.nodes.values())

    @property
    def channels_first_functions(self) -> Tuple[str, ...]:
        """Names of the functions that have such an operation."""
        return tuple(
            name for name, nodes in self.functions.items() if any(node.data_format == "NCHW" for node in nodes)
        )

    def everything(self) -> Iterator[GraphNode]:
        """All nodes, those of the functions included."""
        yield from self.nodes.values()
        for nodes in self.functions.values():
            yield from nodes


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
    with mapped(path) as data:
        try:
            graph = read_nodes(Walker(data), 0, len(data), path)
        except Broken as broken:
            raise ModelError(_explain(data, path, str(broken)))
        if not graph.nodes:
            raise ModelError("{}: the graph has no nodes. {}.".format(path, _WANTED))
        return graph


@contextlib.contextmanager
def mapped(path: str) -> Iterator[mmap.mmap]:
    """A model file's bytes.

    Raises:
        ModelError: one sentence, when the file is not there or cannot be read.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise ModelError("{}: this is a folder, a file is wanted.".format(path))
        if not stat.S_ISREG(mode):
            raise ModelError("{}: not a regular file. {}.".format(path, _WANTED))
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ModelError("{}: the model file is empty. Copy or freeze it again.".format(path))
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield data
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


def read_nodes(walker: Walker, start: int, end: int, path: str) -> GraphSkeleton:
    """The skeleton of a `GraphDef` somewhere in a file.

    Args:
        walker: over the file.
        start: where the message begins.
        end: where it ends.
        path: the file, for messages.

    Raises:
        Broken: when it is no GraphDef.
        ModelError: when it is one that cannot be used.
    """
    found: List[Tuple[str, GraphNode]] = []
    functions: Dict[str, Tuple[GraphNode, ...]] = {}
    producer = 0
    for number, wire, first, last in walker.fields(start, end):
        if number == 1 and wire == BYTES:
            found.append(_node(walker, first, last))
        elif number == 2 and wire == BYTES:
            functions.update(_functions(walker, first, last))
        elif number == 4 and wire == BYTES:
            producer = walker.number(first, last, 1)
        elif (number, wire) not in ((3, VARINT), (5, BYTES)):
            raise Broken("it has a field {} that graphs have not".format(number))
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
    return GraphSkeleton(nodes, functions, producer)


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
            if key in ("dtype", "shape", "data_format", "value"):
                attributes[key] = value
    if not name or not op.isprintable() or not op:
        raise Broken("a node has no name or no operation")
    node = GraphNode(op, device, tuple(inputs))
    if "data_format" in attributes:
        node = node._replace(data_format=_data_format(walker, *attributes["data_format"]))
    if op == "Const" and "value" in attributes:
        node = node._replace(weights=attributes["value"][1] - attributes["value"][0])
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


def _functions(walker: Walker, start: int, end: int) -> Iterator[Tuple[str, Tuple[GraphNode, ...]]]:
    """The library's functions: FunctionDefLibrary.function -> FunctionDef, whose signature (OpDef) has the name."""
    for number, wire, first, last in walker.fields(start, end):
        if number != 1 or wire != BYTES:
            continue
        name, nodes = "", []
        for part, kind, begin, stop in walker.fields(first, last):
            if part == 1 and kind == BYTES:
                for item, form, head, tail in walker.fields(begin, stop):
                    if item == 1 and form == BYTES:
                        name = walker.text(head, tail)
            elif part == 3 and kind == BYTES:
                nodes.append(_node(walker, begin, stop)[1])
        yield name, tuple(nodes)


def _begins_with_node(data: Any) -> bool:
    try:
        number, _, start, end = next(Walker(data).fields(0, len(data)))
        return number == 1 and bool(_node(Walker(data), start, end))
    except (Broken, StopIteration):
        return False


def _explain(data: Any, path: str, why: str) -> str:
    """The sentence for a file that is not a graph: what it is, where that can be told."""
    if why == "cut off" and _begins_with_node(data):
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
        return "{}: this is the saved_model.pb of a SavedModel; give the SavedModel's folder.".format(path)
    if kinds and kinds <= {(number, BYTES) for number in range(1, 8)} and (3, BYTES) in kinds:
        return "{}: this is a checkpoint's .meta file, which has no weights; give the checkpoint itself.".format(path)
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        what = "a graph in text form; write it in binary" if b"node {" in head else "a text file"
        return "{}: this is {}. {}.".format(path, what, _WANTED)
    return "{}: not a TensorFlow graph, or a damaged one ({}). {}.".format(path, why, _WANTED)
