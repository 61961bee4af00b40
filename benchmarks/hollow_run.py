"""A real dispatcher whose workers and loaders are hollow (`hollow.py`), started and watched: the dispatcher alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, List, NamedTuple, Optional

import numpy as np

from divainfer.errors import EXIT_INTERRUPTED, EXIT_OK

HERE = Path(__file__).resolve().parent
#: Runs the command line with hollow workers and loaders.
PROGRAM = """
import sys
from divainfer.dispatcher import staff
real = staff.Child
def hollow(module, orders, environment, log, folder):
    environment = dict(environment, HOLLOW_ROLE=module.split(".")[-1])
    return real("hollow", orders, environment, log, folder)
staff.Child = hollow
from divainfer.cli import main
main(sys.argv[1:])
"""
_LOOK_SECONDS = 0.05
_LIST_CHUNK = 1 << 20
_LINE = b"/data/night/camera%04d/%09d.jpg\n"
#: Images of one camera in the list.
_CAMERA_IMAGES = 100000


class Reading(NamedTuple):
    """The dispatcher's state at one moment.

    Attributes:
        time: seconds since 1970.
        done: images.
        cpu: seconds of CPU the dispatcher has used.
        own: MB of its own (anonymous) pages.
    """

    time: float
    done: int
    cpu: float
    own: float


class HollowRun:
    """One start of the program.

    Args:
        arguments: of the command line.
        scratch: a folder for what hollow workers and this class tell each other; emptied.
        rate: images a second of each hollow worker; 0: it answers at once.
        wait: whether workers ask for images only after `go`.
    """

    def __init__(self, arguments: List[str], scratch: Path, rate: float = 0.0, wait: bool = False) -> None:
        self._notes = scratch / "notes"
        shutil.rmtree(str(self._notes), ignore_errors=True)
        self._notes.mkdir()
        if not wait:
            self.go()
        # Hollow processes are found beside this file.
        search = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
        environment = dict(os.environ, HOLLOW_FOLDER=str(self._notes), HOLLOW_RATE=repr(rate), PYTHONPATH=search)
        self.began = time.time()
        self._said = scratch / "said"
        with open(str(self._said), "wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM] + arguments, env=environment, stdout=said, stderr=subprocess.STDOUT
            )
        #: MB: its own (anonymous) pages now, at most, and at most with the pages of mapped files.
        self.own = self.peak = self.peak_with_files = 0.0
        #: Seconds of CPU it has used.
        self.cpu = 0.0
        #: Seconds from the start to the first lease, and of CPU.
        self.first_lease: Optional[float] = None
        self.first_lease_cpu = 0.0

    def __enter__(self) -> "HollowRun":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def go(self) -> None:
        """Lets the workers ask for images."""
        (self._notes / "go").touch()

    def wait_for_workers(self, count: int) -> None:
        """Waits until that many workers and the dispatcher are up."""
        while len(list(self._notes.glob("*.up"))) < count:
            self._must_run()
            time.sleep(_LOOK_SECONDS)

    def watch(self, progress: Path, until_done: int) -> None:
        """Watches until so many images are done, and kills it then; with 0 until it ends.

        Args:
            progress: the run's `progress.json`.
            until_done: images.
        """
        while self._process.poll() is None:
            self._look()
            if until_done and self._state(progress).get("done", 0) >= until_done:
                self._process.kill()
                self._process.wait()
                return
            time.sleep(_LOOK_SECONDS)
        self._ended_well(until_done == 0, EXIT_OK)

    def next_reading(self, progress: Path, after: float) -> Reading:
        """Waits until the dispatcher has written how far it is, and reads it.

        Args:
            progress: the run's `progress.json`, which is renewed about once a second.
            after: seconds since 1970; what was written before that is too old.
        """
        while True:
            state = self._state(progress)
            if state.get("time", 0.0) > after:
                self._look()
                return Reading(state["time"], int(state["done"]), self.cpu, self.own)
            self._must_run()
            time.sleep(0.01)

    def stop(self) -> None:
        """Ends it as Ctrl-C does, so that workers can say their last words."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait()
        self._ended_well(True, EXIT_INTERRUPTED)

    def waits(self) -> "np.ndarray":
        """Seconds from each `WantBlock` to its `Lease`, float64 `[leases]`; of a run that was stopped or has ended."""
        parts = [np.frombuffer(path.read_bytes(), np.float64) for path in self._notes.glob("*.waits")]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _must_run(self) -> None:
        if self._process.poll() is not None:
            self._ended_well(False, EXIT_OK)

    def _ended_well(self, ended_in_time: bool, code: int) -> None:
        """Fails the benchmark when a run ended otherwise than it should, or lost a process, or before it was measured."""
        said = self._said.read_text()
        if self._process.returncode != code or "is lost" in said:
            raise SystemExit("The run ended with {} instead of {}:\n{}".format(self._process.returncode, code, said))
        if not ended_in_time:
            raise SystemExit("The run ended before it was measured: give more --images.")

    def _look(self) -> None:
        process = "/proc/{}/".format(self._process.pid)
        try:
            with open(process + "status") as file:
                fields = dict(line.split(":", 1) for line in file)
            self.own = int(fields["RssAnon"].split()[0]) / 1024
            self.peak = max(self.peak, self.own)
            self.peak_with_files = int(fields["VmHWM"].split()[0]) / 1024
            with open(process + "stat") as file:
                user, system = file.read().rpartition(")")[2].split()[11:13]
            self.cpu = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        except (OSError, KeyError):
            pass  # It has just ended.
        if self.first_lease is None:
            leased = [float(mark.read_text()) for mark in self._notes.glob("*.first-lease")]
            if leased:
                self.first_lease, self.first_lease_cpu = min(leased) - self.began, self.cpu

    def _state(self, progress: Path) -> Any:
        """What `progress.json` says of this start; nothing when it is of an earlier one."""
        try:
            state = json.loads(progress.read_text())
        except (OSError, ValueError):
            return {}
        return state if state["time"] > self.began else {}


def run_command(listed: Path, out: Path, workers: int) -> List[str]:
    """The command line of a run with that many hollow workers."""
    command = ["run", "--engine", "emulated", "--images", str(listed), "--out", str(out), "--progress", "none"]
    return command + ["--gpus", "cpu:{}".format(workers), "--loaders", "1"]


def write_list(path: Path, images: int) -> None:
    """A list of so many images that do not exist; ten million lines take a few seconds."""
    blank = _LINE % (0, 0)
    camera, number = blank.index(b"0000/"), blank.index(b"000000000.")
    with open(str(path), "wb") as file:
        for start in range(0, images, _LIST_CHUNK):
            index = np.arange(start, min(start + _LIST_CHUNK, images))
            lines = np.tile(np.frombuffer(blank, np.uint8), (len(index), 1))
            _put_digits(lines[:, camera : camera + 4], index // _CAMERA_IMAGES)
            _put_digits(lines[:, number : number + 9], index)
            file.write(lines.tobytes())


def _put_digits(columns: "np.ndarray", numbers: "np.ndarray") -> None:
    """Writes numbers as ASCII digits, uint8 `[lines, digits]`, with zeros in front."""
    for column in range(columns.shape[1] - 1, -1, -1):
        numbers, digit = np.divmod(numbers, 10)
        columns[:, column] = digit + ord("0")
