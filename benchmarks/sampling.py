"""What sampling costs: CPU of the sampler's threads in a real dispatcher, by how many workers it has.

    python benchmarks/sampling.py [--workers 1 2 4 8] [--seconds 60]

Emulated devices that take a second a frame, so that nothing else is at work; the usual sample a second. The shares are of one
core, from the first sample on. GPUs are asked where there are any. What the dispatcher's own thread does, which hands over
what it knows, is not in it. Writes sampling.json and sampling.svg. Needs Python 3.8, which knows its threads' numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Dict, List

from common import machine, make_frames

import divainfer

THREADS = ("sampler", "host", "gpus")
_TICK = os.sysconf("SC_CLK_TCK")


class Watch(threading.Thread):
    """Reads what the sampler's threads have used, until they end."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seconds = 0.0
        self.cpu: Dict[str, float] = {}
        self.over = threading.Event()

    def run(self) -> None:
        """Looks twice a second."""
        began = 0.0
        while not self.over.wait(0.5):
            for thread in threading.enumerate():
                if thread.name in THREADS and thread.native_id is not None:
                    began = began or time.monotonic()
                    self.cpu[thread.name] = _cpu(thread.native_id)
                    self.seconds = time.monotonic() - began


def _cpu(thread: int) -> float:
    with open("/proc/self/task/{}/schedstat".format(thread)) as file:
        return int(file.read().split()[0]) / 1e9


def measure(workers: int, seconds: int, folder: Path) -> Dict[str, Any]:
    """One run: percent of a core by thread."""
    images = make_frames(folder / "frames", workers * seconds, 128, 96)
    (folder / "list").write_text("\n".join(images))
    config = divainfer.RunConfig(
        images=str(folder / "list"), out=str(folder / "out"), engine="emulated:busy_ms=1000", gpus="cpu:{}".format(workers),
        loaders=1, batch_size=1, short_edge_size=96, max_size=128, progress="none", report=False,
    )  # fmt: skip
    watch = Watch()
    watch.start()
    summary = divainfer.run(config)
    watch.over.set()
    watch.join()
    assert summary.results == len(images), summary
    shares = {name: 100 * cpu / watch.seconds for name, cpu in watch.cpu.items()}
    lines = (folder / "out" / ".divainfer" / "metrics.jsonl").read_bytes().splitlines()
    return {
        "workers": workers,
        "seconds": watch.seconds,
        "samples": len(lines),
        "bytes a sample": sum(map(len, lines)) / len(lines),
        "percent of a core": dict(shares, together=sum(shares.values())),
    }


def table(rows: List[Dict[str, Any]]) -> str:
    """Markdown."""
    lines = ["| workers | % of a core | bytes a sample |", "|---:|---:|---:|"]
    for row in rows:
        percent = row["percent of a core"]["together"]
        lines.append("| {} | {:.2f} | {:,.0f} |".format(row["workers"], percent, row["bytes a sample"]))
    return "\n".join(lines)


def plot(rows: List[Dict[str, Any]], path: Path) -> None:
    """A line: percent of a core by workers."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3))
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    axes.plot([row["workers"] for row in rows], [row["percent of a core"]["together"] for row in rows], marker="o")
    axes.set_xlabel("workers")
    axes.set_ylabel("sampling, % of a core")
    axes.set_ylim(0, None)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(str(path), metadata={"Date": None})


def main() -> None:
    """Measures, writes, prints."""
    parser = argparse.ArgumentParser(description="What sampling costs.")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    options = parser.parse_args()
    rows = []
    for workers in options.workers:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(workers, options.seconds, Path(folder)))
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    options.out.mkdir(exist_ok=True)
    (options.out / "sampling.json").write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n")
    plot(rows, options.out / "sampling.svg")
    print(table(rows))


if __name__ == "__main__":
    main()
