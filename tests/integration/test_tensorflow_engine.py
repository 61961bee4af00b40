"""The engine registry, the TensorFlow engine on small graphs, and the rewrite from NCHW; all on the CPU."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import numpy as np
import pytest
import tensorflow
import tiny_graphs

from divainfer import errors
from divainfer.detections import Detections
from divainfer.modelfile.card import Card
from divainfer.modelfile.spec import resolve_model
from divainfer.worker import engines
from divainfer.worker.engines.base import Engine, EngineInfo, EngineSpec
from divainfer.worker.engines.layout import to_nhwc
from divainfer.worker.engines.tensorflow import TensorFlowEngine

tf = tensorflow.compat.v1

ONE_IMAGE = ("one", "uint8", "pinned", "nchw", "masks", "loop", "fragile")
BATCHED = ("batch", "any-batch")


class Loaded:
    """Engines on small graphs, closed after the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._engines: List[TensorFlowEngine] = []
        self.info = EngineInfo("")

    def path(self, kind: str) -> str:
        path = str(self._folder / (kind + ".pb"))
        tiny_graphs.write_graph(path, kind)
        return path

    def engine(self, kind: str, threads: int = 1, card: Optional[Card] = None) -> TensorFlowEngine:
        path = self.path(kind)
        engine = TensorFlowEngine(spec(path, card or resolve_model(path).card, threads=threads))
        self._engines.append(engine)
        self.info = engine.load()
        return engine

    def close(self) -> None:
        for engine in self._engines:
            engine.close()


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[Loaded]:
    loaded = Loaded(tmp_path)
    yield loaded
    loaded.close()


def spec(
    path: str, card: Card, on_gpu: bool = False, threads: int = 1, options: Optional[Dict[str, str]] = None
) -> EngineSpec:
    return EngineSpec(path, card, "GPU-0" if on_gpu else "cpu", on_gpu, 8, threads, options or {})


def frames(count: int, height: int = 240, width: int = 320, seed: int = 0) -> np.ndarray:
    """Frames with different numbers of detections: noise, darker and darker, with bright spots; the third is black."""
    rng = np.random.RandomState(seed)
    batch = rng.randint(0, 60, (count, height, width, 3)).astype(np.uint8)
    for index, frame in enumerate(batch):
        for _ in range(2 * index + 1):
            y, x = rng.randint(0, height), rng.randint(0, width)
            frame[y : y + 40, x : x + 40] += rng.randint(100, 190, 3).astype(np.uint8)
    batch[2:3] = 0
    return batch


def check(found: List[Detections], batch: np.ndarray) -> None:
    assert len(found) == len(batch)
    for detections, frame in zip(found, batch):
        wanted = tiny_graphs.expected(frame)
        for array, right, dtype in zip(detections[:3], wanted, (np.float32, np.int64, np.float32)):
            assert array.dtype == dtype and array.flags.owndata
            np.testing.assert_array_equal(array, right)


# --- the registry


@pytest.mark.parametrize(
    ["text", "name", "options"],
    [
        ("tensorflow", "tensorflow", {}),
        ("emulated:busy_ms=160,cpu_ms=5", "emulated", {"busy_ms": "160", "cpu_ms": "5"}),
        ("mine:path=/a:b=c", "mine", {"path": "/a:b=c"}),
        ("mine: a = 1", "mine", {"a": "1"}),
    ],
)
def test_engine_texts(text: str, name: str, options: Dict[str, str]) -> None:
    assert engines.parse_engine(text) == (name, options)


@pytest.mark.parametrize("text", ["", ":a=1", "x y", "x:", "x:a", "x:a=", "x:=1", "x:a=1,", "x:a=1,a=2", "x:a=1,,b=2"])
def test_wrong_engine_texts(text: str) -> None:
    with pytest.raises(errors.ConfigError, match="--engine"):
        engines.parse_engine(text)


def test_the_built_in_engines() -> None:
    assert engines.engine_class("tensorflow") is TensorFlowEngine


def test_an_unknown_engine() -> None:
    with pytest.raises(errors.ConfigError, match="known are .*tensorflow"):
        engines.engine_class("tensorrt")


def test_engines_of_other_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other_engines.py").write_text(
        "from divainfer.worker.engines.base import Engine\nclass Good(Engine): pass\nclass Bad: pass\n"
    )
    info = tmp_path / "other_engines-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-engines\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[divainfer.engines]\ngood = other_engines:Good\nbad = other_engines:Bad\ngone = other_engines:Gone\n"
        "tensorflow = other_engines:Bad\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    good = engines.engine_class("good")
    assert issubclass(good, Engine) and good.__name__ == "Good"
    with pytest.raises(errors.ConfigError, match="not a subclass"):
        engines.engine_class("bad")
    with pytest.raises(errors.ConfigError, match="cannot be loaded"):
        engines.engine_class("gone")
    # What is built in stays.
    assert engines.engine_class("tensorflow") is TensorFlowEngine


# --- the engine


@pytest.mark.parametrize("kind", ONE_IMAGE)
def test_one_image_graphs(loaded: Loaded, kind: str) -> None:
    engine = loaded.engine(kind)
    assert loaded.info.batch_size is None and loaded.info.frame_height is None
    assert "one image" in loaded.info.description and tensorflow.__version__ in loaded.info.description
    for count, height, width in ((5, 240, 320), (1, 33, 65), (2, 1, 1)):
        batch = frames(count, height, width)
        check(engine.infer(batch), batch)


def test_the_numbers_of_detections_differ() -> None:
    counts = [len(tiny_graphs.expected(frame).boxes) for frame in frames(5)]
    assert counts[2] == 0 and len(set(counts)) >= 3


@pytest.mark.parametrize("kind", BATCHED)
@pytest.mark.parametrize("count", [1, 3, 4])
def test_batched_graphs(loaded: Loaded, kind: str, count: int) -> None:
    engine = loaded.engine(kind)
    assert loaded.info.batch_size == (tiny_graphs.BATCH if kind == "batch" else None)
    batch = frames(count)
    check(engine.infer(batch), batch)


def test_a_batch_too_large(loaded: Loaded) -> None:
    with pytest.raises(errors.EngineError, match="4 frames at a time, not 5"):
        loaded.engine("batch").infer(frames(5))


def test_any_batch_may_be_large(loaded: Loaded) -> None:
    batch = frames(7)
    check(loaded.engine("any-batch").infer(batch), batch)


def test_the_card_fixes_the_batch(loaded: Loaded) -> None:
    path = loaded.path("any-batch")
    Path(path[:-3] + ".config.json").write_text('{"card": 1, "batch_size": 3}')
    engine = loaded.engine("any-batch")
    assert loaded.info.batch_size == 3
    batch = frames(2)
    check(engine.infer(batch), batch)


def test_threads_do_not_change_a_bit(loaded: Loaded) -> None:
    batch = frames(2, 1080, 1920)
    for threads in (0, 1, 2):
        check(loaded.engine("one", threads=threads).infer(batch), batch)


def test_two_threads_at_once(loaded: Loaded) -> None:
    engine = loaded.engine("one")
    wrong: List[str] = []

    def work(seed: int) -> None:
        try:
            for turn in range(20):
                batch = frames(2, seed=100 * seed + turn)
                check(engine.infer(batch), batch)
        except AssertionError as error:
            wrong.append(str(error))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("kind", ["one", "uint8", "batch"])
def test_frames_are_read_only_and_not_kept(loaded: Loaded, kind: str) -> None:
    engine = loaded.engine(kind)
    batch = frames(4)
    original = batch.copy()
    batch.flags.writeable = False
    found = engine.infer(batch)
    np.testing.assert_array_equal(batch, original)
    # The same memory, filled anew, as the slots of the queue are.
    batch.flags.writeable = True
    batch[:] = batch[::-1].copy()
    check(found, original)
    check(engine.infer(batch), batch)


def test_frames_that_begin_anywhere(loaded: Loaded) -> None:
    engine = loaded.engine("one")
    raw = np.zeros(33 * 65 * 3 + 64, np.uint8)
    for offset in (0, 1, 3, 32, 63):
        view = raw[offset : offset + 33 * 65 * 3].reshape(1, 33, 65, 3)
        view[:] = frames(1, 33, 65, seed=offset)
        check(engine.infer(view), view)


def test_masks(loaded: Loaded) -> None:
    batch = frames(3)
    for detections, frame in zip(loaded.engine("masks").infer(batch), batch):
        assert detections.masks is not None and detections.masks.dtype == np.float32
        np.testing.assert_array_equal(detections.masks, tiny_graphs.expected(frame).masks)


def test_no_masks(loaded: Loaded) -> None:
    assert loaded.engine("one").infer(frames(1))[0].masks is None


def test_a_fixed_size(loaded: Loaded) -> None:
    engine = loaded.engine("fixed-size")
    assert (loaded.info.frame_height, loaded.info.frame_width) == tiny_graphs.FIXED_SIZE
    batch = frames(2, *tiny_graphs.FIXED_SIZE)
    check(engine.infer(batch), batch)
    with pytest.raises(errors.EngineError, match="320x200"):
        engine.infer(frames(1, 200, 320))


def test_other_names(loaded: Loaded) -> None:
    names = dict(tiny_graphs.RENAMED)
    card = Card(image=names.pop("image"), outputs=names)
    batch = frames(2)
    check(loaded.engine("renamed", card=card).infer(batch), batch)


@pytest.mark.parametrize("kind", ["one", "uint8", "any-batch"])
def test_rgb_graphs_get_rgb(loaded: Loaded, kind: str) -> None:
    plain = resolve_model(loaded.path(kind)).card
    card = Card(outputs=plain.outputs, colour_order="RGB")
    batch = frames(2)
    check(loaded.engine(kind, card=card).infer(batch), np.ascontiguousarray(batch[..., ::-1]))


def test_a_score_that_is_no_number_is_handed_on(loaded: Loaded) -> None:
    found = loaded.engine("nan").infer(frames(1))[0]
    assert np.isnan(found.scores[0]) and not np.isnan(found.scores[1:]).any()


def test_a_failing_frame(loaded: Loaded) -> None:
    engine = loaded.engine("fragile")
    batch = frames(2)
    bad = batch.copy()
    bad[1, 0, 0] = tiny_graphs.FRAGILE_PIXEL
    with pytest.raises(errors.EngineError, match="1 frame of 320x240") as caught:
        engine.infer(bad)
    assert str(caught.value) == "TensorFlow failed on 1 frame of 320x240: assertion failed: [the fragile pixel]"
    check(engine.infer(batch), batch)


@pytest.mark.parametrize("role", ["boxes", "labels", "scores"])
def test_outputs_of_other_shapes(loaded: Loaded, role: str) -> None:
    outputs = dict(resolve_model(loaded.path("one")).card.outputs)
    outputs[role] = "fpn_box_feat:0"
    engine = loaded.engine("one", card=Card(outputs=outputs))
    with pytest.raises(errors.EngineError, match="fpn_box_feat:0 has the shape"):
        engine.infer(frames(1))


def test_out_of_memory_has_its_own_name(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = loaded.engine("one")

    def run(*_: Any) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nwith a page of hints")

    monkeypatch.setattr(engine, "_call", run)
    with pytest.raises(errors.EngineOutOfMemory) as caught:
        engine.infer(frames(1))
    assert str(caught.value) == "the device has not enough memory for 1 frame of 320x240: OOM when allocating tensor"


def test_a_version_without_the_short_way(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorflow.python.client import session

    monkeypatch.delattr(session.BaseSession, "_make_callable_from_options")
    check(loaded.engine("batch").infer(frames(2)), frames(2))


# --- what does not come up


def boot_failure(engine: TensorFlowEngine) -> str:
    with pytest.raises(errors.EngineBootError) as caught:
        try:
            engine.load()
        finally:
            engine.close()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_gpu_worker_without_a_gpu(loaded: Loaded) -> None:
    path = loaded.path("pinned")
    sentence = boot_failure(TensorFlowEngine(spec(path, resolve_model(path).card, on_gpu=True)))
    assert "sees no GPU" in sentence and "GPU-0" in sentence


@pytest.mark.parametrize("precision, xla", [("full", False), ("mixed", False), ("full", True), ("mixed", True)])
def test_what_a_gpu_worker_asks_its_session_for(loaded: Loaded, precision: str, xla: bool) -> None:
    """What a GPU makes of it cannot be tried without one; that TensorFlow takes it can."""
    path = loaded.path("pinned")
    wanted = spec(path, resolve_model(path).card, on_gpu=True)._replace(precision=precision, xla=xla)
    engine = TensorFlowEngine(wanted)
    assert "sees no GPU" in boot_failure(engine)
    options = engine._config().graph_options
    assert options.rewrite_options.auto_mixed_precision == (precision == "mixed")
    assert options.optimizer_options.global_jit_level == int(xla)


def test_an_option() -> None:
    with pytest.raises(errors.EngineBootError, match="no option 'xla'"):
        TensorFlowEngine(spec("x.pb", Card(), options={"xla": "1"}))


def test_an_operation_nobody_knows(loaded: Loaded) -> None:
    path = loaded.path("one")
    with open(path, "ab") as file:
        file.write(tiny_graphs.encode_node("odd", "OddOperation", ["image"]))
    assert "OddOperation" in boot_failure(TensorFlowEngine(spec(path, resolve_model(path).card)))


def test_an_output_the_operation_has_not(loaded: Loaded) -> None:
    outputs = dict(Card().outputs, boxes="final_boxes:7")
    assert "final_boxes:7" in boot_failure(TensorFlowEngine(spec(loaded.path("one"), Card(outputs=outputs))))


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(errors.ModelError, match="no such model file"):
        TensorFlowEngine(spec(str(tmp_path / "gone.pb"), Card())).load()


def test_no_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text("raise ImportError('libcudart.so.10.0: cannot open shared object file')")
    code = (
        "import sys; sys.path.insert(0, {!r})\n"
        "from divainfer.modelfile.card import Card\n"
        "from divainfer.worker.engines.base import EngineSpec\n"
        "from divainfer.worker.engines.tensorflow import TensorFlowEngine\n"
        "TensorFlowEngine(EngineSpec('', Card(), 'cpu', False, 1, 0, {{}})).load()\n"
    ).format(str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    last = done.stderr.decode().strip().splitlines()[-1]
    assert "EngineBootError" in last and "libcudart.so.10.0" in last and "pip install" in last


# --- the rewrite from NCHW


def run_graph(graph_def: Any, image: np.ndarray) -> np.ndarray:
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    with tf.Session(graph=graph) as session:
        return session.run("out:0", {"image:0": image})


def network(data_format: str, padding: Any) -> Any:
    """Convolutions, batch norms and poolings on `[2, 37, 45, 3]`, the same in either layout."""
    rng = np.random.RandomState(1)
    first = data_format == "NCHW"

    def spatial(height: int, width: int) -> List[int]:
        return [1, 1, height, width] if first else [1, height, width, 1]

    def weights(*shape: int) -> Any:
        return tf.constant(rng.randn(*shape).astype(np.float32) * 0.2)

    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, None, None, 3], "image")
        x = tf.transpose(x, [0, 3, 1, 2]) if first else x
        explicit = padding
        if isinstance(padding, list) and first:
            explicit = [padding[0], padding[3], padding[1], padding[2]]
        x = tf.nn.conv2d(
            x, filter=weights(3, 5, 3, 8), strides=spatial(2, 1), padding=explicit, data_format=data_format
        )
        x = tf.nn.relu(tf.nn.bias_add(x, weights(8), data_format=data_format))
        plain = "SAME" if isinstance(padding, list) else padding
        x = tf.nn.conv2d(
            x, filter=weights(3, 3, 8, 8), strides=spatial(1, 1), padding=plain, data_format=data_format,
            dilations=spatial(2, 3),
        )  # fmt: skip
        x = tf.nn.max_pool(x, spatial(3, 2), spatial(2, 1), plain, data_format=data_format)
        x = tf.nn.avg_pool(x, spatial(2, 3), spatial(1, 2), plain, data_format=data_format)
        x = tf.nn.fused_batch_norm(
            x,
            weights(8),
            weights(8),
            mean=weights(8),
            variance=tf.abs(weights(8)),
            is_training=False,
            data_format=data_format,
        )[0]
        x = tf.nn.depthwise_conv2d_native(x, weights(3, 3, 8, 1), spatial(1, 1), plain, data_format=data_format)
        x, mean, _ = tf.nn.fused_batch_norm(x, weights(8), weights(8), data_format=data_format)
        shape = tf.shape(x)
        height, width = (shape[2], shape[3]) if first else (shape[1], shape[2])
        size = [shape[0], 4, 2 * height, 2 * width] if first else [shape[0], 2 * height, 2 * width, 4]
        x = tf.nn.conv2d_transpose(
            x, filter=weights(2, 2, 4, 8), output_shape=tf.stack(size), strides=spatial(2, 2), data_format=data_format
        )
        x = tf.nn.bias_add(x, mean[:4], data_format=data_format)
        x = tf.space_to_depth(x, 2, data_format=data_format)
        tf.identity(tf.transpose(x, [0, 2, 3, 1]) if first else x, "out")
    return graph.as_graph_def()


@pytest.mark.parametrize("padding", ["SAME", "VALID", [[0, 0], [1, 2], [3, 0], [0, 0]]], ids=str)
def test_rewritten_graphs_compute_the_same(padding: Any) -> None:
    image = np.random.RandomState(2).rand(2, 37, 45, 3).astype(np.float32)
    wanted = run_graph(network("NHWC", padding), image)
    graph_def = network("NCHW", padding)
    assert to_nhwc(graph_def) == 9
    found = run_graph(graph_def, image)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=1e-5, rtol=1e-5)
    assert to_nhwc(graph_def) == 0


def test_nothing_to_rewrite() -> None:
    graph_def = network("NHWC", "SAME")
    before = graph_def.SerializeToString(deterministic=True)
    assert to_nhwc(graph_def) == 0
    assert graph_def.SerializeToString(deterministic=True) == before


def test_names_that_are_taken() -> None:
    graph_def = network("NCHW", "SAME")
    names = [node.name for node in graph_def.node]
    for name in ("layout/to_nhwc", names[2] + "/nhwc", "Conv2D/nhwc", "Conv2D/nhwc_input_0"):
        node = graph_def.node.add()
        node.name, node.op = name, "NoOp"
    to_nhwc(graph_def)
    after = [node.name for node in graph_def.node]
    assert len(set(after)) == len(after) and set(names) <= set(after)
    run_graph(graph_def, np.zeros((1, 37, 45, 3), np.float32))


def test_a_function_with_nchw_is_refused() -> None:
    graph_def = tf.GraphDef()
    function = graph_def.library.function.add()
    function.signature.name = "body"
    node = function.node_def.add()
    node.op = "Conv2D"
    node.attr["data_format"].s = b"NCHW"
    with pytest.raises(errors.EngineBootError, match="function body has an NCHW Conv2D"):
        to_nhwc(graph_def)
