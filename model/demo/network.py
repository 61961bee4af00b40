"""The demo detector's graph: a small fully convolutional net that finds objects by their centres.

The picture goes down to a 32nd of its size and comes back up to a quarter, as in a feature pyramid of one level. Each
cell of that quarter says for each class how much it looks like an object's centre, and how far the object's four edges
are away. Centres are local maxima; a suppression of overlapping boxes removes the second centres of long vehicles.

The graph is built twice from one description: in training each layer is a convolution, a normalisation by the batch
and a ReLU; for inference the normalisation is folded into the weights, which are constants. Nothing is left to freeze.

Only operations and names that both TensorFlow 1.14 and 2.x know (`tf.compat.v1`).
"""

from __future__ import annotations

from typing import Callable, Dict, Mapping, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

#: The net's coarsest level is a 32nd of the picture: edges are padded up to a multiple of this.
MULTIPLE = 32
#: The answer's cells, pixels of the frame.
STRIDE = 4
CLASS_COUNT = 3
#: Distances come out as exp(value) * REACH pixels, so that an untrained net starts with boxes of a person's size.
REACH = 8.0
#: Bias of the centre scores at the start: a centre is rare.
RARE = -3.5

#: Centres looked at, answers given, and what counts as an answer.
CANDIDATES, MOST, LEAST_SCORE, OVERLAP = 300, 100, 0.05, 0.5


class Layer(NamedTuple):
    """One convolution.

    Attributes:
        name: of its weights.
        kernel: edge, pixels.
        inputs: channels.
        outputs: channels.
        stride: pixels.
        relu: False only for the last one, which has a bias and no normalisation.
    """

    name: str
    kernel: int
    inputs: int
    outputs: int
    stride: int = 1
    relu: bool = True


LAYERS: Dict[str, Layer] = {
    layer.name: layer
    for layer in (
        Layer("down2", 3, 3, 16, 2),
        Layer("down4", 3, 16, 24, 2),
        Layer("same4", 3, 24, 24),
        Layer("down8", 3, 24, 40, 2),
        Layer("same8", 3, 40, 40),
        Layer("down16", 3, 40, 48, 2),
        Layer("same16", 3, 48, 48),
        Layer("down32", 3, 48, 56, 2),
        Layer("same32", 3, 56, 56),
        Layer("side32", 1, 56, 32),
        Layer("side16", 1, 48, 32),
        Layer("side8", 1, 40, 32),
        Layer("side4", 1, 24, 32),
        Layer("merge8", 3, 32, 32),
        Layer("merge4", 3, 32, 32),
        Layer("answer", 1, 32, CLASS_COUNT + 4, relu=False),
    )
}

#: Applies a layer to a tensor; training and inference differ in nothing else.
Apply = Callable[[tf.Tensor, Layer], tf.Tensor]


def answer(frames: tf.Tensor, apply: Apply) -> tf.Tensor:
    """The net itself.

    Args:
        frames: float32 `[B, H, W, 3]`, BGR, 0 to 255; H and W multiples of MULTIPLE.
        apply: makes a layer.

    Returns:
        float32 `[B, H/4, W/4, 7]`: centre scores before the sigmoid (3), then the logarithms of the distances to the
        left, upper, right and lower edge (4).
    """

    def layer(name: str, x: tf.Tensor) -> tf.Tensor:
        return apply(x, LAYERS[name])

    at2 = layer("down2", frames / 64.0 - 1.75)
    at4 = layer("same4", layer("down4", at2))
    at8 = layer("same8", layer("down8", at4))
    at16 = layer("same16", layer("down16", at8))
    at32 = layer("same32", layer("down32", at16))
    up16 = layer("side16", at16) + _twice(layer("side32", at32))
    up8 = layer("merge8", layer("side8", at8) + _twice(up16))
    up4 = layer("merge4", layer("side4", at4) + _twice(up8))
    return layer("answer", up4)


def _twice(x: tf.Tensor) -> tf.Tensor:
    """Doubles both edges, each pixel becoming four."""
    size = v1.shape(x)[1:3] * 2
    return v1.image.resize_nearest_neighbor(x, size)


def edges(logarithms: tf.Tensor) -> tf.Tensor:
    """Distances to the four edges in pixels, from the last four channels of the answer, any shape `[..., 4]`."""
    return v1.exp(v1.clip_by_value(logarithms, -4.0, 4.0)) * REACH


def build(weights: Mapping[str, np.ndarray]) -> v1.GraphDef:
    """The inference graph.

    Args:
        weights: for each layer `name/kernel` float32 `[k, k, in, out]` and `name/bias` float32 `[out]`.

    Returns:
        A graph with the input `image:0` float32 `[H, W, 3]` (BGR, 0 to 255, any size) and the outputs `final_boxes:0`
        float32 `[R, 4]` (`x1, y1, x2, y2`, pixels of the input), `final_labels:0` int64 `[R]` (from 1),
        `final_probs:0` float32 `[R]` (falling), R at most MOST. Attributes that have their default value are left
        out: a reader that has not yet heard of one would refuse the graph.
    """
    with tf.Graph().as_default() as graph:
        image = v1.placeholder(tf.float32, [None, None, 3], name="image")

        def apply(x: tf.Tensor, layer: Layer) -> tf.Tensor:
            kernel = v1.constant(weights[layer.name + "/kernel"], name=layer.name + "/kernel")
            bias = v1.constant(weights[layer.name + "/bias"], name=layer.name + "/bias")
            strides = [1, layer.stride, layer.stride, 1]
            x = v1.nn.bias_add(v1.nn.conv2d(x, kernel, strides=strides, padding="SAME"), bias)
            return v1.nn.relu(x) if layer.relu else x

        size = v1.shape(image)[:2]
        missing = v1.mod(-size, MULTIPLE)
        padded = v1.pad(image, v1.stack([[0, missing[0]], [0, missing[1]], [0, 0]]), constant_values=112.0)
        _finish(answer(v1.expand_dims(padded, 0), apply)[0], size)
        return v1.train.export_meta_graph(graph=graph, strip_default_attrs=True, clear_devices=True).graph_def


def _finish(cells: tf.Tensor, size: tf.Tensor) -> None:
    """Turns the answer, float32 `[h, w, 7]`, into the named outputs; `size` int32 `[2]` is the input's height, width."""
    scores = cells[:, :, :CLASS_COUNT]
    highest = v1.nn.max_pool(scores[None], ksize=[1, 3, 3, 1], strides=[1, 1, 1, 1], padding="SAME")[0]
    peaks = v1.where(v1.equal(scores, highest), scores, v1.zeros_like(scores) - 50.0)
    peaks = v1.reshape(peaks, [-1])
    values, places = v1.nn.top_k(peaks, v1.minimum(CANDIDATES, v1.size(peaks)))
    probabilities = v1.sigmoid(values)
    labels = v1.mod(places, CLASS_COUNT)
    cell = v1.floordiv(places, CLASS_COUNT)
    columns = v1.shape(cells)[1]
    centre = (v1.cast(v1.stack([v1.mod(cell, columns), v1.floordiv(cell, columns)], axis=1), tf.float32) + 0.5) * STRIDE
    distance = edges(v1.gather(v1.reshape(cells[:, :, CLASS_COUNT:], [-1, 4]), cell))
    limit = v1.cast(size[::-1], tf.float32)
    low = v1.minimum(v1.maximum(centre - distance[:, :2], 0.0), limit)
    high = v1.minimum(v1.maximum(centre + distance[:, 2:], 0.0), limit)
    boxes = v1.concat([low, high], axis=1)
    # Classes are moved far apart, so that one suppression serves all of them.
    apart = v1.cast(labels, tf.float32) * (v1.reduce_max(limit) + 1.0)
    kept = v1.image.non_max_suppression(
        boxes + apart[:, None], probabilities, MOST, iou_threshold=OVERLAP, score_threshold=LEAST_SCORE
    )
    v1.gather(boxes, kept, name="final_boxes")
    v1.gather(probabilities, kept, name="final_probs")
    v1.cast(v1.gather(labels, kept) + 1, tf.int64, name="final_labels")
