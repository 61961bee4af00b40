"""One detector in each form of model: the TensorFlow engine finds the same with all of them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

import numpy as np
import pytest
import tensorflow
from running import divainfer, draw_images, result_files
from tiny_graphs import encode_contract

from divainfer import errors
from divainfer.detections import Detections
from divainfer.model.detector.graph import build_detector
from divainfer.model.detector.parameters import EPSILON, Parameters, Variables
from divainfer.model.freeze import frozen_graph
from divainfer.model.weights import random_weights
from divainfer.modelfile.architecture import Architecture
from divainfer.modelfile.card import Card, card_path, write_card
from divainfer.modelfile.checkpoint import find_checkpoint
from divainfer.modelfile.spec import resolve_model
from divainfer.worker.engines.base import EngineInfo, EngineSpec
from divainfer.worker.engines.tensorflow import TensorFlowEngine

tf = tensorflow.compat.v1

ARCHITECTURE = Architecture(resnet=50, num_class=4, use_dilation=True, rpn_test_post_nms_topk=100, max_size=160)
DETECTOR = {"use_dilation": True, "rpn_test_post_nms_topk": 100, "max_size": 160}
TENSORFLOW_2 = tensorflow.__version__.startswith("2")
by_tensorflow_2 = pytest.mark.skipif(not TENSORFLOW_2, reason="only TensorFlow 2 writes it: runs on the current leg")


@pytest.fixture(scope="module")
def weights() -> Dict[str, np.ndarray]:
    return random_weights(ARCHITECTURE, seed=5)


class Models:
    """The detector in each form, written when it is first asked for."""

    def __init__(self, folder: Path, weights: Mapping[str, np.ndarray]) -> None:
        self._folder = folder
        self._weights = weights

    def path(self, form: str) -> str:
        """The model of a form, with a card that says what its variables do not."""
        path = str(self._folder / form)
        if not os.path.exists(path):
            getattr(self, "_" + form.split(".")[0].replace("-", "_"))(path)
            write_card(Card(detector=DETECTOR, max_size=128, short_edge_size=96), card_path(path))
        return path

    def _checkpoint(self, path: str) -> None:
        with tf.Graph().as_default(), session_of_a_moment() as session:
            self._variables(session, tf.placeholder(tf.float32, [None, None, 3]), "NHWC")
            extra = [tf.get_variable(name, initializer=1.0) for name in ("global_step", "conv0/W/Momentum")]
            session.run([variable.initializer for variable in extra])
            tf.train.Saver(tf.global_variables()).save(session, path + "/model-100000")

    def _arrays(self, path: str) -> None:
        np.savez(path, **self._weights)

    def _frozen_nhwc(self, path: str) -> None:
        Path(path).write_bytes(frozen_graph(ARCHITECTURE, self._weights, "NHWC"))

    def _frozen_nchw(self, path: str) -> None:
        Path(path).write_bytes(frozen_graph(ARCHITECTURE, self._weights, "NCHW"))

    def _saved_one(self, path: str) -> None:
        self._save(path, "NHWC", [None, None, 3])

    def _saved_nchw(self, path: str) -> None:
        self._save(path, "NCHW", [None, None, 3])

    def _saved_batch(self, path: str) -> None:
        self._save(path, "NHWC", [None, None, None, 3])

    def _save(self, path: str, layout: str, shape: List[Optional[int]]) -> None:
        with tf.Graph().as_default(), session_of_a_moment() as session:
            image = tf.placeholder(tf.float32, shape, "frames")
            outputs = self._variables(session, image, layout)
            tf.saved_model.simple_save(session, path, {"image": image}, outputs)

    def _variables(self, session: Any, image: Any, layout: str) -> Dict[str, Any]:
        variables = Variables(ARCHITECTURE)
        outputs = build_detector(ARCHITECTURE, variables, image, layout)
        variables.load(session, self._weights)
        return outputs

    def _saved_tensorflow_2(self, path: str) -> None:
        module = tensorflow.Module()
        module.variables_ = {name: tensorflow.Variable(value) for name, value in self._weights.items()}
        parameters = EagerParameters(module.variables_)

        @tensorflow.function(input_signature=[tensorflow.TensorSpec([None, None, None, 3], tensorflow.float32)])
        def detect(image: Any) -> Dict[str, Any]:
            return build_detector(ARCHITECTURE, parameters, image, "NHWC")

        tensorflow.saved_model.save(module, path, signatures=detect)


def session_of_a_moment() -> Any:
    """A session that does not optimize what is run but once."""
    config = tf.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return tf.Session(config=config)


class EagerParameters(Parameters):
    """Variables of TensorFlow 2."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables

    def get(self, name: str) -> Any:
        return tf.convert_to_tensor(self._variables[name])

    def normed(self, convolution: str) -> Tuple[Any, Any, Any]:
        gamma, beta, mean, variance = (
            self.get("{}/bn/{}".format(convolution, name)) for name in ("gamma", "beta", "mean/EMA", "variance/EMA")
        )
        scale = gamma * tf.rsqrt(variance + EPSILON)
        return self.get(convolution + "/W"), scale, beta - mean * scale


@pytest.fixture(scope="module")
def models(weights: Dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    folder = tmp_path_factory.mktemp("models")
    yield Models(folder, weights)
    shutil.rmtree(str(folder))


def spec(path: str, batch_size: int = 1, on_gpu: bool = False) -> EngineSpec:
    return EngineSpec(path, resolve_model(path).card, "cpu", on_gpu, batch_size, 2, {})


#: A frame of each size, and another of the first.
FRAMES = [
    np.random.RandomState(seed).randint(0, 256, size + (3,)).astype(np.uint8)
    for seed, size in enumerate([(96, 128), (128, 80), (96, 128)])
]


def detect(path: str, *batches: List[int]) -> Tuple[EngineInfo, List[Detections]]:
    """What an engine says of itself, and what it finds on batches of `FRAMES`, given by their numbers."""
    engine = TensorFlowEngine(spec(path, max(len(batch) for batch in batches)))
    found: List[Detections] = []
    try:
        info = engine.load()
        for batch in batches:
            found.extend(engine.infer(np.stack([FRAMES[index] for index in batch])))
    finally:
        engine.close()
    return info, found


@pytest.fixture(scope="module")
def wanted(models: Models) -> List[Detections]:
    """What the frozen graph finds on `FRAMES`."""
    found = detect(models.path("frozen-nhwc.pb"), [0], [1], [2])[1]
    assert all(20 < len(detections.boxes) <= 100 for detections in found)
    return found


def check_same(found: List[Detections], wanted: List[Detections]) -> None:
    """The same detections, free of order: boxes within 0.01 pixels, scores within 1e-4."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted):
        assert len(one.boxes) == len(other.boxes)
        left = list(range(len(other.boxes)))
        for box, label, score in zip(one.boxes, one.labels, one.scores):
            near = [
                index
                for index in left
                if other.labels[index] == label
                and abs(other.scores[index] - score) <= 1e-4
                and np.abs(other.boxes[index] - box).max() <= 0.01
            ]
            assert near, (box, label, score)
            left.remove(near[0])


@pytest.mark.parametrize(
    ["form", "words"],
    [
        ("checkpoint", "one image, NHWC, variables"),
        ("arrays.npz", "one image, NHWC, variables"),
        ("frozen-nchw.pb", "one image, NHWC (rewritten from NCHW)"),
        ("saved-one", "one image, NHWC, CPU"),
        ("saved-nchw", "one image, NHWC (rewritten from NCHW)"),
        ("saved-batch", "any batch, NHWC, CPU"),
        pytest.param("saved-tensorflow-2", "any batch, NHWC, CPU", marks=by_tensorflow_2),
    ],
)
def test_each_form_finds_the_same(models: Models, wanted: List[Detections], form: str, words: str) -> None:
    info, found = detect(models.path(form), [0], [1])
    assert words in info.description
    check_same(found, wanted[:2])


@pytest.mark.parametrize(
    "form", ["checkpoint", "saved-batch", pytest.param("saved-tensorflow-2", marks=by_tensorflow_2)]
)
def test_a_batch_of_four_finds_the_same(models: Models, wanted: List[Detections], form: str) -> None:
    info, found = detect(models.path(form), [0, 2, 2, 0])
    assert "any batch" in info.description and info.batch_size is None
    check_same(found, [wanted[0], wanted[2], wanted[2], wanted[0]])


def test_options_win_over_the_card(models: Models, wanted: List[Detections]) -> None:
    path = models.path("arrays.npz")
    plain = resolve_model(path, options={"use_dilation": "false"}).card
    assert plain.detector == dict(ARCHITECTURE.to_json(), use_dilation=False)
    engine = TensorFlowEngine(EngineSpec(path, plain, "cpu", False, 1, 2, {}))
    engine.load()
    with pytest.raises(AssertionError):
        check_same(engine.infer(FRAMES[0][np.newaxis]), wanted[:1])
    engine.close()


def test_a_gpu_worker_without_a_gpu_is_refused(models: Models) -> None:
    with pytest.raises(errors.EngineBootError, match="sees no GPU"):
        TensorFlowEngine(spec(models.path("arrays.npz"), on_gpu=True)).load()


@pytest.mark.skipif(TENSORFLOW_2, reason="only TensorFlow 1.14 refuses it: runs on the pinned leg")
def test_a_saved_model_of_a_later_tensorflow(tmp_path: Path) -> None:
    """Of each kind of graph one operation has an attribute that 1.14 does not know."""
    folder = str(tmp_path / "later")
    with tf.Graph().as_default(), tf.Session() as session:
        image = tf.placeholder(tf.float32, [None, None, 3], "image")
        outputs = {name: tf.identity(image, name) for name in ("final_boxes", "final_labels", "final_probs")}
        tf.saved_model.simple_save(session, folder, {"image": image}, outputs)
    from tensorflow.core.protobuf import saved_model_pb2

    file = Path(folder, "saved_model.pb")
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    saved.meta_graphs[0].meta_info_def.tensorflow_version = "2.21.0"
    saved.meta_graphs[0].graph_def.node[1].attr["debug_name"].s = b"later"
    file.write_bytes(saved.SerializeToString())
    with pytest.raises(errors.EngineBootError, match="TensorFlow 1.14.0 cannot load it; it was written by .* 2.21.0"):
        TensorFlowEngine(spec(folder)).load()


def test_what_a_saved_model_initialises_by_itself(tmp_path: Path) -> None:
    """A table whose content is in a file of the SavedModel's assets, wherever the folder lies."""
    vocabulary = tmp_path / "scores.txt"
    vocabulary.write_text("0.25\n0.5\n")
    folder = str(tmp_path / "saved")
    with tf.Graph().as_default(), tf.Session() as session:
        image = tf.placeholder(tf.float32, [None, None, 3], "image")
        name = tf.constant(str(vocabulary))
        tf.add_to_collection(tf.GraphKeys.ASSET_FILEPATHS, name)
        table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                name, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE
            ),
            "nan",
        )
        scores = tf.strings.to_number(table.lookup(tf.constant([0, 1], tf.int64)))
        builder = tf.saved_model.Builder(folder)
        outputs = {
            "boxes": tf.tile(image[:1, :1, :1] * 0.0, [1, 2, 4])[0],
            "labels": tf.constant([1, 2], tf.int64),
            "scores": scores,
        }
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"detect": tf.saved_model.predict_signature_def({"x": image}, outputs)},
            assets_collection=tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS),
            main_op=tf.tables_initializer(),
        )
        builder.save()
    vocabulary.unlink()
    moved = str(tmp_path / "moved")
    os.rename(folder, moved)
    engine = TensorFlowEngine(spec(moved))
    engine.load()
    found = engine.infer(np.zeros((1, 5, 6, 3), np.uint8))[0]
    engine.close()
    assert found.scores.tolist() == [0.25, 0.5] and found.labels.tolist() == [1, 2]


def test_values_that_are_no_numbers_stop_the_start(tmp_path: Path, weights: Dict[str, np.ndarray]) -> None:
    path = str(tmp_path / "bad.npz")
    np.savez(path, **dict(weights, **{"rpn/box/b": np.full(12, np.nan, np.float32)}))
    engine = TensorFlowEngine(spec(path))
    with pytest.raises(errors.ModelError, match="rpn/box/b has values that are no finite"):
        engine.load()
    engine.close()
    os.unlink(path)


@pytest.mark.parametrize("form", ["checkpoint", "saved-one"])
def test_a_run(models: Models, tmp_path: Path, form: str) -> None:
    """As an operator does it, by the name of the folder."""
    model = models.path(form) + "/"
    images, out = str(tmp_path / "images"), str(tmp_path / "out")
    draw_images(images, 3)
    arguments = ["run", "--model", model, "--images", images, "--out", out, "--gpus", "cpu"]
    tried = divainfer(*arguments, "--dry-run")
    assert tried.code == 0, tried.err
    assert not os.path.exists(out)
    done = divainfer(*arguments)
    assert done.code == 0, done.err
    results = result_files(out)
    assert len(results) == 3
    assert all(json.loads(content) for content in results.values())
    if form == "checkpoint":
        assert "2 of its variables are not needed: conv0/W/Momentum, global_step" in done.err
        record = json.loads(Path(out, ".divainfer", "run.json").read_text())
        assert record["fingerprint"]["detector"] == ARCHITECTURE.to_json()
        assert record["fingerprint"]["model"] == resolve_model(model).digest
        assert find_checkpoint(model).prefix.endswith("/model-100000")


def test_inspect(models: Models, tmp_path: Path) -> None:
    done = divainfer("inspect", models.path("frozen-nchw.pb"))
    assert done.code == 0, done.err
    assert "frozen graph" in done.out and "rewritten to NHWC" in done.out
    done = divainfer("inspect", models.path("checkpoint"), "--json", "--engine", "tensorflow:use_dilation=false")
    found = json.loads(done.out)
    assert found["form"] == "checkpoint" and found["variables"]["detector"]["use_dilation"] is False
    done = divainfer("inspect", str(tmp_path))
    assert done.code == 2 and "neither a SavedModel" in done.err and not done.out


def test_inspect_names_any_path(weird_path: str) -> None:
    done = divainfer("inspect", os.path.join(weird_path, "gone.npz"))
    assert done.code == 2 and "there is no such file" in done.err
    Path(weird_path, "obj.pb").write_bytes(encode_contract())
    done = divainfer("inspect", os.path.join(weird_path, "obj.pb"))
    assert done.code == 0, done.err
    assert "frozen graph, 0.2 KB" in done.out.splitlines()[0]
