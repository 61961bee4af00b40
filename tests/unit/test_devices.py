"""`--gpus`: what it means on which machine."""

from __future__ import annotations

import pytest

from divainfer.dispatcher.devices import parse_devices
from divainfer.errors import DeviceError
from divainfer.monitor.nvml import Gpu

HERE = [Gpu(0, "GPU-aaaa-1", "Titan", 10), Gpu(1, "GPU-aabb-2", "Titan", 10), Gpu(2, "GPU-cccc-3", "H200", 10)]


def devices(gpus, here=HERE, environment=()):
    return [device.name for device in parse_devices(gpus, lambda: here, dict(environment))]


def nothing():
    raise DeviceError("no NVIDIA driver answers on this machine (Driver Not Loaded)")


def test_what_is_understood():
    assert devices("0,2") == ["GPU-aaaa-1", "GPU-cccc-3"]
    assert devices("GPU-cccc-3, 0") == ["GPU-cccc-3", "GPU-aaaa-1"]
    assert devices("GPU-cc") == ["GPU-cccc-3"]
    assert devices("all") == [gpu.uuid for gpu in HERE]
    assert devices("cpu:3") == ["cpu"] * 3
    assert devices("cpu") == ["cpu"]


def test_all_means_those_that_were_granted():
    assert devices("all", environment={"CUDA_VISIBLE_DEVICES": "2,0"}) == ["GPU-cccc-3", "GPU-aaaa-1"]
    with pytest.raises(DeviceError, match="hides all GPUs"):
        devices("all", environment={"CUDA_VISIBLE_DEVICES": ""})


def test_a_worker_sees_its_device_only():
    assert parse_devices("1", lambda: HERE)[0].environment() == {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": "GPU-aabb-2",
    }
    assert parse_devices("cpu")[0].environment()["CUDA_VISIBLE_DEVICES"] == "-1"


@pytest.mark.parametrize(
    "gpus,words",
    [
        ("7", "no GPU '7'; this machine has: 0 (Titan), 1 (Titan), 2 (H200)"),
        ("0,0", "GPU 0 (Titan) is named twice"),
        ("GPU-aa", "no GPU 'GPU-aa'"),
        ("cpu:0", "cpu:N"),
        ("cpu:x", "cpu:N"),
        ("cpu,0", "cpu:N"),
        ("", "empty"),
        ("first", "no GPU 'first'"),
    ],
)
def test_what_is_not(gpus, words):
    with pytest.raises(DeviceError) as caught:
        devices(gpus)
    assert words in str(caught.value)


def test_without_a_driver_the_sentence_says_so_and_what_to_do():
    with pytest.raises(DeviceError, match="no NVIDIA driver .* --gpus cpu"):
        parse_devices("0", nothing)
    assert parse_devices("cpu", nothing)
