"""`divainfer freeze`: a graph and its card that any leg runs, and one sentence for what cannot be frozen."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from running import divainfer as program
from running import draw_images, result_files

from divainfer.errors import ModelError, UsageError
from divainfer.model.detector.parameters import Variables
from divainfer.model.freeze import ANY, FreezeOptions, freeze, frozen_graph
from divainfer.model.weights import random_weights
from divainfer.modelfile.architecture import Architecture
from divainfer.modelfile.card import read_card
from divainfer.modelfile.graphdef import read_graph
from divainfer.modelfile.spec import resolve_model

#: Of the operations in a frozen detector, what TensorFlow 1.14 knows; a graph must not say more, or 1.14 refuses it.
OPERATIONS = {
    "Add": "T",
    "AddV2": "T",
    "Any": "Tidx keep_dims",
    "AvgPool": "T data_format ksize padding strides",
    "BiasAdd": "T data_format",
    "Cast": "DstT SrcT Truncate",
    "CombinedNonMaxSuppression": "clip_boxes pad_per_class",
    "ConcatV2": "N T Tidx",
    "Const": "dtype value",
    "Conv2D": "T data_format dilations explicit_paddings padding strides use_cudnn_on_gpu",
    "CropAndResize": "T extrapolation_value method",
    "Equal": "T",
    "Exp": "T",
    "ExpandDims": "T Tdim",
    "Fill": "T index_type",
    "Floor": "T",
    "FloorDiv": "T",
    "FloorMod": "T",
    "GatherV2": "Taxis Tindices Tparams batch_dims",
    "Identity": "T",
    "InvertPermutation": "T",
    "Less": "T",
    "LessEqual": "T",
    "Log": "T",
    "MatMul": "T transpose_a transpose_b",
    "MaxPool": "T data_format ksize padding strides",
    "Maximum": "T",
    "Minimum": "T",
    "Mul": "T",
    "Neg": "T",
    "Pack": "N T axis",
    "Pad": "T Tpaddings",
    "PadV2": "T Tpaddings",
    "Placeholder": "dtype shape",
    "Range": "Tidx",
    "RealDiv": "T",
    "Relu": "T",
    "Reshape": "T Tshape",
    "ReverseV2": "T Tidx",
    "Select": "T",
    "Shape": "T out_type",
    "Softmax": "T",
    "Sqrt": "T",
    "StridedSlice": "Index T begin_mask ellipsis_mask end_mask new_axis_mask shrink_axis_mask",
    "Sub": "T",
    "Tile": "T Tmultiples",
    "TopKV2": "T sorted",
    "Transpose": "T Tperm",
    "Unpack": "T axis num",
    "Where": "T",
    "ZerosLike": "T",
}
ARCHITECTURE = Architecture(resnet=50, num_class=4, use_dilation=True, max_size=320)
WORDS_OF_2019 = """nothing nothing --mode pack --num_class 4 --is_fpn --use_dilation --rpn_batch_size 256
--rpn_test_post_nms_topk 200 --max_size 320 --short_edge_size 96 --note obj_v3"""
CLASSES = "BG\nred\ngreen\nblue\n"


@pytest.fixture(scope="module")
def weights():
    return random_weights(ARCHITECTURE, seed=3)


@pytest.fixture(scope="module")
def folder(weights, tmp_path_factory):
    """A folder with a checkpoint (w.npz), its class names and a few images."""
    folder = tmp_path_factory.mktemp("freeze me")
    np.savez(str(folder / "w.npz"), global_step=np.int64(7), **weights)
    (folder / "names.txt").write_text(CLASSES)
    draw_images(str(folder / "images"), 3)
    yield folder
    shutil.rmtree(str(folder))


@pytest.fixture(scope="module")
def frozen(weights):
    return {layout: frozen_graph(ARCHITECTURE, weights, layout, ANY, features=True) for layout in ("NCHW", "NHWC")}


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_graph_says_nothing_that_tensorflow_1_does_not_know(frozen, layout):
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(frozen[layout])
    for node in graph.node:
        assert set(node.attr) <= set(OPERATIONS[node.op].split()), node.op
        assert not node.device
    assert not graph.library.function
    assert graph.versions.min_consumer == 0


@pytest.mark.skipif(
    not tf.__version__.startswith("1.14"), reason="only TensorFlow 1.14 can tell: runs on the pinned leg"
)
def test_the_table_is_what_tensorflow_1_14_knows():
    for kind, attributes in OPERATIONS.items():
        known = tf.Graph()._get_op_def(kind).attr
        assert sorted(attribute.name for attribute in known) == attributes.split(), kind


def test_the_same_weights_give_the_same_file(weights, frozen):
    assert frozen_graph(ARCHITECTURE, weights, "NCHW", ANY, features=True) == frozen["NCHW"]


def test_a_checkpoint_is_frozen_and_runs(folder):
    """By the words of 2019."""
    model = str(folder / "obj v3.pb")
    files = ["--load_from", str(folder / "w.npz"), "--pack_model_path", model]
    done = program("freeze", *WORDS_OF_2019.split(), *files, "--class-list", str(folder / "names.txt"))
    assert done.code == 0, done.err
    assert "1 of its variables are not needed: global_step" in done.err
    assert "--rpn-batch-size is passed over" in done.err
    assert "{}: ResNet-50 dilated, 4 classes".format(model) in done.out
    card = read_card(model)
    assert (card.name, card.short_edge_size, card.max_size, card.batch_size) == ("obj_v3", 96, 320, None)
    assert card.classes == ("BG", "red", "green", "blue")
    assert Architecture(**card.detector) == dataclasses.replace(ARCHITECTURE, rpn_test_post_nms_topk=200)
    out = str(folder / "out")
    ran = program("run", "--model", model, "--images", str(folder / "images"), "--out", out, "--gpus", "cpu")
    assert ran.code == 0, ran.err
    found = [row for content in result_files(out).values() for row in json.loads(content)]
    assert found and {row["cat_name"] for row in found} <= {"red", "green", "blue"}


@pytest.mark.parametrize("batch_size, shape", [(1, [None, None, 3]), (2, [2, None, None, 3]), (ANY, [None] * 3 + [3])])
def test_batches_as_asked_for(folder, batch_size, shape):
    model, said = str(folder / "batch{}.pb".format(batch_size)), []
    freeze(FreezeOptions(model, str(folder / "w.npz"), im_batch_size=batch_size, features=True), said.append)
    graph = read_graph(model)
    assert graph.nodes["image"].shape == tuple(shape)
    assert ("final_valid_indices" in graph.nodes) == (batch_size != 1)
    assert "fpn_box_feat" in graph.nodes
    assert "--use-dilation" in said[0], "nobody told whether it is dilated"
    assert read_card(model).batch_size == (2 if batch_size == 2 else None)


def test_random_weights_need_no_checkpoint(folder):
    model = str(folder / "random.pb")
    freeze(FreezeOptions(model, random_weights=5, resnet=50, class_list="diva"), print)
    assert Architecture(**read_card(model).detector) == Architecture(resnet=50, num_class=15)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"load_from": "w.npz", "num_class": 15}, "num_class 15 is asked for, but its variables are those of 4"),
        (
            {"load_from": "w.npz", "class_list": "diva"},
            "4 classes, the background included, but --class-list diva names 15",
        ),
        ({"load_from": "nowhere/model"}, "nowhere/model: there is no such checkpoint"),
        ({}, "Either --load-from or --random-weights is wanted"),
        ({"load_from": "names.txt"}, "names.txt: this is a text file"),
        ({"load_from": "w.npz", "out": "w.pb"}, "would share one card"),
        ({"load_from": "w.npz", "out": "w.npz"}, "ends in .pb"),
        (
            {"load_from": "w.npz", "short_edge_size": 480, "max_size": 320},
            "--max-size 320 is below --short-edge-size 480",
        ),
        ({"random_weights": 1, "out": "no/m.pb"}, "there is no folder"),
        ({"random_weights": 1, "out": "images"}, "this is a folder"),
    ],
)
def test_what_cannot_be_frozen_gets_a_sentence(folder, options, sentence):
    before = sorted(os.listdir(str(folder)))
    for name in ("load_from", "out"):
        if name in options:
            options[name] = str(folder / options[name])
    with pytest.raises(UsageError, match=sentence):
        freeze(FreezeOptions(**dict({"out": str(folder / "none.pb")}, **options)), print)
    assert sorted(os.listdir(str(folder))) == before


def test_a_card_is_taken_if_it_is_the_checkpoints(folder, weights):
    model = str(folder / "carded.npz")
    np.savez(model, **weights)
    card = {"card": 1, "inputs": {"image": "other:0"}, "detector": {"use_dilation": True}, "short_edge_size": 96}
    (folder / "carded.config.json").write_text(json.dumps(card))
    out = str(folder / "uncarded.pb")
    said = []
    freeze(FreezeOptions(out, model, max_size=320), said.append)
    frozen = read_card(out)
    assert Architecture(**frozen.detector) == ARCHITECTURE and frozen.short_edge_size == 96
    assert frozen.image == "image:0", "that of the graph"
    assert not said
    freeze(FreezeOptions(out, model, max_size=320), said.append)
    assert [sentence.endswith("was there and is replaced.") for sentence in said] == [True, True]
    (folder / "carded.config.json").write_text(json.dumps(dict(card, digest="sha256:00")))
    with pytest.raises(ModelError, match="belongs to another model"):
        freeze(FreezeOptions(out, model), print)


def test_a_checkpoint_of_tensorflow_is_frozen_quietly(folder, weights):
    """And stays the one that was planned, when training goes on."""
    path = str(folder / "trained")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = Variables(ARCHITECTURE)
        for name in ARCHITECTURE.variables():
            variables.get(name)
        variables.load(session, weights)
        saver = tf.compat.v1.train.Saver()
        saver.save(session, os.path.join(path, "model"), global_step=100, write_meta_graph=False)
        spec = resolve_model(path)
        saver.save(session, os.path.join(path, "model"), global_step=200, write_meta_graph=False)
    assert spec.path == os.path.join(path, "model-100")
    assert resolve_model(path).path == os.path.join(path, "model-200")
    done = program("freeze", "--load-from", path, "--out", str(folder / "trained.pb"), "--use-dilation", "--name", "x")
    assert done.code == 2 and "would share one card" in done.err
    done = program("freeze", "--load-from", path, "--out", str(folder / "t.pb"), "--use-dilation", "--max-size", "1920")
    assert (done.code, done.err) == (0, "")
    shutil.rmtree(path)


@pytest.mark.parametrize("words", [["--use_gn"], ["--resnet", "34"], ["--mode", "forward"], ["--im-batch-size", "0"]])
def test_words_that_cannot_be_are_refused(folder, words):
    done = program("freeze", "--random-weights", "1", "--out", str(folder / "none.pb"), *words)
    assert done.code == 2 and "Error: " in done.err and words[-1].replace("_", "-") in done.err
