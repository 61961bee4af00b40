"""No contestant but a limit: nothing is done but to read and decode, in the fastest way that keeps every pixel."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Dict, List, NamedTuple

import numpy as np
import simplejpeg


class Decoding(NamedTuple):
    """What pure decoding costs.

    Attributes:
        frames_per_second: of all cores together.
        cpu_ms: CPU time of a frame, milliseconds, when one core decodes and the others are idle.
        cpu_ms_together: the same, when all cores decode: more, since they share caches.
        cores: how many there are.
    """

    frames_per_second: float
    cpu_ms: float
    cpu_ms_together: float
    cores: int

    def cpu_ms_at(self, frames_per_second: float) -> float:
        """CPU time of a frame at a lower speed, milliseconds: between the two in proportion to the cores in use."""
        used = self.cores * frames_per_second / self.frames_per_second
        share = max(0.0, used - 1) / max(1, self.cores - 1)
        return self.cpu_ms + (self.cpu_ms_together - self.cpu_ms) * min(1.0, share)


def measure_decoding(listed: str, cores: int, seconds: float, environment: Dict[str, str]) -> Decoding:
    """Measures it on this machine, now.

    Args:
        listed: path of an image list; all images of one size.
        cores: how many processes decode at the same time.
        seconds: how long, twice.
        environment: of the processes.
    """
    alone = _run(listed, 1, seconds, environment)
    together = _run(listed, cores, seconds, environment)
    speed = sum(frames / wall for frames, wall, _ in together)
    cpu_ms = [1e3 * sum(row[2] for row in rows) / sum(row[0] for row in rows) for rows in (alone, together)]
    return Decoding(speed, cpu_ms[0], cpu_ms[1], cores)


def _run(listed: str, processes: int, seconds: float, environment: Dict[str, str]) -> List[List[float]]:
    command = [sys.executable, "-m", "peers.decoding", listed, str(seconds)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        for _ in range(processes)
    ]
    pipes = [(process.stdin, process.stdout) for process in running]
    # All begin together, when the last one is there.
    for _, answers in pipes:
        answers.readline()
    for orders, _ in pipes:
        orders.write(b"\n")
        orders.flush()
    return [[float(word) for word in process.communicate()[0].split()] for process in running]


def main() -> None:
    """Decodes the list over and over for some seconds; says frames, wall time and CPU time."""
    with open(sys.argv[1]) as file:
        paths = file.read().split("\n")
    with open(paths[0], "rb") as image:
        height, width = simplejpeg.decode_jpeg_header(image.read())[:2]
    frame = np.empty((height, width, 3), np.uint8)
    print("here", flush=True)
    sys.stdin.readline()
    frames, began, cpu = 0, time.monotonic(), time.process_time()
    until = began + float(sys.argv[2])
    while time.monotonic() < until:
        with open(paths[frames % len(paths)], "rb") as image:
            simplejpeg.decode_jpeg(image.read(), "BGR", buffer=frame)
        frames += 1
    print(frames, time.monotonic() - began, time.process_time() - cpu)


if __name__ == "__main__":
    main()
