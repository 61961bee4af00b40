"""The GPUs of this machine, by NVIDIA's management library. Never touches CUDA, so the dispatcher may call it."""

from __future__ import annotations

from typing import Any, List, NamedTuple

from ..errors import DeviceError


class Gpu(NamedTuple):
    """One GPU.

    Attributes:
        index: its number in PCI bus order, as `nvidia-smi` counts.
        uuid: "GPU-...".
        name: the product's name.
        memory: bytes.
    """

    index: int  # type: ignore[assignment]
    uuid: str
    name: str
    memory: int


def open_library() -> Any:
    """The binding, `pynvml`, after its `nvmlInit`; whoever opens it calls its `nvmlShutdown`.

    Raises:
        DeviceError: when there is no binding, or no NVIDIA driver that answers.
    """
    try:
        import pynvml
    except ImportError:
        raise DeviceError(
            "the Python binding of NVIDIA's management library is not installed (pip install nvidia-ml-py)"
        )
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise DeviceError("no NVIDIA driver answers on this machine ({})".format(error))
    return pynvml


def list_gpus() -> List[Gpu]:
    """The GPUs of this machine, in PCI bus order.

    Raises:
        DeviceError: when there is no NVIDIA driver, or it does not answer.
    """
    pynvml = open_library()
    try:
        return [_gpu(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        raise DeviceError("the NVIDIA driver failed while listing the GPUs ({})".format(error))
    finally:
        pynvml.nvmlShutdown()


def _gpu(pynvml: Any, index: int) -> Gpu:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle).total
    return Gpu(index, text(pynvml.nvmlDeviceGetUUID(handle)), text(pynvml.nvmlDeviceGetName(handle)), int(memory))


def text(value: Any) -> str:
    """What a binding says, as text: older ones say it in bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)
