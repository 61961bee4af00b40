"""Trains the demo detector and writes `demo.pb` with its card.

    python -m divainfer.model.demo.train --out DIR

Measured for the committed model: TensorFlow 2.21, two cores of an AMD EPYC that other work used as well; 73 s to draw
560 scenes and 397 s for 2,400 steps, 474 s in all. On 200 scenes never seen (`scenes --count 200 --seed 7`) AP50 is
0.97: Vehicle 0.99, Person 0.95, Bike 0.97; TensorFlow 1.14 and 2.21 give the same to four places.

What is reproducible: the scenes, the crops, their order and the starting weights follow from fixed seeds. The weights do
not come out the same to the bit, since sums over threads have no fixed order; the AP50 above does, to about a hundredth
(runs of 2,800 and of 3,200 steps gave 0.97 and 0.98).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import queue
import sys
import threading
import time
from typing import Dict, Iterator, List, Tuple

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from ...modelfile.card import Card, write_card
from .network import CLASS_COUNT, LAYERS, RARE, STRIDE, Layer, answer, build, edges
from .samples import BATCH, CROP, MAX_SIZE, SHORT_EDGE, Batch, Frame, batches, frames
from .scenes import CLASSES

FRAMES, STEPS, SEED = 560, 2400, 2019
RATE, WARM_UP = 4e-3, 150
#: Added to a variance before its root.
EPSILON = 1e-3
#: Batches over which the final mean and variance of each layer are taken.
SETTLE = 80


class Trainer:
    """The training graph.

    Attributes:
        step: runs one step.
        loss: of a batch, and its two parts.
    """

    def __init__(self) -> None:
        edge = CROP // STRIDE
        self._images = v1.placeholder(tf.uint8, [BATCH, CROP, CROP, 3])
        self._heat = v1.placeholder(tf.float32, [BATCH, edge, edge, CLASS_COUNT])
        self._weight = v1.placeholder(tf.float32, [BATCH, edge, edge, CLASS_COUNT])
        self._where = v1.placeholder(tf.float32, [BATCH, edge, edge, 5])
        self.rate = v1.placeholder(tf.float32, [])
        self._variables: Dict[str, v1.Variable] = {}
        #: Mean and variance of each layer's convolution in the batch at hand.
        self._moments: Dict[str, Tuple[tf.Tensor, tf.Tensor]] = {}
        cells = answer(v1.cast(self._images, tf.float32), self._apply)
        scores = _score_loss(cells[..., :CLASS_COUNT], self._heat, self._weight)
        boxes = _box_loss(cells[..., CLASS_COUNT:], self._where)
        self.loss = v1.stack([scores + 2.0 * boxes, scores, boxes])
        self.step = v1.train.AdamOptimizer(self.rate, beta2=0.99).minimize(self.loss[0])

    def feed(self, batch: Batch) -> Dict[tf.Tensor, np.ndarray]:
        """A batch as a session takes it."""
        return {
            self._images: batch.images,
            self._heat: batch.heat,
            self._weight: batch.weight,
            self._where: batch.where,
        }

    def folded(self, session: v1.Session, stream: Iterator[Batch]) -> Dict[str, np.ndarray]:
        """The weights for inference: each layer's normalisation becomes a part of its convolution.

        No running averages are kept in training; the statistics are taken once, from the final weights.
        """
        sums: Dict[str, np.ndarray] = {}
        for _ in range(SETTLE):
            values = session.run(self._moments, self.feed(next(stream)))
            flat = {name: np.stack(pair).astype(np.float64) for name, pair in values.items()}
            sums = {name: sums.get(name, 0.0) + flat[name] for name in flat}
        variables = session.run(self._variables)
        weights: Dict[str, np.ndarray] = {}
        for name, layer in LAYERS.items():
            kernel, bias = variables[name + "/kernel"], variables[name + "/bias"]
            if layer.relu:
                mean, variance = sums[name] / SETTLE
                scale = variables[name + "/scale"] / np.sqrt(variance + EPSILON)
                kernel, bias = kernel * scale, bias - mean * scale
            weights[name + "/kernel"], weights[name + "/bias"] = kernel.astype(np.float32), bias.astype(np.float32)
        return weights

    def _apply(self, x: tf.Tensor, layer: Layer) -> tf.Tensor:
        shape = [layer.kernel, layer.kernel, layer.inputs, layer.outputs]
        # Seeded one by one: TensorFlow's own counting of operations differs between its versions.
        seed = SEED + list(LAYERS).index(layer.name)
        spread = (2.0 / (layer.kernel**2 * layer.inputs)) ** 0.5 if layer.relu else 0.01
        kernel = self._variable(layer.name + "/kernel", np.random.RandomState(seed).normal(0, spread, shape))
        start = np.zeros(layer.outputs)
        if not layer.relu:
            start[:CLASS_COUNT] = RARE
        bias = self._variable(layer.name + "/bias", start)
        x = v1.nn.conv2d(x, kernel, strides=[1, layer.stride, layer.stride, 1], padding="SAME")
        if not layer.relu:
            return v1.nn.bias_add(x, bias)
        scale = self._variable(layer.name + "/scale", np.ones(layer.outputs))
        x, mean, variance = v1.nn.fused_batch_norm(x, scale, bias, epsilon=EPSILON, is_training=True)
        self._moments[layer.name] = (mean, variance)
        return v1.nn.relu(x)

    def _variable(self, name: str, start: np.ndarray) -> v1.Variable:
        self._variables[name] = v1.Variable(start.astype(np.float32), name=name, use_resource=True)
        return self._variables[name]


def _score_loss(logits: tf.Tensor, heat: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Focal loss of the centres, an object each; cells near a centre count less (CornerNet's form)."""
    centre = v1.cast(v1.greater(heat, 0.999), tf.float32)
    probability = v1.sigmoid(logits)
    missed = centre * (1.0 - probability) ** 2 * v1.nn.softplus(-logits)
    false = (1.0 - centre) * (1.0 - heat) ** 4 * probability**2 * v1.nn.softplus(logits)
    return v1.reduce_sum((missed + false) * weight) / v1.maximum(v1.reduce_sum(centre), 1.0)


def _box_loss(logarithms: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """One minus the generalised overlap with the wanted box, averaged over the cells that answer for one."""
    edge = CROP // STRIDE
    places = (np.arange(edge) + 0.5) * STRIDE
    centre = np.stack(np.meshgrid(places, places), axis=-1).astype(np.float32)
    distance = edges(logarithms)
    low, high = centre - distance[..., :2], centre + distance[..., 2:]
    wanted_low, wanted_high = where[..., 1:3], where[..., 3:5]

    def area(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        sides = v1.maximum(second - first, 0.0)
        return sides[..., 0] * sides[..., 1]

    common = area(v1.maximum(low, wanted_low), v1.minimum(high, wanted_high))
    union = area(low, high) + area(wanted_low, wanted_high) - common
    hull = area(v1.minimum(low, wanted_low), v1.maximum(high, wanted_high))
    agreement = common / (union + 1e-6) - (hull - union) / (hull + 1e-6)
    return v1.reduce_sum((1.0 - agreement) * where[..., 0]) / (v1.reduce_sum(where[..., 0]) + 1e-6)


def _ahead(stream: Iterator[Batch], count: int) -> Iterator[Batch]:
    """Makes the next batches in a thread while one is learnt."""
    waiting: queue.Queue[Batch] = queue.Queue(4)

    def fill() -> None:
        for _ in range(count):
            waiting.put(next(stream))

    threading.Thread(target=fill, daemon=True).start()
    for _ in range(count):
        yield waiting.get()


def rate_at(step: int, steps: int) -> float:
    """Learning rate: up in a line, down along a cosine."""
    if step < WARM_UP:
        return RATE * (step + 1) / WARM_UP
    return RATE * 0.5 * (1.0 + float(np.cos(np.pi * (step - WARM_UP) / max(1, steps - WARM_UP)))) + 1e-6


def train(pool: List[Frame], steps: int, cores: int) -> Dict[str, np.ndarray]:
    """Learns from the frames; returns the weights that `network.build` takes."""
    started = time.monotonic()
    with tf.Graph().as_default():
        trainer = Trainer()
        options = v1.ConfigProto(intra_op_parallelism_threads=cores, inter_op_parallelism_threads=1)
        with v1.Session(config=options) as session:
            session.run(v1.global_variables_initializer())
            stream = _ahead(batches(pool, SEED), steps + SETTLE)
            sums = np.zeros(3)
            for step in range(steps):
                feed = {**trainer.feed(next(stream)), trainer.rate: rate_at(step, steps)}
                sums += session.run([trainer.loss, trainer.step], feed)[0]
                if (step + 1) % 200 == 0:
                    _say("step {:5d}  {:4.0f} s  loss {:.3f} (scores {:.3f}, boxes {:.3f})".format(
                        step + 1, time.monotonic() - started, *(sums / 200)))  # fmt: skip
                    sums[:] = 0
            return trainer.folded(session, stream)


def write_model(weights: Dict[str, np.ndarray], out: str) -> str:
    """Writes `demo.pb` and `demo.config.json` into the folder `out`; returns the first one's path."""
    path = os.path.join(out, "demo.pb")
    data = build(weights).SerializeToString(deterministic=True)
    with open(path, "wb") as file:
        file.write(data)
    card = Card(
        name="demo",
        short_edge_size=SHORT_EDGE,
        max_size=MAX_SIZE,
        classes=CLASSES,
        digest="sha256:" + hashlib.sha256(data).hexdigest(),
    )
    write_card(card, os.path.join(out, "demo.config.json"))
    return path


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Draws, learns, writes."""
    parser = argparse.ArgumentParser(description="Train the demo detector on drawn scenes.")
    parser.add_argument("--out", required=True, help="folder for demo.pb and demo.config.json")
    parser.add_argument("--frames", type=int, default=FRAMES, help="scenes to learn from ({})".format(FRAMES))
    parser.add_argument("--steps", type=int, default=STEPS, help="batches to learn ({})".format(STEPS))
    parser.add_argument("--cores", type=int, default=2, help="cores to use (2)")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    v1.logging.set_verbosity(v1.logging.ERROR)
    started = time.monotonic()
    # Drawn before TensorFlow starts its threads: they would not live on in the children.
    pool = frames(options.frames, options.cores)
    _say("{} scenes in {:.0f} s".format(len(pool), time.monotonic() - started))
    path = write_model(train(pool, options.steps, options.cores), options.out)
    _say("{}: {} bytes, {:.0f} s in all".format(path, os.path.getsize(path), time.monotonic() - started))


if __name__ == "__main__":
    main()
