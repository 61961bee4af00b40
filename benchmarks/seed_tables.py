"""The seed's Experiment 1, replayed: how busy would its GPUs have been with a queue that never starves?

    python benchmarks/seed_tables.py [--rows 0 1 2 ...] [--seconds 5] [--rounds 2] [--size 1920x1080] [--out benchmarks/out]

Each row of the seed's tables becomes that many emulated devices. How long a frame keeps one busy follows from the row's own
figures: utilisation / frames a second of a GPU. Two contestants run on the same frames, one after the other: the loop of 2019
(read, compute, write, one after the other) and `divainfer.run`. As in the row, the loop is one process for all GPUs, with a
frame for each in a step, or ("4 / 1*") one process a GPU.

"busy" is the share of the time in which a device computes, frames/s are a device's in that time, and the hours what the seed's
206,268 images take at that speed. That time is, for the loop, from its first read to its last result, for divainfer from a
device's first batch to its last. The devices are emulated and the processor is this machine's, not the seed's: what is
shown is what waiting for frames costs, not how fast a GPU is. Rounds are interleaved; figures are medians.
Writes seed_tables.json and seed_tables.svg.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import cv2
import numpy as np
from common import machine, make_frames

import divainfer
from divainfer.detections import Detections
from divainfer.modelfile.card import Card
from divainfer.worker.engines.base import EngineSpec
from divainfer.worker.engines.emulated import EmulatedEngine

HERE = Path(__file__).resolve().parent
#: The seed's images.
IMAGES = 206268
SEED, LOOP, POOL = "seed", "2019 loop", "divainfer"


class Row(NamedTuple):
    """A row of the seed's tables.

    Attributes:
        machine: 1 to 3.
        run_type: as the seed numbers them.
        gpus: GPUs in use.
        jobs: processes that share them.
        seconds: runtime.
        busy: the GPUs' average utilisation, 0 to 1.
        speed: frames a second of a GPU.
    """

    machine: int
    run_type: int
    gpus: int
    jobs: int
    seconds: float
    busy: float
    speed: float

    @property
    def busy_ms(self) -> float:
        """How long a frame keeps a GPU busy."""
        return 1e3 * self.busy / self.speed

    @property
    def name(self) -> str:
        """Machine, run type and GPUs, these as the seed writes them."""
        gpus = "{} / 1*".format(self.gpus) if self.jobs > 1 else str(self.gpus)
        return "{} | {} | {}".format(self.machine, self.run_type, gpus)


ROWS = [
    Row(1, 1, 2, 1, 41190.9, 0.653, 2.50),
    Row(1, 2, 2, 1, 37920.9, 0.620, 2.72),
    Row(1, 3, 2, 1, 31494.2, 0.548, 3.27),
    Row(1, 2, 1, 1, 75652.2, 0.701, 2.73),
    Row(1, 3, 1, 1, 57484.9, 0.688, 3.59),
    Row(2, 2, 4, 1, 29354.4, 0.338, 1.76),
    Row(2, 3, 4, 1, 26454.0, 0.235, 1.95),
    Row(2, 3, 2, 1, 35975.7, 0.380, 2.87),
    Row(2, 2, 1, 1, 74065.0, 0.414, 2.78),
    Row(2, 3, 1, 1, 57880.8, 0.548, 3.56),
    Row(2, 2, 4, 4, 17556.3, 0.462, 2.94),
    Row(2, 3, 4, 4, 14552.5, 0.523, 3.54),
    Row(2, 5, 4, 4, 17027.5, 0.532, 3.03),
    Row(2, 6, 4, 4, 13433.3, 0.617, 3.84),
    Row(3, 2, 1, 1, 57834.6, 0.612, 3.57),
    Row(3, 3, 1, 1, 43510.9, 0.612, 4.74),
    Row(3, 2, 4, 4, 14143.3, 0.626, 3.65),
    Row(3, 3, 4, 4, 10676.3, 0.652, 4.83),
]


def loop_of_2019(paths: List[str], busy_ms: float, devices: int, out: str) -> Dict[str, float]:
    """One process of 2019: in each step a frame for each device is read, then all compute, then all results are written.

    Args:
        paths: the frames; a multiple of `devices`.
        busy_ms: how long a frame keeps a device busy.
        devices: how many it has.
        out: folder for the results, made here.

    Returns:
        Seconds a device was busy, on average, and seconds in all.
    """
    os.makedirs(out)
    spec = EngineSpec("", Card(), "cpu", False, 1, 0, {"busy_ms": repr(busy_ms)})
    engines = [EmulatedEngine(spec) for _ in range(devices)]

    def compute(work: Tuple[EmulatedEngine, "np.ndarray"]) -> Tuple[Detections, float]:
        engine, image = work
        started = time.monotonic()
        (found,) = engine.infer(image[np.newaxis])
        return found, time.monotonic() - started

    busy, began = 0.0, time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(devices) as threads:
        for first in range(0, len(paths), devices):
            step = paths[first : first + devices]
            images = [cv2.imread(path, cv2.IMREAD_COLOR) for path in step]
            for image in images:
                image.astype("float32")  # The graph of 2019 was fed so; 1080p needs no resize.
            for path, (found, seconds) in zip(step, threads.map(compute, zip(engines, images))):
                busy += seconds / devices
                rows = zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist())
                with open(os.path.join(out, os.path.basename(path) + ".json"), "w") as file:
                    json.dump([{"category_id": label, "score": score, "bbox": box} for label, score, box in rows], file)
    return {"busy": busy, "total": time.monotonic() - began}


def run_loop(row: Row, images: List[str], scratch: Path) -> Dict[str, float]:
    """The loop of 2019, in as many processes as the row had."""
    jobs = []
    for number in range(row.jobs):
        listed = scratch / "list{}".format(number)
        listed.write_text("\n".join(images[number :: row.jobs]))
        orders = [str(listed), repr(row.busy_ms), str(row.gpus // row.jobs), str(scratch / "out{}".format(number))]
        jobs.append(subprocess.Popen([sys.executable, __file__, "--loop"] + orders, stdout=subprocess.PIPE))
    parts = [json.loads(job.communicate()[0]) for job in jobs]
    each = len(images) / row.gpus
    return {
        "busy": statistics.mean(part["busy"] / part["total"] for part in parts),
        "frames/s": statistics.mean(each / part["total"] for part in parts),
    }


def run_pool(row: Row, images: List[str], size: Tuple[int, int], scratch: Path) -> Dict[str, float]:
    """`divainfer.run` on the same frames; `size` is their width and height."""
    listed = scratch / "list"
    listed.write_text("\n".join(images))
    config = divainfer.RunConfig(
        images=str(listed),
        out=str(scratch / "out"),
        engine="emulated:busy_ms={!r}".format(row.busy_ms),
        gpus="cpu:{}".format(row.gpus),
        max_size=size[0],
        short_edge_size=size[1],
        progress="none",
    )
    summary = divainfer.run(config)
    assert summary.results == len(images), summary
    shares, speeds = [], []
    for stats in (worker.stats for worker in summary.workers if worker.stats.images):
        # "idle" is the tail: no image was left for this device while others finished theirs.
        total = stats.working
        shares.append(stats.busy / total)
        speeds.append(stats.images / total)
    return {"busy": statistics.mean(shares), "frames/s": statistics.mean(speeds)}


def medians(rows: List[Row], rounds: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """For each row what the seed measured, what the loop and what divainfer do here, and how much faster divainfer is."""
    found = []
    for number, row in enumerate(rows):
        entry: Dict[str, Any] = dict(row._asdict(), name=row.name, busy_ms=row.busy_ms)
        entry[SEED] = {"busy": row.busy, "frames/s": row.speed, "hours": row.seconds / 3600}
        for contestant in (LOOP, POOL):
            own = [figures for figures in rounds if (figures["row"], figures["contestant"]) == (number, contestant)]
            figures = {name: statistics.median(one[name] for one in own) for name in ("busy", "frames/s")}
            entry[contestant] = dict(figures, hours=IMAGES / (row.gpus * figures["frames/s"]) / 3600)
        entry["seed / divainfer"] = entry[SEED]["hours"] / entry[POOL]["hours"]
        entry["loop / divainfer"] = entry[LOOP]["hours"] / entry[POOL]["hours"]
        found.append(entry)
    return found


def plot(rows: List[Dict[str, Any]], path: Path) -> None:
    """For each row the seed's bar and ours; a mark for the loop on this machine."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 1.2 + 0.36 * len(rows)))
    places = np.arange(len(rows))
    for offset, contestant, label in (
        (-0.2, SEED, "2019, as its tables say"),
        (0.2, POOL, "divainfer, emulated devices"),
    ):
        shares = [100 * row[contestant]["busy"] for row in rows]
        axes.barh(places + offset, shares, 0.38, label=label)
        for place, share in zip(places, shares):
            axes.text(share + 0.8, place + offset, "{:.1f}".format(share), va="center", fontsize=7)
    shares = [100 * row[LOOP]["busy"] for row in rows]
    axes.plot(shares, places, "k|", markersize=12, label="the loop of 2019, same devices and machine as divainfer")
    axes.set_yticks(places)
    axes.set_yticklabels(["machine {}, type {}, GPUs {}".format(*row["name"].split(" | ")) for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 112)
    axes.set_xlabel("device busy, %")
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.4, -0.45 / (0.36 * len(rows) + 0.2)))
    figure.savefig(str(path), bbox_inches="tight")


def table(rows: List[Dict[str, Any]]) -> str:
    """The medians in Markdown."""
    heads = ["machine", "type", "GPUs", "ms a frame"]
    heads += [
        "{}, {}".format(name, figure) for name in (SEED, LOOP, POOL) for figure in ("busy", "frames/s a GPU", "hours")
    ]
    text = ["| {} | seed / divainfer |".format(" | ".join(heads)), "|---" * (len(heads) + 1) + "|"]
    for row in rows:
        cells = [row["name"], "{:.0f}".format(row["busy_ms"])]
        for contestant in (SEED, LOOP, POOL):
            cells.append("{busy:.1%} | {frames/s:.2f} | {hours:.2f}".format(**row[contestant]))
        text.append("| {} | {:.2f} |".format(" | ".join(cells), row["seed / divainfer"]))
    return "\n".join(text)


def _size(text: str) -> Tuple[int, int]:
    width, height = map(int, text.split("x"))
    return width, height


def main() -> None:
    """Replays the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rows", type=int, nargs="+", default=list(range(len(ROWS))), help="rows of the tables, from 0"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="how long a row keeps its devices busy, each time")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--size", type=_size, default=(1920, 1080), help="of the frames, pixels")
    parser.add_argument("--out", type=Path, default=HERE / "out")
    parser.add_argument("--loop", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop:
        listed, busy_ms, devices, out = options.loop
        paths = Path(listed).read_text().split("\n")
        print(json.dumps(loop_of_2019(paths, float(busy_ms), int(devices), out)))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    rows = [ROWS[number] for number in options.rows]
    counts = [row.gpus * max(2, round(1e3 * options.seconds / row.busy_ms)) for row in rows]
    rounds: List[Dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="seed-tables-") as scratch:
        images = make_frames(Path(scratch) / "frames", max(counts), *options.size)
        for number in range(options.rounds):
            for index, row in enumerate(rows):
                for contestant in (LOOP, POOL):
                    own = images[: counts[index]]
                    with tempfile.TemporaryDirectory(dir=scratch) as folder:
                        if contestant == LOOP:
                            figures = run_loop(row, own, Path(folder))
                        else:
                            figures = run_pool(row, own, options.size, Path(folder))
                    rounds.append(dict(figures, round=number, row=index, contestant=contestant))
                    print(
                        "round {round}  {name:<14} {contestant:<9} busy {busy:.1%}, {frames/s:.2f} frames/s a GPU".format(
                            name=row.name, **rounds[-1]
                        ),
                        flush=True,
                    )
    result = {
        "machine": machine(),
        "size": options.size,
        "frames": counts,
        "medians": medians(rows, rounds),
        "rounds": rounds,
    }
    (options.out / "seed_tables.json").write_text(json.dumps(result, indent=2) + "\n")
    plot(result["medians"], options.out / "seed_tables.svg")
    print("\n" + table(result["medians"]))


if __name__ == "__main__":
    main()
