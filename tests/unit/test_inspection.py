"""`divainfer inspect`: what a model's files show, and what is said of where it will run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow
from tiny_graphs import encode_contract, encode_node, field, write_graph

from divainfer.errors import ModelError
from divainfer.modelfile.architecture import Architecture
from divainfer.modelfile.facts import GraphFacts, Tensor
from divainfer.modelfile.inspection import Inspection, inspect_model
from divainfer.modelfile.operations import known_operations, later_and_unknown

NCHW = {"data_format": field(2, b"NCHW")}


def look(tmp_path: Path, data: bytes) -> Inspection:
    path = tmp_path / "obj.pb"
    path.write_bytes(data)
    return inspect_model(str(path))


def facts(tmp_path: Path, data: bytes) -> GraphFacts:
    graph = look(tmp_path, encode_contract() + data).graph
    assert graph is not None
    return graph


def test_a_frozen_graph(tmp_path: Path) -> None:
    found = look(tmp_path, encode_contract((None, 1080, 3)))
    assert found.form == "frozen graph" and found.refusal == "" and found.card == ""
    assert found.files == {str(tmp_path / "obj.pb"): os.path.getsize(str(tmp_path / "obj.pb"))}
    assert found.tensors["boxes"] == "final_boxes:0" and found.tensors["image"] == "image:0"
    graph = found.graph
    assert graph is not None
    assert graph.inputs == [Tensor("image:0", "float32", (None, 1080, 3))]
    assert graph.sinks == ["final_boxes", "final_labels", "final_probs"]
    assert graph.ops == {"Identity": 3, "Placeholder": 1} and graph.nodes == 4
    assert found.remarks == ["TensorFlow 1.14 and 2 have all of its operations."]
    text = "\n".join(found.lines())
    for words in ("image:0 float32 [?, 1080, 3]", "boxes final_boxes:0", "4, GraphDef version 38", "no model card"):
        assert words in text


def test_it_can_be_written_as_json(tmp_path: Path) -> None:
    plain = json.loads(json.dumps(look(tmp_path, encode_contract()).to_json()))
    assert plain["graph"]["inputs"] == [{"name": "image:0", "dtype": "float32", "shape": [None, None, 3]}]
    assert plain["remarks"] and plain["notes"] and plain["digest"].startswith("sha256:")


def test_what_a_run_would_refuse(tmp_path: Path) -> None:
    found = look(tmp_path, encode_node("x", "Placeholder", dtype=1) + encode_node("y", "Identity", ["x"]))
    assert "no input image:0" in found.refusal and found.tensors == {}
    assert found.remarks[0].startswith("A run refuses it: ")
    assert "ends      y" in "\n".join(found.lines())


def test_a_card_that_is_broken(tmp_path: Path) -> None:
    (tmp_path / "obj.config.json").write_text("{")
    found = look(tmp_path, encode_contract())
    assert "cannot be read" in found.card and found.refusal == found.card


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a text file"):
        look(tmp_path, b"\nhello, this is text\n")
    with pytest.raises(ModelError, match="no such model file"):
        inspect_model(str(tmp_path / "gone.pb"))


@pytest.mark.parametrize(
    ["data", "words"],
    [
        (encode_node("c", "Conv2D", ["image"], attributes=NCHW), "on CPU workers 1 of its operations are rewritten"),
        (encode_node("c", "LRN", ["image"], attributes=NCHW), "Not rewritten is LRN in NCHW"),
        (encode_node("c", "Relu", ["image"], "/gpu:0"), "1 of its nodes are pinned"),
        (
            encode_node("c", "NonMaxSuppressionV5"),
            "1.14 does not have NonMaxSuppressionV5: it runs on TensorFlow 2 only",
        ),
        (encode_node("c", "TRTEngineOp"), "compiled for TensorRT"),
        (encode_node("c", "DeformConv"), "No plain TensorFlow up to 2.21 has DeformConv"),
        (field(4, field(1, 2474)), "GraphDef version 2474, 1.14 writes 38"),
    ],
)
def test_remarks(tmp_path: Path, data: bytes, words: str) -> None:
    remarks = facts(tmp_path, data).remarks
    assert sum(words in remark for remark in remarks) == 1


def test_a_bias_in_either_layout_is_nothing_to_remark(tmp_path: Path) -> None:
    found = facts(tmp_path, encode_node("c", "BiasAdd", ["image"], attributes=NCHW))
    assert found.layouts == {"NCHW": 1} and len(found.remarks) == 1


def test_functions_are_looked_into(tmp_path: Path) -> None:
    node = encode_node("c", "Conv2D", ["x"], attributes=NCHW)[2:]
    library = field(2, field(1, field(1, field(1, "body")) + field(3, node)))
    found = facts(tmp_path, encode_node("loop", "While") + encode_node("call", "body") + library)
    assert found.functions == 1 and found.ops["Conv2D"] == 1
    assert found.control_flow == {"While": 1}
    # A call of a function by its name is no unknown operation.
    assert found.unknown == []
    assert any("in functions (body)" in remark and "GPU workers only" in remark for remark in found.remarks)


def test_loops_of_the_old_kind(tmp_path: Path) -> None:
    data = encode_node("e", "Enter", ["image"]) + encode_node("x", "Exit", ["e"]) + encode_node("y", "Exit", ["e"])
    assert facts(tmp_path, data).control_flow == {"Exit": 2, "Enter": 1}


@pytest.mark.parametrize("kind", ["one", "nchw", "loop", "pinned"])
def test_real_graphs(tmp_path: Path, kind: str) -> None:
    path = str(tmp_path / "real.pb")
    write_graph(path, kind)
    found = inspect_model(path)
    graph = found.graph
    assert graph is not None and found.refusal == ""
    assert graph.unknown == [] and 0 < graph.weights < os.path.getsize(path)
    assert bool(graph.layouts.get("NCHW")) == (kind == "nchw")
    assert (graph.devices == {"/gpu:0": graph.nodes}) == (kind == "pinned")
    assert bool(set(graph.control_flow) & {"While", "StatelessWhile"}) == (kind == "loop")


def test_a_checkpoint(tmp_path: Path) -> None:
    architecture = Architecture(resnet=50, num_class=3)
    path = str(tmp_path / "w.npz")
    values: Any = {name: np.broadcast_to(np.float32(0), shape) for name, shape in architecture.variables().items()}
    np.savez_compressed(path, global_step=np.int64(7), **values)
    found = inspect_model(path, {"use_dilation": "true"})
    assert found.form == "checkpoint" and found.graph is None and found.refusal == ""
    variables = found.variables
    assert variables is not None
    assert variables.detector == dict(architecture.to_json(), use_dilation=True)
    assert variables.unused == ["global_step"] and variables.total == len(values) + 1
    assert variables.numbers == 1 + sum(value.size for value in values.values())
    assert variables.dtypes == {"float32": len(values), "int64": 1}
    text = "\n".join(found.lines())
    assert "resnet 50, num_class 3, use_dilation true" in text and "NHWC on CPU workers" in text
    json.dumps(found.to_json())


def test_a_checkpoint_of_something_else(tmp_path: Path) -> None:
    path = str(tmp_path / "w.npz")
    np.savez(path, **{"dense/kernel": np.zeros((2, 3), np.float32)})
    found = inspect_model(path)
    assert found.variables is not None and found.variables.detector is None
    assert "not those of a Faster R-CNN" in found.refusal
    assert "1 with 6 numbers (float32 1)" in "\n".join(found.lines())


# --- the table of operations


def registered() -> set:
    """What the TensorFlow at hand has."""
    from tensorflow.core.framework import op_def_pb2

    try:
        from tensorflow.python.client import pywrap_tf_session as binding
    except ImportError:
        from tensorflow.python import pywrap_tensorflow as binding
    operations = op_def_pb2.OpList.FromString(binding.TF_GetBuffer(binding.TF_GetAllOpList()))
    return {operation.name for operation in operations.op if not operation.name.startswith("_")}


@pytest.mark.skipif(
    not tensorflow.__version__.startswith("1.14"), reason="only TensorFlow 1.14 can tell: runs on the pinned leg"
)
def test_the_table_has_what_tensorflow_1_14_has() -> None:
    assert registered() == known_operations().first


@pytest.mark.skipif(
    not tensorflow.__version__.startswith("2.21"), reason="only TensorFlow 2.21 can tell: runs on the current leg"
)
def test_the_table_has_what_tensorflow_2_has() -> None:
    known = known_operations()
    plain = {name for name in registered() if ">" not in name}
    assert plain - known.first == known.later


def test_later_and_unknown_operations() -> None:
    assert later_and_unknown(["Conv2D", "TRTEngineOp", "Einsum", "Mine"]) == (["Einsum"], ["Mine", "TRTEngineOp"])
