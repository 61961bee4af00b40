"""What the GPUs in use do, by NVIDIA's management library. Whatever it does: the run goes on, and the sample says so."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

from ..errors import DeviceError
from .nvml import open_library, text
from .sample import GpuSample

#: A driver or a GPU that is gone is looked for again after so many seconds.
_AGAIN_SECONDS = 30.0
#: NVML's codes of errors (`nvmlReturn_t`), which its bindings pass on as `NVMLError.value`.
_UNINITIALISED, _INVALID_ARGUMENT, _NOT_SUPPORTED, _NO_PERMISSION, _DRIVER_NOT_LOADED, _TIMEOUT = 1, 2, 3, 4, 9, 10
_FUNCTION_NOT_FOUND, _GPU_IS_LOST, _RESET_REQUIRED, _OTHER_VERSION = 13, 15, 16, 18
#: What is not offered never will be.
_NOT_OFFERED = frozenset((_NOT_SUPPORTED, _FUNCTION_NOT_FOUND))
#: These say nothing about a GPU's health.
_HARMLESS = _NOT_OFFERED | {_INVALID_ARGUMENT, _NO_PERMISSION}
#: The library has to be opened anew.
_NO_DRIVER = frozenset((_UNINITIALISED, _DRIVER_NOT_LOADED, _OTHER_VERSION))
_LOST = frozenset((_GPU_IS_LOST, _RESET_REQUIRED))
#: Why clocks are lower than they could be, by the bit that says so. The first one, an idle GPU, is no reason to worry.
_IDLE = 0x1
_REASONS = {
    0x2: "applications clocks setting",
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
    0x100: "display clock setting",
    0x200: "board limit",
    0x400: "reliability",
}
#: Critical errors that are kept of a GPU.
_MOST_XIDS = 16
#: Milliseconds to wait for the news of one: hardly any, and not 0, which no documentation calls a time.
_EVENT_MS = 1


class GpuSampler:
    """Samples some GPUs. Its calls may hang with the driver, see `aside.py`.

    Args:
        uuids: those in use, "GPU-..." or "MIG-..."; without any, no driver is asked.
        clock: seconds.
    """

    def __init__(self, uuids: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.uuids = list(uuids)
        self._clock = clock
        self._library: Any = None
        self._gpus: Dict[str, _Gpu] = {}
        #: What was known of each one when it was seen last.
        self._known = {uuid: GpuSample(uuid) for uuid in self.uuids}
        self._missing = ""
        self._again_at = dict.fromkeys(self.uuids + [""], 0.0)

    def sample(self) -> Tuple[List[GpuSample], str]:
        """An entry for each GPU, and why there is none ("" when there is, or none is in use)."""
        if not self.uuids or (self._library is None and self._clock() < self._again_at[""]):
            return [], self._missing
        try:
            if self._library is None:
                self._library = open_library()
                self._missing = ""
            return [self._sample(uuid) for uuid in self.uuids], ""
        except _NoDriver as error:
            self.close()
            self._missing = "the NVIDIA driver has gone ({})".format(error)
        except DeviceError as error:
            self._missing = str(error)
        self._again_at[""] = self._clock() + _AGAIN_SECONDS
        return [], self._missing

    def close(self) -> None:
        """Lets go of the library."""
        for gpu in self._gpus.values():
            gpu.close()
        self._gpus.clear()
        if self._library is not None:
            with contextlib.suppress(self._library.NVMLError):
                self._library.nvmlShutdown()
        self._library = None

    def _sample(self, uuid: str) -> GpuSample:
        """One GPU.

        Raises:
            _NoDriver: when it is not the GPU that is gone.
        """
        known = self._known[uuid]
        if known.gone and self._clock() < self._again_at[uuid]:
            return known
        try:
            if uuid not in self._gpus:
                self._gpus[uuid] = _Gpu(self._library, uuid, known.xids)
            sample = self._gpus[uuid].sample()
        except self._library.NVMLError as error:
            if error.value in _NO_DRIVER:
                raise _NoDriver(str(error))
            xids = known.xids
            gpu = self._gpus.pop(uuid, None)
            if gpu is not None:
                xids = gpu.xids
                gpu.close()
            sample = GpuSample(uuid, index=known.index, name=known.name, xids=xids, gone=str(error))
            self._again_at[uuid] = self._clock() + _AGAIN_SECONDS
        self._known[uuid] = sample
        return sample


class _NoDriver(Exception):
    """The driver is gone, not a GPU."""


class _Gpu:
    """A GPU that answers, or a slice of one.

    Args:
        library: the binding, open.
        uuid: its UUID.
        xids: its critical errors so far.

    Attributes:
        xids: those, and what the driver has told since.

    Raises:
        NVMLError: when it is not there.
    """

    def __init__(self, library: Any, uuid: str, xids: List[int]) -> None:
        self.xids = xids
        self._library = library
        self._uuid = uuid
        self._not_offered: Set[str] = set()
        self._trouble: Any = None
        self._answers = 0
        # Bytes: older bindings take nothing else.
        self._handle = library.nvmlDeviceGetHandleByUUID(uuid.encode())
        # A slice has its own memory; sensors and clocks are those of the whole GPU.
        whole = self._ask("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", self._handle) if uuid[:4] == "MIG-" else None
        self._whole = self._handle if whole is None else whole
        self._index = self._ask("nvmlDeviceGetIndex", self._whole) or 0
        self._name = text(self._ask("nvmlDeviceGetName", self._handle) or "")
        self._clock_limit = self._ask("nvmlDeviceGetMaxClockInfo", self._whole, library.NVML_CLOCK_SM)
        self._events: Any = self._ask("nvmlEventSetCreate")
        if self._events is not None:
            try:
                library.nvmlDeviceRegisterEvents(self._whole, library.nvmlEventTypeXidCriticalError, self._events)
            except library.NVMLError:  # If it is the GPU that is gone, the first sample says so.
                self.close()

    def sample(self) -> GpuSample:
        """What it does.

        Raises:
            NVMLError: when it is gone, or so is the driver.
        """
        # First, since what follows may find that it is gone.
        self._hear_events()
        self._answers, self._trouble = 0, None
        memory = self._ask("nvmlDeviceGetMemoryInfo", self._handle)
        utilisation = self._ask("nvmlDeviceGetUtilizationRates", self._handle)
        whole, library = self._whole, self._library
        sample = GpuSample(
            self._uuid,
            index=self._index,
            name=self._name,
            utilisation=None if utilisation is None else utilisation.gpu / 100,
            memory_used=None if memory is None else int(memory.used),
            memory_total=None if memory is None else int(memory.total),
            power=_thousandth(self._ask("nvmlDeviceGetPowerUsage", whole)),
            power_limit=_thousandth(self._ask("nvmlDeviceGetEnforcedPowerLimit", whole)),
            clock=self._ask("nvmlDeviceGetClockInfo", whole, library.NVML_CLOCK_SM),
            clock_limit=self._clock_limit,
            temperature=self._ask("nvmlDeviceGetTemperature", whole, library.NVML_TEMPERATURE_GPU),
            throttled=self._throttled(),
            ecc_errors=self._ask(
                "nvmlDeviceGetTotalEccErrors",
                whole,
                library.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
                library.NVML_VOLATILE_ECC,
            ),
            xids=self.xids,
        )
        if not self._answers and self._trouble is not None:
            raise self._trouble
        return sample

    def _hear_events(self) -> None:
        for _ in range(_MOST_XIDS):
            if self._events is None:
                break
            try:
                event = self._library.nvmlEventSetWait(self._events, _EVENT_MS)
            except self._library.NVMLError as error:
                if error.value != _TIMEOUT:
                    self.close()
                break
            # A list of its own for each sample that has it.
            self.xids = (self.xids + [int(event.eventData)])[-_MOST_XIDS:]

    def close(self) -> None:
        """Lets go of what the driver keeps for it."""
        events, self._events = self._events, None
        if events is not None:
            with contextlib.suppress(self._library.NVMLError):
                self._library.nvmlEventSetFree(events)

    def _throttled(self) -> List[str]:
        # The newer name is not known to older drivers and bindings, and the older one is to go.
        bits = self._ask("nvmlDeviceGetCurrentClocksEventReasons", self._whole)
        if bits is None:
            bits = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons", self._whole)
        return reasons(bits or 0)

    def _ask(self, name: str, *arguments: Any) -> Any:
        """What one of the library's functions says; None where this binding, driver or GPU has no answer.

        Raises:
            NVMLError: when the GPU is gone, or so is the driver.
        """
        function: Optional[Callable[..., Any]] = getattr(self._library, name, None)
        if function is None or name in self._not_offered:
            return None
        try:
            answer = function(*arguments)
        except self._library.NVMLError as error:
            if error.value in _LOST or error.value in _NO_DRIVER:
                raise
            if error.value in _NOT_OFFERED:
                self._not_offered.add(name)
            if error.value not in _HARMLESS:
                self._trouble = error
            return None
        self._answers += 1
        return answer


def reasons(bits: int) -> List[str]:
    """Why a clock is lower than it could be, out of NVML's bits."""
    found = [1 << place for place in range(bits.bit_length()) if bits >> place & 1]
    return [_REASONS.get(bit, "reason {:#x}".format(bit)) for bit in found if bit != _IDLE]


def _thousandth(value: Optional[int]) -> Optional[float]:
    return None if value is None else value / 1000
