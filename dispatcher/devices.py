"""From `--gpus` to devices: what each worker gets to see."""

from __future__ import annotations

import os
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional

from ..errors import DeviceError
from ..monitor.nvml import Gpu, list_gpus

_CPU_HINT = "To run without a GPU, give --gpus cpu."


class Device(NamedTuple):
    """What one worker computes on.

    Attributes:
        name: "cpu", or the GPU's UUID.
        label: for people: "CPU", or "GPU 0 (NVIDIA H200)".
        on_gpu: whether it is a GPU.
    """

    name: str
    label: str
    on_gpu: bool

    def environment(self) -> Dict[str, str]:
        """Variables that show a process this device and no other; to be set before CUDA is loaded."""
        return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": self.name if self.on_gpu else "-1"}


CPU = Device("cpu", "CPU", False)


def parse_devices(
    gpus: str, gpus_here: Callable[[], List[Gpu]] = list_gpus, environment: Optional[Mapping[str, str]] = None
) -> List[Device]:
    """The devices that `--gpus` names, one a worker.

    Args:
        gpus: indices (PCI bus order) or UUIDs joined by commas, "all", "cpu", or "cpu:N".
        gpus_here: lists the GPUs there are.
        environment: where `CUDA_VISIBLE_DEVICES` limits "all"; None takes `os.environ`.

    Raises:
        DeviceError: one sentence, when one of them is not there or is named twice.
    """
    words = [word.strip() for word in gpus.split(",") if word.strip()]
    if not words:
        raise DeviceError("--gpus is empty: give indices such as 0,1, or all, cpu, cpu:4.")
    if words[0] == "cpu" or words[0].startswith("cpu:"):
        return [CPU] * _cpu_workers(words)
    try:
        here = gpus_here()
    except DeviceError as error:
        raise DeviceError("--gpus {}: {}. {}".format(gpus, error, _CPU_HINT))
    if words == ["all"]:
        words = _all(here, os.environ if environment is None else environment)
    devices = [_find(word, here) for word in words]
    for device in devices:
        if devices.count(device) > 1:
            raise DeviceError("--gpus {}: {} is named twice.".format(gpus, device.label))
    return devices


def _cpu_workers(words: List[str]) -> int:
    count = words[0][len("cpu:") :] or "1"
    if len(words) > 1 or not count.isdigit() or not 1 <= int(count) <= 1024:
        raise DeviceError("--gpus {}: give cpu, or cpu:N for N workers on the CPU.".format(",".join(words)))
    return int(count)


def _all(here: List[Gpu], environment: Mapping[str, str]) -> List[str]:
    # A scheduler such as Slurm grants GPUs by this variable; "all" then means all that were granted.
    granted = environment.get("CUDA_VISIBLE_DEVICES")
    if granted is not None:
        words = [word.strip() for word in granted.split(",") if word.strip()]
        if not words or "-1" in words:
            raise DeviceError("--gpus all: CUDA_VISIBLE_DEVICES={!r} hides all GPUs. {}".format(granted, _CPU_HINT))
        return words
    if not here:
        raise DeviceError("--gpus all: this machine has no GPU. {}".format(_CPU_HINT))
    return [gpu.uuid for gpu in here]


def _find(word: str, here: List[Gpu]) -> Device:
    if word.startswith("MIG-"):
        return Device(word, word, True)
    # A UUID may be cut short, as CUDA allows it too.
    found = [
        gpu
        for gpu in here
        if (word.isdigit() and gpu.index == int(word)) or (word.startswith("GPU-") and gpu.uuid.startswith(word))
    ]
    if len(found) == 1:
        gpu = found[0]
        return Device(gpu.uuid, "GPU {} ({})".format(gpu.index, gpu.name), True)
    there = ", ".join("{} ({})".format(gpu.index, gpu.name) for gpu in here) or "none"
    raise DeviceError("--gpus: there is no GPU {!r}; this machine has: {}. {}".format(word, there, _CPU_HINT))
