"""tf.data: TensorFlow's own decoder in a parallel map, both its width and the prefetch chosen by AUTOTUNE."""

from __future__ import annotations

from typing import Any, Iterator, Tuple

from .device import Device
from .task import Task

TITLE = "tf.data, AUTOTUNE"
NEEDS = ("tensorflow",)
SWEPT = False


def feed(task: Task, device: int) -> None:
    """One device's job."""
    import tensorflow as tf

    if not tf.executing_eagerly():
        tf.compat.v1.enable_eager_execution()
    frames = _arrays(_dataset(tf, task, device))
    # The decoder's colours are RGB, and the engine is told so instead of turning them here.
    with Device(task, "RGB") as computing:
        for path, frame, size in frames:
            computing.compute(path.decode(), frame, (int(size[0]), int(size[1])))


def _dataset(tf: Any, task: Task, device: int) -> Any:
    def load(path: Any) -> Tuple[Any, Any, Any]:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        size = tf.shape(image)[:2]
        target = _target_size(tf, size, task)
        frame = tf.cond(tf.reduce_all(tf.equal(size, target)), lambda: image, lambda: resized(image, target))
        return path, frame, size

    def resized(image: Any, target: Any) -> Any:
        grown = tf.compat.v1.image.resize_bilinear(image[tf.newaxis], target, half_pixel_centers=True)[0]
        return tf.cast(grown + 0.5, tf.uint8)

    autotune = tf.data.experimental.AUTOTUNE
    dataset = tf.data.Dataset.from_tensor_slices(task.share(device)).map(load, num_parallel_calls=autotune)
    options = tf.data.Options()
    # The order of results does not matter, and keeping it would cost the tool speed.
    options.experimental_deterministic = False
    return dataset.prefetch(autotune).with_options(options)


def _target_size(tf: Any, size: Any, task: Task) -> Any:
    """`divainfer.geometry.target_size` as operations, so that no Python stands in the way of the parallel map."""
    edges = tf.cast(size, tf.float64)
    edges *= tf.constant(task.short_edge_size, tf.float64) / tf.reduce_min(edges)
    longest = tf.constant(task.max_size, tf.float64)
    edges *= tf.minimum(tf.constant(1.0, tf.float64), longest / tf.reduce_max(edges))
    return tf.cast(edges + 0.5, tf.int32)


def _arrays(dataset: Any) -> Iterator[Tuple[Any, ...]]:
    if hasattr(dataset, "as_numpy_iterator"):
        return iter(dataset.as_numpy_iterator())
    # TensorFlow 1.14 can only copy.
    return (tuple(part.numpy() for part in element) for element in dataset)
