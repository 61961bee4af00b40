"""The reader of graph skeletons: what it finds, and one sentence for whatever else people give."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tiny_graphs import encode_contract, encode_node, field

from divainfer.errors import ModelError
from divainfer.modelfile.graphdef import GraphNode, GraphSkeleton, file_digest, node_name, read_graph


def write(tmp_path: Path, data: bytes, name: str = "obj.pb") -> str:
    path = tmp_path / name
    path.write_bytes(data)
    return str(path)


def refusal(path: str) -> str:
    """The sentence with which a file is refused."""
    with pytest.raises(ModelError) as caught:
        read_graph(path)
    sentence = str(caught.value)
    assert sentence.startswith(path) and "\n" not in sentence[len(path) :]
    return sentence[len(path) :]


def test_nodes_and_what_they_say(tmp_path: Path) -> None:
    data = (
        encode_node("image", "Placeholder", dtype=1, shape=(None, 1080, 3))
        + encode_node("w", "Const", attributes={"value": field(8, b"\0" * 1000), "dtype": field(6, 1)})
        + encode_node("c", "Conv2D", ["image", "w:0"], "/gpu:0", attributes={"data_format": field(2, b"NCHW")})
        + encode_node("out", "Identity", ["c:0", "^w"])
        + field(4, field(1, 38))
    )
    graph = read_graph(write(tmp_path, data))
    assert graph.nodes == {
        "image": GraphNode("Placeholder", dtype="float32", shape=(None, 1080, 3)),
        "w": GraphNode("Const", weights=1003),
        "c": GraphNode("Conv2D", "/gpu:0", ("image", "w:0"), data_format="NCHW"),
        "out": GraphNode("Identity", "", ("c:0", "^w")),
    }
    assert graph.ops == {"Placeholder": 1, "Const": 1, "Conv2D": 1, "Identity": 1}
    assert graph.placeholders == ("image",)
    assert graph.sinks == ("out",)
    assert graph.channels_first
    assert graph.producer == 38


@pytest.mark.parametrize(
    ["shape", "producer", "found"],
    [
        ((4, None, None, 3), 38, (4, None, None, 3)),
        ("unknown", 38, None),
        (None, 38, None),
        ((), 38, ()),
        ((), 20, None),
        ((0, 3), 38, (0, 3)),
    ],
)
def test_placeholder_shapes(tmp_path: Path, shape: object, producer: int, found: object) -> None:
    data = encode_node("image", "Placeholder", dtype=4, shape=shape) + field(4, field(1, producer))
    node = read_graph(write(tmp_path, data)).nodes["image"]
    assert (node.dtype, node.shape) == ("uint8", found)


def test_an_unknown_dtype_keeps_its_number(tmp_path: Path) -> None:
    assert read_graph(write(tmp_path, encode_node("x", "Placeholder", dtype=99))).nodes["x"].dtype == "type 99"


def test_functions_of_the_library(tmp_path: Path) -> None:
    def function(name: str) -> bytes:
        # A node of a graph and one of a function have the same bytes behind another field number.
        node = encode_node("c", "Conv2D", ["x"], attributes={"data_format": field(2, b"NCHW")})[2:]
        return field(1, field(1, field(1, name) + field(5, "more")) + (field(3, node) if name == "body" else b""))

    library = field(2, function("body") + function("cond"))
    graph = read_graph(write(tmp_path, encode_node("loop", "While") + library))
    assert graph.functions == {"body": (GraphNode("Conv2D", inputs=("x",), data_format="NCHW"),), "cond": ()}
    assert graph.channels_first_functions == ("body",) and not graph.channels_first
    assert [node.op for node in graph.everything()] == ["While", "Conv2D"]


def test_node_names() -> None:
    assert [node_name(text) for text in ("a/b", "a/b:1", "^a/b")] == ["a/b"] * 3


def test_no_file(tmp_path: Path) -> None:
    assert "no such model file" in refusal(str(tmp_path / "none.pb"))


def test_a_folder(tmp_path: Path) -> None:
    assert "this is a folder" in refusal(str(tmp_path))


def test_a_pipe(tmp_path: Path) -> None:
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    assert "not a regular file" in refusal(path)


def test_a_path_that_cannot_be() -> None:
    with pytest.raises(ModelError):
        read_graph("a\0b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file(tmp_path: Path) -> None:
    path = write(tmp_path, encode_contract())
    os.chmod(path, 0)
    assert "Permission denied" in refusal(path)


@pytest.mark.parametrize(
    ["data", "words"],
    [
        (b"", "is empty"),
        (field(4, field(1, 38)), "no nodes"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a JPEG image"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"PK\x03\x04....", "a zip archive"),
        (b"\x1f\x8b\x08\0\0", "gzip"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
        (b"\x1c\0\0\0TFL3" + bytes(20), "TensorFlow Lite"),
        (b'node {\n  name: "image"\n  op: "Placeholder"\n}\n', "in text form"),
        (b"\nhello, this is text\n", "a text file"),
        (b"\0" * 100, "not a TensorFlow graph"),
        (field(1, 7) + field(2, "pytorch") + field(7, b"\x0a\x00") + field(8, field(2, 17)), "an ONNX model"),
        (field(1, 1) + field(2, field(1, field(5, "2.21")) + field(2, b"")), "a SavedModel"),
        (field(1, field(2, b"\x0a\x00\x07")) + field(2, b"graph") + field(3, b"saver"), ".meta file"),
        (field(1, field(1, "name")), "no name or no operation"),
        (encode_node("a", "NoOp") + encode_node("a", "NoOp"), "two nodes named 'a'"),
        (encode_node("a", "Identity", ["gone:0"]), "'gone:0', which is not there"),
        (field(1, b"\x0b"), "unknown kind 3"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "longer than 10 bytes"),
        (field(1, b"\x0a\xff\xff\xff\xff\x0fabc"), "not a TensorFlow graph"),
        (encode_node("\x00" * 5000, "NoOp"), "a name has 5000 bytes"),
        (field(1, field(1, b"\xff\xfe") + field(2, "NoOp")), "a name is not text"),
    ],
)
def test_other_files(tmp_path: Path, data: bytes, words: str) -> None:
    assert words in refusal(write(tmp_path, data))


def test_a_cut_file_is_called_so(tmp_path: Path) -> None:
    whole = encode_contract()
    assert "cut off after {} bytes".format(len(whole) // 2) in refusal(write(tmp_path, whole[: len(whole) // 2]))


def test_each_prefix_is_refused_or_read(tmp_path: Path) -> None:
    whole = encode_contract(more=["final_masks"])
    for size in range(len(whole)):
        try:
            graph = read_graph(write(tmp_path, whole[:size]))
        except ModelError:
            continue
        assert set(graph.nodes) <= set(read_graph(write(tmp_path, whole)).nodes)


@settings(max_examples=500, deadline=2000, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300))
@example(b"\x0a\x00")
@example(b"\x12\x02\x0a\x00")
def test_any_bytes_give_a_graph_or_a_sentence(tmp_path: Path, data: bytes) -> None:
    _read_or_refuse(write(tmp_path, data))


@settings(max_examples=500, deadline=2000, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_damaged_graph_gives_a_graph_or_a_sentence(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(encode_contract(shape=(4, None, None, 3), more=["final_valid_indices"]))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    _read_or_refuse(write(tmp_path, bytes(whole[: data.draw(st.integers(0, len(whole)))])))


def test_a_hostile_file_does_not_hold_us(tmp_path: Path) -> None:
    path = write(tmp_path, encode_node("a", "NoOp", attributes={"x": field(6, 1)}) + field(3, 0) * 4000000)
    started = time.process_time()
    assert "more than" in refusal(path)
    assert time.process_time() - started < 30


def test_weights_are_jumped_over(tmp_path: Path) -> None:
    path = str(tmp_path / "large.pb")
    size = 200000000
    node = field(1, "w") + field(2, "Const")
    # The fields' heads for a tensor of `size` zero bytes, which stay a hole in the file.
    entry = field(1, "value")
    tensor_head = _length(4, size)
    value_head = _length(8, len(tensor_head) + size)
    attribute_head = _length(2, len(value_head) + len(tensor_head) + size)
    in_entry = entry + attribute_head + value_head + tensor_head
    entry_head = _length(5, len(in_entry) + size)
    body = node + entry_head + in_entry
    with open(path, "wb") as file:
        file.write(_length(1, len(body) + size) + body)
        file.seek(size, os.SEEK_CUR)
        file.write(encode_node("out", "Identity", ["w"]))
    started = time.process_time()
    assert list(read_graph(path).nodes) == ["w", "out"]
    assert time.process_time() - started < 1


def test_digest(tmp_path: Path) -> None:
    data = os.urandom(3000000)
    assert file_digest(write(tmp_path, data)) == "sha256:" + hashlib.sha256(data).hexdigest()
    with pytest.raises(ModelError, match="cannot be read"):
        file_digest(str(tmp_path / "none.pb"))


def _length(number: int, size: int) -> bytes:
    """The head of a field of `size` bytes."""
    return _varint(number << 3 | 2) + _varint(size)


def _varint(value: int) -> bytes:
    # A whole number's field is its key and the number; field 1 has a key of one byte.
    return field(1, value)[1:]


def _read_or_refuse(path: str) -> None:
    try:
        graph = read_graph(path)
    except ModelError as error:
        assert str(error).startswith(path)
        return
    assert isinstance(graph, GraphSkeleton) and graph.nodes
    assert graph.ops and isinstance(graph.sinks, tuple)
