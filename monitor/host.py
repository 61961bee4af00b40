"""What the machine does, and this run's processes by role, off /proc."""

from __future__ import annotations

from typing import Dict, List, Optional

from .sample import HostSample


class HostSampler:
    """Samples the machine."""

    def sample(self, pids: Dict[str, List[int]]) -> Optional[HostSample]:
        """The machine now.

        Args:
            pids: this run's processes by role.
        """
        raise NotImplementedError
