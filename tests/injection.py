"""Ways to make a run fail from inside: puts `chaos/injected/sitecustomize.py` into each of its processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Dict, Optional

INJECTED = Path(__file__).parent / "chaos" / "injected"
#: Signals and what they make any process of the run do.
EXIT, HANG_IN_PYTHON, HANG_IN_C = signal.SIGUSR1, signal.SIGUSR2, signal.SIGVTALRM
#: Every way a process may fail, by name.
DEEDS = {
    "SIGKILL": signal.SIGKILL,
    "SIGSTOP": signal.SIGSTOP,
    "SIGSEGV": signal.SIGSEGV,
    "exit(1)": EXIT,
    "hang in Python": HANG_IN_PYTHON,
    "hang in C": HANG_IN_C,
}
#: Bytes in an image file, as in `sitecustomize.py`: the loader that reads it dies by SIGSEGV, or hangs.
CRASH_MARKER = b"<injected: the loader crashes>"
HANG_MARKER = b"<injected: the loader hangs>"


def injected(strike: str = "", env: Optional[Dict[str, str]] = None, delay: str = "") -> Dict[str, str]:
    """The environment of a run that can be made to fail.

    Args:
        strike: what fails in it by itself, such as "dispatcher fdatasync 2 kill-before"; see `sitecustomize.py`.
        env: what is to be in it besides.
        delay: what is slow in it, such as "loader open 0.02": each `os.open` of a loader takes 0.02 s more.
    """
    env = dict(env or {})
    others = env.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    env["PYTHONPATH"] = os.pathsep.join([str(INJECTED)] + [path for path in others.split(os.pathsep) if path])
    env["INJECTED_STRIKE"] = strike
    env["INJECTED_DELAY"] = delay
    return env


def wait_until_armed(pid: int, seconds: float = 30) -> None:
    """Waits until a process just started would act on these signals, not die of them."""
    deadline = time.monotonic() + seconds
    while not _catches(pid, EXIT) or not _catches(pid, HANG_IN_C):
        assert time.monotonic() < deadline, "process {} has not come so far".format(pid)
        time.sleep(0.01)


def _catches(pid: int, number: int) -> bool:
    with open("/proc/{}/status".format(pid)) as file:
        mask = next(line.split()[1] for line in file if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (number - 1) & 1)
