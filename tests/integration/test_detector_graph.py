"""The built detector, in whichever TensorFlow is here, against `detector_reference`: whole detections, from pixels to boxes.

Both legs are compared with the same reference, hence with each other. Weights are random and spread the scores, and
the seeds are such that float32 and float64 choose the same boxes; other weights or images may need other seeds.
"""

from typing import Dict, List, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from detector_reference import Found, box_features, detect, level_of
from detector_reference_weights import random_image, random_weights

from divainfer.model.detector.graph import build_detector
from divainfer.model.detector.parameters import Constants
from divainfer.modelfile.architecture import Architecture
from divainfer.worker.engines.layout import to_nhwc

v1 = tf.compat.v1
#: Pixels, probabilities, and what features are made of (they are about 1).
BOX, SCORE, FEATURE = 0.01, 1e-4, 1e-3
MAX_SIZE = 128
LAYOUTS = ("NHWC", "NCHW")


class Case(NamedTuple):
    """A detector and an image that it is tried on."""

    seed: int
    height: int = 75
    width: int = 101
    resnet: int = 50
    num_class: int = 15
    use_dilation: bool = False
    class_agnostic: bool = False
    topk: int = 1000
    max_size: int = MAX_SIZE

    def architecture(self) -> Architecture:
        return Architecture(
            resnet=self.resnet,
            num_class=self.num_class,
            use_dilation=self.use_dilation,
            class_agnostic=self.class_agnostic,
            rpn_test_post_nms_topk=self.topk,
            max_size=self.max_size,
        )

    def weights(self) -> Dict[str, np.ndarray]:
        return random_weights(self.seed, self.resnet, self.num_class, self.class_agnostic)

    def image(self, which: int = 0) -> np.ndarray:
        return random_image(100 + self.seed + 1000 * which, self.height, self.width)

    def expected(self, weights: Dict[str, np.ndarray], which: int = 0) -> Found:
        return detect(
            self.image(which),
            weights,
            self.resnet,
            self.num_class,
            self.use_dilation,
            self.class_agnostic,
            self.topk,
            self.max_size,
        )


def run(case: Case, weights: Dict[str, np.ndarray], image: np.ndarray, layout: str = "NHWC", features: bool = False):
    """What the graph gives for an image or a batch, by role."""
    with tf.Graph().as_default() as graph:
        shape = [None, None, 3] if image.ndim == 3 else [len(image), None, None, 3]
        pixels = v1.placeholder(tf.float32, shape)
        found = build_detector(case.architecture(), Constants(weights), pixels, layout=layout, features=features)
    names = {role: tensor.name for role, tensor in found.items()}
    if layout == "NCHW":
        # As the engine does for a CPU, which has no pooling in this layout.
        graph_def = graph.as_graph_def()
        assert to_nhwc(graph_def) > 50
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(graph_def, name="")
    config = v1.ConfigProto(intra_op_parallelism_threads=2)
    # As a CPU worker does: optimizing takes several times as long as the one frame.
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    with v1.Session(graph=graph, config=config) as session:
        return session.run(names, {pixels.name: image})


def match(found: Dict[str, np.ndarray], expected: Found) -> List[int]:
    """For each expected detection the row of its label with the nearest box and score; fails unless all rows are alike."""
    boxes, labels, scores = expected.detections
    assert len(found["boxes"]) == len(boxes)
    rows: List[int] = []
    for box, label, score in zip(boxes, labels, scores):
        # In tolerances. Empty boxes do not put each other out, so a box alone may be there more than once.
        apart = np.maximum(np.abs(found["boxes"] - box).max(axis=1) / BOX, np.abs(found["scores"] - score) / SCORE)
        apart[(found["labels"] != label) | np.isin(np.arange(len(apart)), rows)] = np.inf
        rows.append(int(np.argmin(apart)))
        assert apart[rows[-1]] < 1, "no {} near {} with {}".format(label, box, score)
    return rows


# The two have nothing to do with each other: one is in the backbone, the other in the head.
@pytest.mark.parametrize("use_dilation, class_agnostic", [(False, False), (True, True)], ids=["plain", "variant"])
def test_detections(use_dilation, class_agnostic):
    case = Case(2, use_dilation=use_dilation, class_agnostic=class_agnostic)
    weights = case.weights()
    expected = case.expected(weights)
    assert len(expected.detections.boxes) == 100
    assert len(set(expected.detections.labels)) >= 3
    for layout in LAYOUTS:
        match(run(case, weights, case.image(), layout), expected)


@pytest.mark.parametrize("resnet", [101, 152])
def test_deeper_backbones(resnet):
    case = Case(2, resnet=resnet, height=64, width=70, num_class=3, topk=100)
    weights = case.weights()
    match(run(case, weights, case.image()), case.expected(weights))


def test_a_batch_gives_what_its_images_give_alone():
    case = Case(3, height=50, width=110, topk=300)
    weights = case.weights()
    expected = [case.expected(weights, which) for which in (1, 2)]
    # The shorter one is filled up inside.
    assert len(expected[0].proposals) != len(expected[1].proposals)
    for layout in LAYOUTS:
        found = run(case, weights, np.stack([case.image(1), case.image(2)]), layout)
        assert found["boxes"].shape == (2, 100, 4)
        for which, count in enumerate(found["valid"]):
            rows = {role: found[role][which, :count] for role in ("boxes", "labels", "scores")}
            match(rows, expected[which])


def test_all_levels_of_the_pyramid():
    case = Case(3, height=500, width=520, num_class=5, topk=300, max_size=544)
    weights = case.weights()
    expected = case.expected(weights)
    assert set(level_of(expected.proposals)) == {2, 3, 4, 5}
    match(run(case, weights, case.image()), expected)


def test_an_image_with_one_row_on_the_coarsest_level():
    case = Case(5, height=21, width=90)
    weights = case.weights()
    match(run(case, weights, case.image()), case.expected(weights))


def test_the_size_that_bounds_boxes_is_rounded_up():
    case = Case(6, width=90, max_size=97)
    weights = case.weights()
    # Most boxes would be larger than the bound lets them.
    weights["rpn/box/b"] = weights["rpn/box/b"] + np.float32(2)
    expected = case.expected(weights)
    assert not np.array_equal(expected.proposals, case._replace(max_size=96).expected(weights).proposals)
    match(run(case, weights, case.image()), expected)


def test_features_of_the_final_boxes():
    case = Case(7, height=40, width=60, topk=100)
    weights = case.weights()
    expected = case.expected(weights)
    found = run(case, weights, case.image(), features=True)
    rows = match(found, expected)
    features = box_features(expected.maps, expected.detections.boxes)
    assert features.std() > 0.1
    assert found["features"].shape == features.shape
    assert np.abs(found["features"][rows] - features).max() < FEATURE


def test_nothing_found():
    case = Case(8, height=40, width=60, topk=100)
    weights = case.weights()
    weights["fastrcnn/outputs/class/b"][0] = 60
    assert len(case.expected(weights).detections.boxes) == 0
    found = run(case, weights, case.image(), features=True)
    shapes = {role: values.shape for role, values in found.items()}
    assert shapes == {"boxes": (0, 4), "labels": (0,), "scores": (0,), "features": (0, 256, 7, 7)}
    assert run(case, weights, case.image()[None])["valid"].tolist() == [0]
