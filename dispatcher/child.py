"""A child process: started with its orders on standard input, logging into the run folder, ended for certain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any, Iterable, Mapping, Optional

from ..boot import orders_json

_KILL_SECONDS = 5.0
_TAIL_BYTES = 4000
_TAIL_LINES = 5
_FATAL = "Fatal Python error"
#: Exceptions and libraries' last words are worth a line; their warnings are not.
_NOISE = ("Warning", "np_resource", "_np_q", "cuda_gpu_executor", "cpu_feature_guard", "oneDNN")


class Child:
    """A process of ours.

    Args:
        module: what `python -m` runs.
        orders: a dataclass of `boot.py`, with a `name`.
        environment: variables on top of our own.
        log: path of its log file, appended to.
        folder: its working folder; one without Python files, since `python -m` looks for modules there first.
    """

    def __init__(self, module: str, orders: Any, environment: Mapping[str, str], log: str, folder: str) -> None:
        self.name: str = orders.name
        self.started = time.monotonic()
        self._log = log
        with open(log, "ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=dict(os.environ, **environment),
                # Its own session keeps the terminal's Ctrl-C away even before it can ignore it.
                start_new_session=True,
            )
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(orders_json(orders))
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # It has ended already; `exit_status` will tell.

    def signal_kill(self) -> None:
        """Kills it without waiting for its end."""
        self._process.kill()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def exit_status(self) -> Optional[int]:
        """None while it runs; else its status, negative for a signal."""
        return self._process.poll()

    def kill(self) -> bool:
        """Kills it. Returns whether it is gone: one that waits in the kernel for a dead disk or driver cannot be killed."""
        self._process.kill()
        try:
            self._process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        return True

    def how_it_ended(self) -> str:
        """Its end in words: signal or status, and the last lines of its log."""
        status = self._process.poll()
        if status is None:
            return "it is running"
        if status < 0:
            try:
                how = "killed by {}".format(signal.Signals(-status).name)
            except ValueError:
                how = "killed by signal {}".format(-status)
            if -status == signal.SIGKILL:
                how += " (out of memory?)"
        else:
            how = "ended with status {}".format(status)
        tail = self._tail()
        return "{}; its log {} ends: {}".format(how, self._log, tail) if tail else "{}; see {}".format(how, self._log)

    def _tail(self) -> str:
        try:
            with open(self._log, "rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._log_start, size - _TAIL_BYTES))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        telling = [line.strip() for line in lines if line.strip() and not any(word in line for word in _NOISE)]
        # Of a crash's dump the beginning tells: what happened, and where.
        dumps = [number for number, line in enumerate(telling) if line.startswith(_FATAL)]
        if dumps:
            return " | ".join(telling[dumps[-1] : dumps[-1] + _TAIL_LINES])
        return " | ".join(telling[-_TAIL_LINES:])


def end_all(children: Iterable[Child]) -> None:
    """Kills processes, all at once, and waits for their end."""
    children = list(children)
    for child in children:
        child.signal_kill()
    for child in children:
        child.kill()
