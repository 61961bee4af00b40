"""Layers of configuration, and what is said about bad values."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from divainfer.config import RunConfig, lasting, resolve, to_json, to_toml
from divainfer.errors import ConfigError
from divainfer.values import parse_size


@pytest.fixture
def toml(tmp_path):
    def write(text):
        path = tmp_path / "run.toml"
        path.write_text(text)
        return str(path)

    return write


def test_precedence(toml):
    file = toml('loaders = 1\nbatch-size = 2\nstreams = 3\nclasses = ["Vehicle", "Bike"]\n')
    environment = {"DIVAINFER_BATCH_SIZE": "20", "DIVAINFER_STREAMS": "10", "OTHER": "x"}
    config = resolve({"streams": "15", "flat": None}, environment, file)
    assert (config.loaders, config.batch_size, config.streams, config.flat) == (1, 20, 15, False)
    assert config.classes == ("Vehicle", "Bike")


def test_printed_configuration_reads_back_to_the_same(toml):
    config = resolve({"images": 'we"ird\\', "queue_mem": "1.5GiB", "classes": "a, b", "flat": True}, {})
    assert resolve({}, {}, toml(to_toml(config))) == config
    assert config.queue_mem == 1610612736


@pytest.mark.parametrize(
    "layer,value,words",
    [
        ("loaders", "none", "--loaders 'none' (the command line): a whole number of at least 1"),
        ("loaders", "0", "at least 1"),
        ("score_threshold", "1.5", "from 0 to 1"),
        ("queue_mem", "lots", "4GiB"),
        ("result_style", "new", "seed, later"),
        ("flat", "perhaps", "true or false"),
        ("sample_every", "0.05", "0, or a number from 0.1 to 3600"),
        ("sample_every", "-1", "from 0 to 3600"),
        ("batch_sise", "1", "did you mean 'batch_size'?"),
    ],
)
def test_a_bad_value_is_one_sentence(layer, value, words):
    with pytest.raises(ConfigError) as caught:
        resolve({layer: value}, {})
    assert words in str(caught.value)


def test_a_misspelt_variable_is_an_error():
    with pytest.raises(ConfigError, match="the environment: there is no option 'loader'"):
        resolve({}, {"DIVAINFER_LOADER": "3"})


def test_bad_files(toml, tmp_path):
    with pytest.raises(ConfigError, match="not a TOML file"):
        resolve({}, {}, toml("a = = b"))
    with pytest.raises(ConfigError, match="cannot be read"):
        resolve({}, {}, str(tmp_path / "none.toml"))


@pytest.mark.parametrize("text,seconds", [("0", 0.0), ("0.1", 0.1), ("60", 60.0), (5, 5.0)])
def test_samples_come_at_a_sensible_pace_or_not_at_all(text, seconds):
    assert resolve({"sample_every": text}, {}).sample_every == seconds


@pytest.mark.parametrize(
    "text,size", [("4GiB", 2**32), ("512MB", 512 * 10**6), ("800m", 8 * 10**8), ("1000", 1000), (7, 7)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-4G", "0", True, None, "4XB"])
def test_no_sizes(text):
    with pytest.raises(ValueError):
        parse_size(text)


def test_values_given_in_python_are_checked_like_all_others():
    config = RunConfig(loaders="auto", queue_mem="1KiB", classes="a,b")
    assert (config.loaders, config.queue_mem, config.classes) == (None, 1024, ("a", "b"))
    with pytest.raises(ConfigError, match="--batch-size 0"):
        RunConfig(batch_size=0)
    with pytest.raises(ConfigError, match="--images"):
        RunConfig(images=["a.jpg"])


def test_auto_is_shown_as_auto():
    assert to_json(RunConfig())["loaders"] == "auto"
    assert resolve({"loaders": "auto"}, {}).loaders is None


def test_what_lasts_names_a_checkpoint_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "model-7.index").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    for model in ("train/", "train/model-7"):
        assert lasting(RunConfig(model=model))["model"] == os.path.abspath(model)
    assert lasting(RunConfig(model="demo"))["model"] == "demo"
