"""The form of a model, checkpoints as models, and SavedModels, without TensorFlow: what is taken, assumed and refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, Sequence, Tuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_graphs import encode_contract, encode_node, field

from divainfer.config import RunConfig
from divainfer.dispatcher.plan import make_plan
from divainfer.errors import ConfigError, ModelError
from divainfer.modelfile.architecture import Architecture
from divainfer.modelfile.card import Card, card_path
from divainfer.modelfile.checkpoint import CHECKPOINT
from divainfer.modelfile.form import FROZEN, SAVED_MODEL, model_form
from divainfer.modelfile.graphinput import GraphInput
from divainfer.modelfile.savedmodel import SignatureTensor, read_saved_model
from divainfer.modelfile.spec import model_path, resolve_model

SMALL = Architecture(resnet=50, num_class=3)
#: As the form's tests need them: of the right name and shape, and a few bytes on disk.
EMPTY = {name: np.broadcast_to(np.float32(0), shape) for name, shape in SMALL.variables().items()}


def refusal(path: str, *more: Any) -> str:
    with pytest.raises((ModelError, ConfigError)) as caught:
        resolve_model(path, *more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- forms


def test_forms(tmp_path: Path) -> None:
    for name in ("train/model-1.index", "train/model-1.data-00000-of-00001", "saved/saved_model.pb", "obj.pb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    forms = {
        "train": CHECKPOINT,
        "train/": CHECKPOINT,
        "train/model-1": CHECKPOINT,
        "train/model-1.index": CHECKPOINT,
        "gone.npz": CHECKPOINT,
        "saved": SAVED_MODEL,
        "saved/": SAVED_MODEL,
        "obj.pb": FROZEN,
        "gone.pb": FROZEN,
        "a\0b": FROZEN,
    }
    assert {name: model_form(str(tmp_path / name)) for name in forms} == forms


def test_a_saved_model_by_its_file() -> None:
    assert model_path("some/saved_model.pb") == "some"
    assert model_path("saved_model.pb") == "."


def test_folders_that_are_no_models(tmp_path: Path) -> None:
    assert "neither a SavedModel" in refusal(str(tmp_path)) and "*.index" in refusal(str(tmp_path))
    (tmp_path / "obj.pb").write_bytes(encode_contract())
    assert refusal(str(tmp_path)).endswith("give the model in it: {}.".format(tmp_path / "obj.pb"))
    (tmp_path / "saved_model.pbtxt").write_text("")
    assert "as_text=False" in refusal(str(tmp_path))


def test_files_that_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "model-1.meta").write_bytes(b"")
    assert refusal(str(tmp_path / "model-1.meta")).endswith(
        "Give the checkpoint itself: {}.".format(tmp_path / "model-1")
    )
    (tmp_path / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert "an HDF5 file (Keras weights)" in refusal(str(tmp_path / "model.h5"))
    (tmp_path / "weights.pkl").write_bytes(b"\x80\x02}q\x00.")
    assert "a Python pickle" in refusal(str(tmp_path / "weights.pkl"))
    assert "no such model file" in refusal(str(tmp_path / "gone"))


def test_other_engines_may_have_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    (folder / "inside").mkdir(parents=True)
    config = RunConfig(engine="emulated", model=str(folder) + "/", gpus="cpu")
    with pytest.raises(ModelError, match="the model's folder is empty"):
        make_plan(config)
    (folder / "inside" / "weights.bin").write_bytes(b"1")
    (folder / "net.xml").write_bytes(b"2")
    before = make_plan(config)
    assert before.model == str(folder) and before.digest.startswith("sha256:")
    (folder / "inside" / "weights.bin").write_bytes(b"3")
    assert make_plan(config).digest != before.digest


# --- checkpoints


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("stored") / "w.npz")
    np.savez_compressed(path, **EMPTY)
    return path


@pytest.fixture
def npz(stored: str, tmp_path: Path) -> str:
    """A checkpoint whose values are all 0; a card may be put beside it."""
    path = str(tmp_path / "w.npz")
    os.link(stored, path)
    return path


def write_card(path: str, **card: Any) -> None:
    Path(card_path(path)).write_text(json.dumps(dict({"card": 1}, **card)))


def test_a_checkpoint_without_a_card(npz: str) -> None:
    found = resolve_model(npz)
    assert (found.path, found.form) == (npz, CHECKPOINT)
    assert found.input == GraphInput(True, None, None, None, "float32")
    assert found.card == Card(name="w", short_edge_size=1080, max_size=1920, detector=SMALL.to_json())
    assumed = found.notes[0]
    assert "use_dilation=false, rpn_test_post_nms_topk=1000, max_size=1920" in assumed
    assert card_path(npz) in assumed and "--engine tensorflow:use_dilation=..." in assumed
    assert len(found.notes) == 3


def test_what_the_card_says_is_not_assumed(npz: str) -> None:
    write_card(npz, detector={"use_dilation": True, "resnet": 50}, max_size=1280, short_edge_size=720)
    found = resolve_model(npz)
    assert found.card.detector == dict(SMALL.to_json(), use_dilation=True, max_size=1280)
    assert "taken: rpn_test_post_nms_topk=1000." in found.notes[0] and len(found.notes) == 2


def test_the_operator_wins_over_the_card(npz: str) -> None:
    write_card(npz, detector={"use_dilation": True, "max_size": 1280}, max_size=1920)
    options = {"use_dilation": "False", "rpn_test_post_nms_topk": "300", "resnet": "50"}
    wanted = dict(SMALL.to_json(), rpn_test_post_nms_topk=300, max_size=1280)
    assert resolve_model(npz, "", options).card.detector == wanted


def test_the_record_of_2019_tells_the_detector(npz: str) -> None:
    record = {"use_dilations": True, "rpn_test_post_nms_topk": 500, "max_size": 1280, "num_class": 3}
    Path(card_path(npz)).write_text(json.dumps(record))
    wanted = dict(SMALL.to_json(), use_dilation=True, rpn_test_post_nms_topk=500, max_size=1280)
    assert resolve_model(npz).card.detector == wanted


@pytest.mark.parametrize(
    ["options", "words"],
    [
        ({"xla": "1"}, "no option 'xla'; for checkpoints there are resnet"),
        ({"use_dilations": "true"}, "did you mean 'use_dilation'?"),
        ({"use_dilation": "perhaps"}, "use_dilation=perhaps is not understood; true or false"),
        ({"resnet": "fifty"}, "a whole number is wanted"),
        ({"resnet": "34"}, "it must be 50, 101 or 152"),
        ({"resnet": "101"}, "resnet 101 is asked for, but its variables are those of 50"),
        ({"num_class": "15"}, "num_class 15 is asked for"),
    ],
)
def test_options_that_cannot_be(npz: str, options: Dict[str, str], words: str) -> None:
    assert words in refusal(npz, "", options)


def test_options_are_for_checkpoints(tmp_path: Path) -> None:
    path = str(tmp_path / "obj.pb")
    Path(path).write_bytes(encode_contract())
    assert "{} is a frozen graph, which has all that in it".format(path) in refusal(path, "", {"resnet": "50"})


def test_a_card_that_contradicts_the_variables(npz: str) -> None:
    write_card(npz, detector={"num_class": 15})
    assert "num_class 15 is asked for, but its variables are those of 3" in refusal(npz)


def test_names_for_another_number_of_classes(npz: str) -> None:
    assert "has 3 classes, the background included, but --class-list diva names 15" in refusal(npz, "diva")
    write_card(npz, classes=["BG", "Cat"])
    assert "but {} names 2".format(card_path(npz)) in refusal(npz)
    write_card(npz, classes=["BG", "Cat", "Dog"])
    assert resolve_model(npz).card.classes == ("BG", "Cat", "Dog")


def save(tmp_path: Path, values: Dict[str, np.ndarray]) -> str:
    path = str(tmp_path / "w.npz")
    np.savez_compressed(path, **values)
    return path


def test_missing_and_other_variables(tmp_path: Path) -> None:
    values = dict(EMPTY)
    del values["fpn/lateral_1x1_c2/W"]
    assert "1 of the" in refusal(save(tmp_path, values)) and "fpn/lateral_1x1_c2/W" in refusal(save(tmp_path, values))
    values = dict(EMPTY, **{"rpn/box/b": np.zeros(13, np.float32)})
    assert "rpn/box/b is [13], [12] is wanted" in refusal(save(tmp_path, values))
    values = dict(EMPTY, **{"rpn/box/b": np.zeros(12, np.int32)})
    assert "rpn/box/b is int32" in refusal(save(tmp_path, values))


def test_extra_variables_are_listed(tmp_path: Path) -> None:
    more = {"maskrcnn/fcn{}/W".format(number): np.zeros(1) for number in range(8)}
    notes = resolve_model(save(tmp_path, dict(EMPTY, global_step=np.int64(7), **more))).notes
    assert "9 of its variables are not needed: global_step, maskrcnn/fcn0/W" in notes[1] and "and 3 more" in notes[1]


def test_variables_of_something_else(tmp_path: Path) -> None:
    sentence = refusal(save(tmp_path, {"dense/kernel": np.zeros((2, 2), np.float32)}))
    assert "not those of a Faster R-CNN" in sentence and "dense/kernel" in sentence


# --- SavedModels


def entry(number: int, key: str, value: bytes) -> bytes:
    return field(number, field(1, key) + field(2, value))


def tensor(name: str, shape: Sequence[int] = ()) -> bytes:
    return field(1, name) + field(2, 1) + field(3, b"".join(field(2, field(1, size)) for size in shape))


def encode_saved_model(
    graph: bytes, tags: Sequence[str] = ("serve",), **signatures: Tuple[Dict[str, str], Dict[str, str]]
) -> bytes:
    """A SavedModel with one graph.

    Args:
        graph: a GraphDef.
        tags: of the graph.
        signatures: names of inputs and of outputs to tensors.
    """
    meta = field(1, b"".join(field(4, tag) for tag in tags) + field(5, "2.21.0")) + field(2, graph)
    for name, (inputs, outputs) in signatures.items():
        inside = b"".join(entry(1, key, tensor(value, [4, 5])) for key, value in inputs.items())
        inside += b"".join(entry(2, key, tensor(value)) for key, value in outputs.items())
        meta += entry(5, name, inside)
    return field(2, meta)


def saved(tmp_path: Path, data: bytes) -> str:
    folder = tmp_path / "saved"
    folder.mkdir(exist_ok=True)
    (folder / "saved_model.pb").write_bytes(field(1, 1) + data)
    return str(folder)


#: A graph as TensorFlow 2 writes it: outputs of one call.
CALLED = (
    encode_node("serving_default_image", "Placeholder", dtype=1, shape=(None, None, None, 3))
    + encode_node("StatefulPartitionedCall", "StatefulPartitionedCall", ["serving_default_image"])
    + field(4, field(1, 2400))
)
OUTPUTS = {
    role: "StatefulPartitionedCall:{}".format(index)
    for index, role in enumerate(["boxes", "labels", "scores", "valid"])
}


def test_a_saved_model_of_tensorflow_1(tmp_path: Path) -> None:
    path = saved(tmp_path, encode_saved_model(encode_contract()))
    found = resolve_model(path + "/")
    assert found.form == SAVED_MODEL
    assert found.card == Card(name="saved", short_edge_size=1080, max_size=1920)
    assert found.input == GraphInput(False, None, None, None, "float32")
    assert "saved.config.json" in found.notes[0]


@pytest.mark.parametrize("names", [{}, {"boxes": "final_boxes", "scores": "final_probs"}])
def test_a_saved_model_of_tensorflow_2(tmp_path: Path, names: Dict[str, str]) -> None:
    outputs = {names.get(role, role): tensor for role, tensor in OUTPUTS.items()}
    signature = ({"x": "serving_default_image:0"}, outputs)
    other = ({"x": "serving_default_image:0"}, {})
    found = resolve_model(saved(tmp_path, encode_saved_model(CALLED, serving_default=signature, other=other)))
    assert found.card.image == "serving_default_image:0"
    assert found.card.outputs == OUTPUTS
    assert found.input == GraphInput(True, None, None, None, "float32")


def test_the_card_may_name_a_signature_s_outputs(tmp_path: Path) -> None:
    outputs = {"where": OUTPUTS["boxes"], "what": OUTPUTS["labels"], "scores": OUTPUTS["scores"], "valid": "gone"}
    signature = ({"frames": "serving_default_image:0", "more": "x:0"}, outputs)
    path = saved(tmp_path, encode_saved_model(CALLED, detect=signature))
    assert "no input image:0" in refusal(path) and "has the inputs: frames, more" in refusal(path)
    write_card(path, inputs={"image": "frames"})
    assert "no output final_boxes:0, final_labels:0" in refusal(path)
    assert "has the outputs: scores, valid, what, where" in refusal(path)
    write_card(path, inputs={"image": "frames"}, outputs={"boxes": "where", "labels": "what", "valid": ""})
    found = resolve_model(path)
    assert found.card.outputs == {role: OUTPUTS[role] for role in ("boxes", "labels", "scores")}


def test_several_signatures_and_none_that_counts(tmp_path: Path) -> None:
    signature: Tuple[Dict[str, str], Dict[str, str]] = ({}, {})
    path = saved(tmp_path, encode_saved_model(CALLED, one=signature, two=signature))
    assert "no signature 'serving_default' that would tell; its signatures are: one, two" in refusal(path)


def test_tensors_of_a_signature(tmp_path: Path) -> None:
    signature = ({"x": "image:0"}, {})
    found = read_saved_model(saved(tmp_path, encode_saved_model(encode_contract(), s=signature)))
    assert found.signatures["s"].inputs == {"x": SignatureTensor("image:0", "float32", (4, 5))}
    assert found.version == "2.21.0" and not found.has_variables


def test_the_graph_that_serves(tmp_path: Path) -> None:
    special = encode_saved_model(encode_node("a", "NoOp"), tags=("serve", "tpu"))
    train = encode_saved_model(encode_node("b", "NoOp"), tags=("train",))
    plain = encode_saved_model(encode_contract())
    assert "image" in read_saved_model(saved(tmp_path, train + special + plain)).graph.nodes
    assert "its graphs' tags: train)" in refusal(saved(tmp_path, train))
    assert "tags: none" in refusal(saved(tmp_path, b""))


def test_a_saved_model_without_its_variables(tmp_path: Path) -> None:
    graph = encode_contract() + encode_node("w", "VarHandleOp")
    assert "its folder variables/ is missing or empty" in refusal(saved(tmp_path, encode_saved_model(graph)))


def test_the_digest_is_over_all_files(tmp_path: Path) -> None:
    path = saved(tmp_path, encode_saved_model(encode_contract()))
    before = resolve_model(path).digest
    os.mkdir(path + "/assets")
    Path(path, "assets", "words.txt").write_text("one")
    with_words = resolve_model(path).digest
    Path(path, "assets", "words.txt").write_text("two")
    assert len({before, with_words, resolve_model(path).digest}) == 3
    os.rename(path, str(tmp_path / "moved"))
    Path(tmp_path, "moved", "assets", "words.txt").write_text("one")
    assert resolve_model(str(tmp_path / "moved")).digest == with_words
    write_card(str(tmp_path / "moved"), digest=before)
    assert "belongs to another model" in refusal(str(tmp_path / "moved"))


@settings(max_examples=300, deadline=2000, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_damaged_saved_model_gives_one_or_a_sentence(tmp_path: Path, data: st.DataObject) -> None:
    signature = ({"image": "serving_default_image:0"}, OUTPUTS)
    whole = bytearray(encode_saved_model(CALLED, serving_default=signature))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = saved(tmp_path, bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    try:
        resolve_model(path)
    except ModelError as error:
        assert str(error).startswith(path)
