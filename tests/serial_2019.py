"""The loop of 2019, written down independently of the package: what a pool's results are compared with.

One image after the other: imread, resize, one call of the engine, scale, round, JSON. Only the order of the rows is not the
original's, which was no order at all.
"""

from __future__ import annotations

import json
from typing import Callable, List, Optional, Tuple

import cv2
import numpy as np

Infer = Callable[[np.ndarray], Tuple[np.ndarray, np.ndarray, np.ndarray]]


def tensorflow_infer(graph_path: str) -> Infer:
    """The frozen graph as a function of one resized image, fed as float32 as in 2019."""
    import tensorflow.compat.v1 as tf

    graph_def = tf.GraphDef()
    with open(graph_path, "rb") as file:
        graph_def.ParseFromString(file.read())
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    session = tf.Session(graph=graph, config=tf.ConfigProto(allow_soft_placement=True))
    outputs = ["final_boxes:0", "final_labels:0", "final_probs:0"]
    return lambda image: session.run(outputs, {"image:0": image.astype("float32")})


def imread(path: str) -> Optional[np.ndarray]:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        # OpenCV 4.8 crashes over such a name.
        with open(path, "rb") as file:
            return cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)
    return cv2.imread(path, cv2.IMREAD_COLOR)


def resize(image: np.ndarray, short_edge_size: int, max_size: int) -> np.ndarray:
    height, width = image.shape[:2]
    scale = short_edge_size * 1.0 / min(height, width)
    if height < width:
        new_height, new_width = short_edge_size, scale * width
    else:
        new_height, new_width = scale * height, short_edge_size
    if max(new_height, new_width) > max_size:
        scale = max_size * 1.0 / max(new_height, new_width)
        new_height, new_width = new_height * scale, new_width * scale
    new_height, new_width = int(new_height + 0.5), int(new_width + 0.5)
    if (new_height, new_width) == (height, width):
        return image
    return cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)


def serial_result(
    path: str, infer: Infer, short_edge_size: int, max_size: int, classes: List[str], places: Tuple[int, int] = (4, 1)
) -> Optional[bytes]:
    """One image's result file; None where the program of 2019 would have died."""
    image = imread(path)
    if image is None:
        return None
    try:
        resized = resize(image, short_edge_size, max_size)
    except cv2.error:  # 1 x 3000 comes out without height
        return None
    scale = np.float32((resized.shape[0] * 1.0 / image.shape[0] + resized.shape[1] * 1.0 / image.shape[1]) / 2.0)
    boxes, labels, scores = infer(resized)
    rows = sorted(zip(-scores, labels, map(tuple, boxes)), key=lambda row: (row[0], row[1]) + row[2])
    found = []
    for score, label, box in rows:
        x1, y1, x2, y2 = (np.float32(edge) / scale for edge in box)
        label = int(label)
        found.append(
            {
                "category_id": label,
                "cat_name": classes[label] if label < len(classes) else str(label),
                "score": round(float(-score), places[0]),
                "bbox": [round(float(edge), places[1]) for edge in (x1, y1, x2 - x1, y2 - y1)],
                "segmentation": None,
            }
        )
    return json.dumps(found, separators=(",", ":")).encode()
