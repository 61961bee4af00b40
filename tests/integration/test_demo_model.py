"""The committed demo detector, in whichever TensorFlow is here, on scenes that its training never saw."""

import hashlib
import os

import cv2
import numpy as np
import pytest
import tensorflow as tf

from divainfer.model.demo import evaluate, scenes
from divainfer.modelfile.card import card_path, read_card

v1 = tf.compat.v1

MODEL = os.path.join(os.path.dirname(os.path.abspath(scenes.__file__)), "demo.pb")
NAMES = ["final_boxes:0", "final_labels:0", "final_probs:0"]


@pytest.fixture(scope="module")
def card():
    return read_card(MODEL)


@pytest.fixture(scope="module")
def detect():
    definition = v1.GraphDef()
    with open(MODEL, "rb") as file:
        definition.ParseFromString(file.read())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    options = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    with v1.Session(graph=graph, config=options) as session:
        yield lambda image: session.run(NAMES, {"image:0": image})


def _frame(image, card):
    """As a loader resizes: the frame, and its scale."""
    height, width = image.shape[:2]
    scale = card.short_edge_size / min(height, width)
    if scale * max(height, width) > card.max_size:
        scale = card.max_size / max(height, width)
    size = int(width * scale + 0.5), int(height * scale + 0.5)
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), (size[1] / height + size[0] / width) / 2


def test_the_card_belongs_to_the_model(card):
    assert os.path.exists(card_path(MODEL))
    with open(MODEL, "rb") as file:
        data = file.read()
    assert card.digest == "sha256:" + hashlib.sha256(data).hexdigest()
    assert len(data) < 1000 * 1000
    assert card.classes == scenes.CLASSES


def test_it_finds_what_stands_on_unseen_lots(detect, card):
    drawn, found = [], []
    sizes = [(1920, 1080)] * 9 + [(1280, 720), (1000, 1000), (1080, 1920)]
    for index, (width, height) in enumerate(sizes):
        scene = scenes.draw(900000 + index, width, height)
        _, data = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, 80])
        frame, scale = _frame(cv2.imdecode(data, cv2.IMREAD_COLOR), card)
        boxes, labels, scores = detect(frame)
        drawn.append(("{}.jpg".format(index), width, height, scene.boxes, scene.hidden))
        for (x1, y1, x2, y2), label, score in zip(boxes / scale, labels, scores):
            found.append(
                {"image_id": index + 1, "category_id": int(label), "score": float(score),
                 "bbox": [float(x1), float(y1), float(x2 - x1), float(y2 - y1)]}
            )  # fmt: skip
    mean, classes = evaluate.ap50(scenes.truth_of(drawn), found)
    assert set(classes) == {"Vehicle", "Person", "Bike"}
    assert mean >= 0.85, classes


@pytest.mark.parametrize("height, width", [(540, 960), (333, 517), (31, 64), (1, 1)])
def test_any_size_gives_what_the_contract_says_and_gives_it_again(detect, height, width):
    image = scenes.draw(77, 960, 540).image
    image = np.ascontiguousarray(image[:height, :width]).astype(np.float32)
    boxes, labels, scores = detect(image)
    count = len(scores)
    assert (boxes.dtype, labels.dtype, scores.dtype) == (np.float32, np.int64, np.float32)
    assert boxes.shape == (count, 4) and labels.shape == (count,) and count <= 100
    assert ((labels >= 1) & (labels <= 3)).all()
    assert ((scores >= 0.05) & (scores <= 1)).all()
    assert (boxes >= 0).all() and (boxes[:, 2] <= width).all() and (boxes[:, 3] <= height).all()
    for first, again in zip((boxes, labels, scores), detect(image)):
        assert np.array_equal(first, again)
