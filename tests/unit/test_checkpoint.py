"""Checkpoints: files that TensorFlow itself wrote, and one sentence for whatever else people give."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Dict

import numpy as np
import pytest
import tensorflow
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from divainfer.errors import ModelError
from divainfer.model.weights import read_weights
from divainfer.modelfile.checkpoint import CHECKPOINT, NPZ, find_checkpoint, is_checkpoint
from divainfer.modelfile.checkpointindex import read_index

tf = tensorflow.compat.v1

# Names that share beginnings, as those of a detector do; enough for several blocks.
VALUES = {
    "group{}/block{}/conv{}/W".format(group, block, conv): np.full((1, 2, group + 1, 3), 100 * group + conv, np.float32)
    for group in range(4)
    for block in range(23)
    for conv in range(1, 4)
}
VALUES.update(
    {
        "global_step": np.int64(100000),
        "half": np.array([0.5, -2.0], np.float16),
        "double": np.array([[1.0, 3.0]], np.float64),
        "empty": np.zeros((0, 4), np.float32),
        "conv0/W": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    }
)


def save(prefix: str, values: Dict[str, np.ndarray], **more: object) -> str:
    """Writes a checkpoint as a TensorFlow 1 training does."""
    with tf.Graph().as_default(), tf.Session() as session:
        variables = [tf.get_variable(name, initializer=value, use_resource=False) for name, value in values.items()]
        session.run(tf.global_variables_initializer())
        tf.train.Saver(variables, **more).save(session, prefix, write_meta_graph=True)
    return prefix


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("trained")
    save(str(folder / "model-100000"), VALUES)
    return str(folder)


@pytest.fixture
def folder(trained: str, tmp_path: Path) -> str:
    """A copy that a test may change."""
    return shutil.copytree(trained, str(tmp_path / "obj_v3_model"))


def refusal(path: str) -> str:
    with pytest.raises(ModelError) as caught:
        find_checkpoint(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("more", ["", "/", "/model-100000", "/model-100000.index", "/model-100000.data-00000-of-00001"])
def test_a_checkpoint_of_tensorflow(trained: str, more: str) -> None:
    assert is_checkpoint(trained + more)
    found = find_checkpoint(trained + more)
    assert found.kind == CHECKPOINT and found.path == trained + more
    assert os.path.normpath(found.prefix) == trained + "/model-100000"
    assert [os.path.basename(path) for path in found.files] == [
        "model-100000.data-00000-of-00001",
        "model-100000.index",
    ]
    assert found.shapes == {name: np.shape(value) for name, value in VALUES.items()}
    assert found.dtypes == {name: np.asarray(value).dtype.name for name, value in VALUES.items()}


def test_the_values_become_float32(trained: str) -> None:
    names = [name for name in VALUES if name != "global_step"]
    values = read_weights(find_checkpoint(trained), names)
    assert list(values) == names
    for name in names:
        assert values[name].dtype == np.float32
        np.testing.assert_array_equal(values[name], VALUES[name])


def test_bfloat16_becomes_float32(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        variable = tf.get_variable("w", initializer=tf.cast([1.5, -256.0], tf.bfloat16), use_resource=False)
        session.run(variable.initializer)
        prefix = tf.train.Saver([variable]).save(session, str(tmp_path / "model"))
    found = find_checkpoint(prefix)
    assert found.dtypes == {"w": "bfloat16"}
    assert read_weights(found, ["w"])["w"].tolist() == [1.5, -256.0]


def test_a_variable_that_was_saved_in_parts(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        variable = tf.get_variable(
            "w",
            (6, 2),
            initializer=tf.ones_initializer(),
            partitioner=tf.fixed_size_partitioner(3),
            use_resource=False,
        )
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver([variable]).save(session, str(tmp_path / "model"))
    found = find_checkpoint(prefix)
    assert found.shapes == {"w": (6, 2)}
    np.testing.assert_array_equal(read_weights(found, ["w"])["w"], np.ones((6, 2)))


def test_a_checkpoint_in_several_files(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session(config=tf.ConfigProto(device_count={"CPU": 2})) as session:
        variables = []
        for number in range(2):
            with tf.device("/cpu:{}".format(number)):
                variables.append(tf.get_variable("w{}".format(number), initializer=[1.0 * number], use_resource=False))
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver(variables, sharded=True).save(session, str(tmp_path / "model"))
    found = find_checkpoint(prefix)
    assert found.shapes == {"w0": (1,), "w1": (1,)}
    assert len(found.files) == 1 + len(read_index(prefix + ".index").shards)
    assert read_weights(found, ["w1"])["w1"].tolist() == [1.0]


@pytest.mark.parametrize("name", ["relative", "/gone/on/another/machine/model-100000", 'model-\\061"00000'])
def test_the_file_that_names_the_latest(folder: str, name: str) -> None:
    if name == "relative":
        name = "model-100000"
    save(folder + "/model-200000", {"other": np.float32(1)})
    text = 'model_checkpoint_path: "{}"\nall_model_checkpoint_paths: "x"\n'.format(name.replace('"', ""))
    Path(folder, "checkpoint").write_text(text)
    assert find_checkpoint(folder).prefix == folder + "/model-100000"


def test_without_that_file_the_highest_step(folder: str) -> None:
    save(folder + "/model-99", {"other": np.float32(1)})
    os.remove(folder + "/checkpoint")
    assert find_checkpoint(folder).prefix == folder + "/model-100000"
    save(folder + "/best", {"other": np.float32(1)})
    os.remove(folder + "/checkpoint")
    sentence = refusal(folder)
    assert "several checkpoints" in sentence and folder + "/best" in sentence


def test_a_latest_that_is_gone(folder: str) -> None:
    Path(folder, "checkpoint").write_text('model_checkpoint_path: "model-7"\n')
    assert "names model-7, which is not there" in refusal(folder) and "model-100000" in refusal(folder)
    os.remove(folder + "/model-100000.index")
    assert "model-7.index is missing" in refusal(folder)


def test_nothing_there(tmp_path: Path) -> None:
    assert "no checkpoint in this folder" in refusal(str(tmp_path))
    assert "no such checkpoint" in refusal(str(tmp_path / "model-1"))
    assert "no such file" in refusal(str(tmp_path / "model.npz"))
    assert not is_checkpoint(str(tmp_path)) and not is_checkpoint(str(tmp_path / "obj.pb"))


def test_a_meta_file(folder: str) -> None:
    path = folder + "/model-100000.meta"
    assert is_checkpoint(path)
    assert "no weights" in refusal(path) and refusal(path).endswith("/model-100000.")


def test_the_old_form(tmp_path: Path) -> None:
    path = save(str(tmp_path / "old"), {"w": np.float32(1)}, write_version=tf.train.SaverDef.V1)
    assert not os.path.exists(path + ".index")
    assert is_checkpoint(path)
    assert "old form (V1)" in refusal(path) and "old form (V1)" in refusal(str(tmp_path))


def test_a_data_file_that_is_missing_or_cut(folder: str) -> None:
    data = folder + "/model-100000.data-00000-of-00001"
    with open(data, "r+b") as file:
        file.truncate(os.path.getsize(data) - 1)
    assert "is cut off" in refusal(folder) and refusal(folder).startswith(data)
    os.remove(data)
    assert "is missing" in refusal(folder)


def test_each_prefix_of_an_index_is_refused(folder: str) -> None:
    path = folder + "/model-100000.index"
    whole = Path(path).read_bytes()
    for size in list(range(0, len(whole), 97)) + [len(whole) - 1]:
        Path(path).write_bytes(whole[:size])
        assert "damaged one" in refusal(folder)


@settings(max_examples=300, deadline=2000, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_damaged_index_is_refused_or_says_the_same(trained: str, tmp_path: Path, data: st.DataObject) -> None:
    whole = Path(trained, "model-100000.index").read_bytes()
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "model.index"
    path.write_bytes(bytes(damaged))
    try:
        found = read_index(str(path))
    except ModelError as error:
        assert "\n" not in str(error)
        return
    # What is not used, such as the end of the footer's first half, has no checksum.
    assert found == read_index(trained + "/model-100000.index")


@settings(max_examples=300, deadline=2000, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300))
def test_any_bytes_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.index"
    path.write_bytes(data)
    with pytest.raises(ModelError):
        read_index(str(path))


# --- .npz


@pytest.mark.parametrize("ending", ["", ":0"])
def test_an_npz(tmp_path: Path, ending: str) -> None:
    path = str(tmp_path / "COCO-R50FPN.npz")
    np.savez(path, **{name + ending: value for name, value in VALUES.items()})
    assert is_checkpoint(path)
    found = find_checkpoint(path)
    assert (found.kind, found.prefix, found.files) == (NPZ, path, (path,))
    assert found.shapes == {name: np.shape(value) for name, value in VALUES.items()}
    assert found.dtypes["half"] == "float16" and found.dtypes["global_step"] == "int64"
    values = read_weights(found, ["half", "conv0/W"])
    assert all(value.dtype == np.float32 for value in values.values())
    np.testing.assert_array_equal(values["conv0/W"], VALUES["conv0/W"])
    np.testing.assert_array_equal(values["half"], VALUES["half"])


def test_a_compressed_npz(tmp_path: Path) -> None:
    path = str(tmp_path / "model.npz")
    np.savez_compressed(path, w=np.ones((3, 4), np.float32))
    assert find_checkpoint(path).shapes == {"w": (3, 4)}
    assert read_weights(find_checkpoint(path), ["w"])["w"].sum() == 12


def test_npz_files_that_are_none(tmp_path: Path) -> None:
    path = str(tmp_path / "model.npz")
    Path(path).write_bytes(b"hello")
    assert "not an .npz" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "not an .npz" in refusal(path)
    np.savez(path, **{"w": np.zeros(1), "w:0": np.zeros(1)})
    assert "two arrays named 'w'" in refusal(path)


def test_a_cut_npz(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    np.savez(str(path), w=np.ones((30, 40), np.float32))
    whole = path.read_bytes()
    for size in range(0, len(whole), 501):
        path.write_bytes(whole[:size])
        assert "not an .npz" in refusal(str(path))


def test_an_npz_with_a_damaged_array(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    np.savez(str(path), w=np.ones((30, 40), np.float32))
    whole = bytearray(path.read_bytes())
    whole[1000] ^= 1
    path.write_bytes(bytes(whole))
    with pytest.raises(ModelError, match="values cannot be read"):
        read_weights(find_checkpoint(str(path)), ["w"])


def test_pickles_are_not_read(tmp_path: Path) -> None:
    path = str(tmp_path / "model.npz")
    np.savez(path, w=np.array([{}], object))
    with pytest.raises(ModelError, match="w is object"):
        read_weights(find_checkpoint(path), ["w"])


# --- values


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_numbers_that_are_none(tmp_path: Path, bad: float) -> None:
    path = str(tmp_path / "model.npz")
    np.savez(path, fine=np.zeros(3), bad=np.array([0.0, bad]))
    found = find_checkpoint(path)
    assert list(read_weights(found, ["fine"])) == ["fine"]
    with pytest.raises(ModelError, match="bad has values that are no finite"):
        read_weights(found, ["fine", "bad"])


def test_whole_numbers_are_no_weights(trained: str) -> None:
    with pytest.raises(ModelError, match="1 variables are not of float32.*global_step is int64"):
        read_weights(find_checkpoint(trained), ["global_step"])


def test_tensorflow_is_not_imported(trained: str) -> None:
    code = (
        "import sys; from divainfer.modelfile.checkpoint import find_checkpoint; find_checkpoint(sys.argv[1])\n"
        "sys.exit(any(name.split('.')[0] == 'tensorflow' or name == 'google.protobuf' for name in sys.modules))"
    )
    assert subprocess.call([sys.executable, "-c", code, trained]) == 0
