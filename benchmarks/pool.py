"""What the pool itself costs and gains, on emulated devices: no peer beside it, but itself with other settings.

    python benchmarks/pool.py [--rounds 3] [--seconds 5] [--out benchmarks/out]

small    frames of 256x256 that are decoded already (each loader remembers 40), through the whole pool, as fast as it can:
         batches of 32, one and two workers, results as JSON Lines and as a file each
streams  a device that needs 10 ms a frame, and 5 ms of CPU before: with one stream and with two
auto     a device that needs 12 ms a frame, 1080p: `--loaders auto` beside each fixed count
first    an engine that takes 2 s to load: how much later than that the first result is in its place

Rounds are interleaved; figures are medians. Results are written to memory: with ext4 making a file costs most in the minutes
after many others were removed, and each round removes its own. Writes pool.json and pool.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Sequence

from common import machine, make_frames, memory_folder

import divainfer
from divainfer.tuning.trial import run_trial

_DIFFERENT = 40
_BOOT_SECONDS = 2.0


def contestants(seconds: float) -> List[Dict[str, Any]]:
    """What is measured: figure, name, images and options."""
    small = {"engine": "emulated:busy_ms=0", "loaders": 1, "batch_size": 32, "short_edge_size": 256, "max_size": 256}
    streams = {"engine": "emulated:busy_ms=10,cpu_ms=5", "gpus": "cpu:1"}
    auto = {"engine": "emulated:busy_ms=12", "gpus": "cpu:1"}
    rows: List[Dict[str, Any]] = []
    for workers in (1, 2):
        for form in ("jsonl", "json"):
            options = dict(small, gpus="cpu:{}".format(workers), format=form)
            rows.append({"figure": "small", "name": "{} worker(s), {}".format(workers, form), "options": options})
    for count in (1, 2):
        rows.append({"figure": "streams", "name": str(count), "options": dict(streams, streams=count)})
    for count in (None, 1, 2, 3, 4):
        rows.append({"figure": "auto", "name": str(count or "auto"), "options": dict(auto, loaders=count)})
    rows.append({"figure": "first", "name": "seconds after the engine", "options": {}})
    return [dict(row, seconds=seconds) for row in rows]


def steady(images: Sequence[str], row: Dict[str, Any], folder: str) -> Dict[str, float]:
    """A run's steady state: frames a second, busy share (0 to 1), CPU time a frame of worker and loaders (ms)."""
    config = divainfer.RunConfig(images="", out=folder, **row["options"])
    remember = _DIFFERENT if row["figure"] == "small" else 0
    paths = [os.fsencode(path) for path in images]
    until = time.monotonic() + 20 * row["seconds"]
    outcome = run_trial(config, paths, os.path.dirname(paths[0]), folder, row["seconds"], until, remember=remember)
    assert outcome.figures is not None and not outcome.failures, outcome
    found = outcome.figures
    return {"frames_per_second": found.frames_per_second, "busy": found.busy, "cpu_ms": found.cpu_ms}


def first_result(images: Sequence[str], folder: str) -> Dict[str, float]:
    """Seconds from the engine's readiness to the first result in its place."""
    listed = folder + ".lst"
    with open(listed, "w") as file:
        file.write("\n".join(images[:8]))
    engine = "emulated:busy_ms=0,boot_ms={}".format(_BOOT_SECONDS * 1e3)
    began = time.time()
    divainfer.run(divainfer.RunConfig(images=listed, out=folder, engine=engine, gpus="cpu:1", progress="none"))
    results = [entry.stat().st_mtime for entry in os.scandir(folder) if entry.name.endswith(".json")]
    return {"seconds": min(results) - began - _BOOT_SECONDS}


def plot(rows: List[Dict[str, Any]], path: Path) -> None:
    """A panel a figure, a bar a contestant."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = (("small", "frames_per_second"), ("streams", "busy"), ("auto", "frames_per_second"))
    figure, axes = pyplot.subplots(1, len(panels), figsize=(11, 3.2))
    for axis, (name, value) in zip(axes, panels):
        shown = [row for row in rows if row["figure"] == name]
        bars = axis.bar([row["name"].replace(", ", "\n") for row in shown], [row[value] for row in shown])
        for bar, row in zip(bars, shown):
            text = "{:.1%}".format(row[value]) if value == "busy" else "{:,.4g}".format(row[value])
            axis.text(bar.get_x() + bar.get_width() / 2, bar.get_height(), text, ha="center", va="bottom", fontsize=8)
        axis.set_title(name)
        axis.set_ylabel(value.replace("_", " "))
        axis.margins(y=0.15)
    figure.tight_layout()
    figure.savefig(str(path))


def main() -> None:
    """Measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = contestants(options.seconds)
    rounds: List[Dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="pool-", dir=memory_folder()) as scratch:
        large = make_frames(Path(scratch) / "large", 4000)
        small = make_frames(Path(scratch) / "small", 80000, 256, 256)
        for number in range(options.rounds):
            for row in rows:
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    out = os.path.join(folder, "out")
                    if row["figure"] == "first":
                        figures = first_result(large, out)
                    else:
                        figures = steady(small if row["figure"] == "small" else large, row, out)
                rounds.append(dict(figures, round=number, figure=row["figure"], name=row["name"]))
                print(rounds[-1], flush=True)
    medians = []
    for row in rows:
        own = [one for one in rounds if (one["figure"], one["name"]) == (row["figure"], row["name"])]
        values = {key for one in own for key in one} - {"round", "figure", "name"}
        median = {key: statistics.median(one[key] for one in own) for key in sorted(values)}
        medians.append(dict(median, figure=row["figure"], name=row["name"]))
    result = {"machine": machine(), "medians": medians, "rounds": rounds}
    (options.out / "pool.json").write_text(json.dumps(result, indent=2) + "\n")
    plot(medians, options.out / "pool.svg")
    print("\n| figure | | frames/s | busy | CPU ms a frame | seconds |\n|---|---|---|---|---|---|")
    for row in medians:
        cells = [row.get(key) for key in ("frames_per_second", "busy", "cpu_ms", "seconds")]
        shown = ["" if cell is None else "{:.4g}".format(cell) for cell in cells]
        print("| {figure} | {name} | ".format(**row) + " | ".join(shown) + " |")


if __name__ == "__main__":
    main()
