"""What the GPUs in use do, by NVIDIA's management library. Whatever it does: the run goes on, and the sample says so."""

from __future__ import annotations

from typing import List, Sequence, Tuple

from .sample import GpuSample


class GpuSampler:
    """Samples some GPUs.

    Args:
        uuids: those in use; without any, no driver is asked.
    """

    def __init__(self, uuids: Sequence[str]) -> None:
        self._uuids = list(uuids)

    def sample(self) -> Tuple[List[GpuSample], str]:
        """An entry for each GPU, and why there is none ("" when there is, or none is in use)."""
        raise NotImplementedError

    def close(self) -> None:
        """Lets go of the library."""
