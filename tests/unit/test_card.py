"""The model card, and a model file with its card: what is taken, assumed and refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_graphs import encode_contract, encode_node, field

from divainfer.errors import ConfigError, ModelError
from divainfer.modelfile.card import Card, card_path, parse_card, read_card, write_card
from divainfer.modelfile.classes import DIVA
from divainfer.modelfile.graphdef import file_digest
from divainfer.modelfile.graphinput import GraphInput
from divainfer.modelfile.spec import model_path, resolve_model

FULL = {
    "card": 1,
    "name": "obj",
    "inputs": {"image": "frames"},
    "outputs": {"boxes": "b:0", "labels": "l", "scores": "s:1", "valid": "v", "masks": ""},
    "batch_size": 4,
    "short_edge_size": 720,
    "max_size": 1280.0,
    "colour_order": "RGB",
    "classes": ["BG", "Cat"],
    "detector": {"resnet": 50, "use_dilation": True},
    "digest": "sha256:00",
}


def model(tmp_path: Path, data: bytes, **card: Any) -> str:
    """A model file, with a card when any key of one is given."""
    path = tmp_path / "obj.pb"
    path.write_bytes(data)
    if card:
        (tmp_path / "obj.config.json").write_text(json.dumps(dict({"card": 1}, **card)))
    return str(path)


def refusal(path: str, **more: str) -> str:
    with pytest.raises(ModelError) as caught:
        resolve_model(path, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- the card alone


def test_a_card_with_all_keys() -> None:
    card = parse_card(FULL, "x.json")
    assert card == Card(
        name="obj",
        image="frames:0",
        outputs={"boxes": "b:0", "labels": "l:0", "scores": "s:1", "valid": "v:0", "masks": ""},
        batch_size=4,
        short_edge_size=720,
        max_size=1280,
        colour_order="RGB",
        classes=("BG", "Cat"),
        detector={"resnet": 50, "use_dilation": True},
        digest="sha256:00",
        source="x.json",
    )


def test_a_card_is_written_as_it_is_read(tmp_path: Path) -> None:
    card = parse_card(FULL, "x.json")
    path = str(tmp_path / "obj.config.json")
    write_card(card, path)
    again = read_card(str(tmp_path / "obj.pb"))
    assert again.to_json() == card.to_json()
    assert again.source == path


def test_the_least_card() -> None:
    assert parse_card({"card": 1}, "") == Card()


def test_no_card(tmp_path: Path) -> None:
    assert read_card(str(tmp_path / "obj.pb")) == Card(name="obj")


@pytest.mark.parametrize(
    ["change", "words"],
    [
        ({"card": 2}, "card version 2"),
        ({"colors": []}, "unknown key 'colors'"),
        ({"outputs": {"bboxes": "x"}}, "unknown output 'bboxes'"),
        ({"outputs": ["x"]}, "outputs must map"),
        ({"outputs": {"boxes": 3}}, "outputs must map"),
        ({"colour_order": "GRB"}, "BGR or RGB"),
        ({"classes": "BG"}, "list of names"),
        ({"digest": "md5:0"}, "digest must read"),
        ({"name": 3}, "name must be text"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"max_size": "large"}, "max_size is 'large'"),
        ({"max_size": True}, "max_size is True"),
        ({"detector": [1]}, "detector must be an object"),
        ({"detector": {"depth": 50}}, "unknown key 'depth'; known are class_agnostic"),
        ({"detector": {"resnet": 34}}, "detector: resnet is 34"),
        ({"detector": {"resnet": [50]}}, "detector: resnet is"),
        ({"detector": {"use_dilation": 1}}, "detector: use_dilation is 1"),
    ],
)
def test_wrong_cards(change: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        parse_card(dict(FULL, **change), "obj.config.json")
    assert str(caught.value).startswith("obj.config.json: ")


@pytest.mark.parametrize("text", ["", "{", "[1]", '"card"', "\ufffe"])
def test_cards_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "obj.config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match="card"):
        read_card(str(tmp_path / "obj.pb"))


def test_the_record_of_2019() -> None:
    record = {"max_size": 1920, "short_edge_size": 1080.0, "im_batch_size": 4, "classname2id": {"Person": 1, "BG": 0}}
    card = parse_card(record, "obj.config.json")
    assert (card.max_size, card.short_edge_size, card.classes) == (1920, 1080, ("BG", "Person"))
    # Images a step over all GPUs of a process, not the graph's batch.
    assert card.batch_size is None
    assert card.source == "2019 record obj.config.json"
    assert card.detector == {}


def test_what_the_record_of_2019_says_of_the_detector() -> None:
    record = {
        "resnet_num_block": [3, 4, 23, 3],
        "use_dilations": True,
        "num_class": 15,
        "rpn_test_post_nms_topk": 1000,
        "use_frcnn_class_agnostic": False,
        "rpn_batch_size": 256,
    }
    said = {
        "resnet": 101,
        "use_dilation": True,
        "num_class": 15,
        "rpn_test_post_nms_topk": 1000,
        "class_agnostic": False,
    }
    assert parse_card(record, "obj.config.json").detector == said
    odd = dict(record, resnet_num_block=[1, 2], use_dilations="yes", num_class=None, rpn_test_post_nms_topk=0)
    assert parse_card(odd, "obj.config.json").detector == {"class_agnostic": False}


@pytest.mark.parametrize("model", ["obj_v3_model", "obj_v3_model/", "v3.1", "./v3.1/"])
def test_the_card_of_a_folder_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir(model)
    assert card_path(model) == model.rstrip("/") + ".config.json"
    assert read_card(model).name == os.path.basename(model.rstrip("/"))


def test_the_card_of_a_checkpoint_s_prefix(tmp_path: Path) -> None:
    prefix = str(tmp_path / "model.ckpt-7")
    (tmp_path / "model.ckpt-7.index").write_bytes(b"")
    for path in (prefix, prefix + ".index", prefix + ".data-00000-of-00001"):
        assert card_path(path) == prefix + ".config.json"
    assert card_path(str(tmp_path / "COCO-R50FPN.npz")) == str(tmp_path / "COCO-R50FPN.config.json")


# --- the card and the model file


def test_a_contract_graph_without_a_card(tmp_path: Path) -> None:
    path = model(tmp_path, encode_contract())
    found = resolve_model(path)
    assert found.path == path
    assert found.digest == file_digest(path)
    assert found.input == GraphInput(False, None, None, None, "float32")
    assert found.card == Card(name="obj", short_edge_size=1080, max_size=1920)
    assert len(found.notes) == 3
    assert all(path in note for note in found.notes)
    assert "--class-list" in found.notes[1] and card_path(path) in found.notes[1]


def test_a_full_card_leaves_nothing_to_say(tmp_path: Path) -> None:
    data = encode_contract()
    digest = file_digest(model(tmp_path, data))
    path = model(tmp_path, data, short_edge_size=720, max_size=1280, classes=["BG", "Cat"], digest=digest)
    found = resolve_model(path)
    assert found.notes == []
    assert (found.card.short_edge_size, found.card.max_size, found.card.classes) == (720, 1280, ("BG", "Cat"))


def test_the_class_list_names_the_classes(tmp_path: Path) -> None:
    path = model(tmp_path, encode_contract())
    assert resolve_model(path, "diva").card.classes == DIVA
    with pytest.raises(ConfigError, match="--class-list nowhere"):
        resolve_model(path, "nowhere")


def test_the_class_list_wins_over_the_card(tmp_path: Path) -> None:
    path = model(tmp_path, encode_contract(), classes=["BG", "Cat"], max_size=9, short_edge_size=9)
    found = resolve_model(path, "diva")
    assert found.card.classes == DIVA
    assert len(found.notes) == 1 and "--class-list diva" in found.notes[0]


def test_a_card_of_another_model(tmp_path: Path) -> None:
    assert "belongs to another model file" in refusal(model(tmp_path, encode_contract(), digest="sha256:" + "0" * 64))


@pytest.mark.parametrize(
    ["shape", "card", "found"],
    [
        ((None, None, 3), {}, (False, None, None, None)),
        ((720, 1280, 3), {}, (False, None, 720, 1280)),
        ((None, None, None), {}, (False, None, None, None)),
        ((4, None, None, 3), {}, (True, 4, None, None)),
        ((4, None, None, 3), {"batch_size": 4}, (True, 4, None, None)),
        ((None, None, None, 3), {}, (True, None, None, None)),
        ((None, 720, 1280, 3), {"batch_size": 2}, (True, 2, 720, 1280)),
        ("unknown", {}, (False, None, None, None)),
        ("unknown", {"batch_size": 2}, (True, 2, None, None)),
        (None, {}, (False, None, None, None)),
    ],
)
def test_what_a_graph_takes(tmp_path: Path, shape: Any, card: Any, found: Any) -> None:
    resolved = resolve_model(model(tmp_path, encode_contract(shape), **card))
    assert resolved.input == GraphInput(*found, dtype="float32")
    assert resolved.card.batch_size == found[1]


def test_uint8_is_taken(tmp_path: Path) -> None:
    assert resolve_model(model(tmp_path, encode_contract(dtype=4))).input.dtype == "uint8"


@pytest.mark.parametrize(
    ["shape", "dtype", "card", "words"],
    [
        ((None, 3), 1, {}, r"has the shape [?, 3]"),
        ((None, None, 1), 1, {}, r"has the shape [?, ?, 1]"),
        ((), 1, {}, r"has the shape []"),
        ((1, 3, 720, 1280), 1, {}, "[1, 3, 720, 1280]"),
        ((None, None, 3), 7, {}, "is string"),
        ((None, None, 3), 1, {"batch_size": 4}, "takes one image"),
        ((None, None, 3), 1, {"outputs": {"valid": "final_masks"}}, "takes one image"),
        ((8, None, None, 3), 1, {"batch_size": 4}, "batch_size is 4, but the graph takes batches of 8"),
    ],
)
def test_what_no_detector_takes(tmp_path: Path, shape: Any, dtype: int, card: Any, words: str) -> None:
    assert words in refusal(model(tmp_path, encode_contract(shape, dtype, more=["final_masks"]), **card))


def test_optional_outputs_are_found(tmp_path: Path) -> None:
    more = ["final_valid_indices", "final_masks"]
    batched = resolve_model(model(tmp_path, encode_contract((None, None, None, 3), more=more)))
    assert batched.card.outputs["valid"] == "final_valid_indices:0"
    assert batched.card.outputs["masks"] == "final_masks:0"
    unknown = resolve_model(model(tmp_path, encode_contract("unknown", more=more)))
    assert unknown.input.batched
    one = resolve_model(model(tmp_path, encode_contract(more=more)))
    assert "valid" not in one.card.outputs


def test_a_card_can_leave_masks_out(tmp_path: Path) -> None:
    data = encode_contract(more=["final_masks"])
    assert "masks" in resolve_model(model(tmp_path, data)).card.outputs
    assert "masks" not in resolve_model(model(tmp_path, data, outputs={"masks": ""})).card.outputs


def test_other_names_need_a_card(tmp_path: Path) -> None:
    data = encode_contract(image="frames", more=["other"])
    sentence = refusal(model(tmp_path, data))
    assert "no input image:0" in sentence and "candidates are: frames" in sentence and "obj.config.json" in sentence
    assert resolve_model(model(tmp_path, data, inputs={"image": "frames"})).card.image == "frames:0"


@pytest.mark.parametrize("tensor", ["gone", "final_boxes:x", "", "final_boxes:0:0"])
def test_missing_outputs_are_named(tmp_path: Path, tensor: str) -> None:
    sentence = refusal(model(tmp_path, encode_contract(), outputs={"boxes": tensor, "masks": "nowhere"}))
    assert "nowhere:0" in sentence and "candidates are: final_boxes, final_labels, final_probs" in sentence


def test_many_candidates_are_cut(tmp_path: Path) -> None:
    more = ["output_{}".format(index) for index in range(30)]
    sentence = refusal(model(tmp_path, encode_contract(more=more), outputs={"boxes": "gone"}))
    assert sentence.endswith(", ....") and len(sentence) < 500


def test_variables_are_refused(tmp_path: Path) -> None:
    data = encode_contract() + encode_node("w", "VariableV2") + encode_node("v", "VarHandleOp")
    assert "not frozen, it has 2 variables" in refusal(model(tmp_path, data))


def test_a_fed_tensor_in_the_middle(tmp_path: Path) -> None:
    data = encode_contract() + encode_node("resized", "Cast", ["image"])
    found = resolve_model(model(tmp_path, data, inputs={"image": "resized"}))
    assert found.input == GraphInput(False, None, None, None, "float32")


def test_demo_is_the_built_in_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").write_bytes(b"something else")
    assert model_path("demo").replace("\\", "/").endswith("/model/demo/demo.pb")
    assert model_path("./demo") == "./demo"


def test_awkward_folders(weird_path: str) -> None:
    path = weird_path + "/obj.pb"
    with open(path, "wb") as file:
        file.write(encode_contract())
    assert resolve_model(path).path == path


def test_neither_tensorflow_nor_protobuf_is_imported() -> None:
    code = (
        "import sys, divainfer.modelfile.spec, divainfer.worker.engines, divainfer.worker.engines.tensorflow\n"
        "sys.exit(any(name.split('.')[0] == 'tensorflow' or name == 'google.protobuf' for name in sys.modules))"
    )
    assert subprocess.call([sys.executable, "-c", code]) == 0


def test_a_field_is_encoded_as_protobuf_does() -> None:
    assert field(1, 150) == b"\x08\x96\x01"
    assert field(2, "testing") == b"\x12\x07testing"
