"""The seed's run types on this machine: a variable model beside a frozen graph, by one worker and by several.

    python benchmarks/run_types.py [--resnet 50] [--sizes 640x360 1920x1080] [--frames 12 6] [--workers 1 2] [--rounds 3]

The detector of 2019 at its real cost, with random weights, on CPU workers that share the cores. "variable" has its
weights as variables (the seed's run types 1, 2 and 5), "frozen" is the graph that `divainfer freeze` makes of them (3 and
6), here in NHWC. Each is run with `divainfer run`. Frames/s are of the second half of the results, since TensorFlow's first
frame takes several times as long. Rounds are interleaved; figures are medians. Both must find the
same, or the benchmark fails. Writes run_types.json and run_types.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
from common import machine, make_frames

import divainfer
from divainfer.model.freeze import frozen_graph
from divainfer.model.weights import random_weights
from divainfer.modelfile.architecture import Architecture

VARIABLE, FROZEN = "variable", "frozen"
#: Both forms compute the same in another order, and results have one place after the point.
MOST_APART = 0.11


def make_models(folder: Path, resnet: int) -> Dict[str, str]:
    """The two forms of one detector; returns the value of `--model` for each."""
    architecture = Architecture(resnet=resnet)
    values = random_weights(architecture, seed=1)
    frozen = folder / "frozen.pb"
    frozen.write_bytes(frozen_graph(architecture, values, "NHWC"))
    variable = folder / "variable.npz"
    np.savez(str(variable), **values)
    return {VARIABLE: str(variable), FROZEN: str(frozen)}


def run(model: str, images: List[str], size: Tuple[int, int], workers: int, scratch: str) -> Tuple[float, List[Any]]:
    """Frames a second of the second half, and all results; `size` is width and height."""
    listed = os.path.join(scratch, "list")
    with open(listed, "w") as file:
        file.write("\n".join(images))
    out = os.path.join(scratch, "out")
    config = divainfer.RunConfig(
        images=listed,
        out=out,
        model=model,
        gpus="cpu:{}".format(workers),
        class_list="diva",
        max_size=size[0],
        short_edge_size=size[1],
        progress="none",
    )
    summary = divainfer.run(config)
    assert summary.results == len(images), summary
    paths = [os.path.join(out, os.path.basename(path)[:-4] + ".json") for path in images]
    times = sorted(os.stat(path).st_mtime for path in paths)
    half = len(times) // 2
    found = [json.loads(Path(path).read_text()) for path in paths]
    return (len(times) - half) / (times[-1] - times[half - 1]), found


def apart(one: List[Any], other: List[Any]) -> float:
    """The share of detections that have no equal in the other form's."""
    alone = total = 0
    for mine, yours in zip(one, other):
        total += len(mine)
        for found in mine:
            alone += not any(
                found["category_id"] == candidate["category_id"]
                and max(abs(a - b) for a, b in zip(found["bbox"], candidate["bbox"])) < MOST_APART
                for candidate in yours
            )
    return alone / total


def plot(rows: List[Dict[str, Any]], path: Path) -> None:
    """A bar for each form, size and number of workers."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    groups = sorted({(row["size"], row["workers"]) for row in rows}, key=lambda group: (len(group[0]), group))
    figure, axes = pyplot.subplots(figsize=(6, 3.2))
    for offset, form in ((-0.2, VARIABLE), (0.2, FROZEN)):
        heights = [
            next(r["frames_per_second"] for r in rows if (r["size"], r["workers"], r["form"]) == group + (form,))
            for group in groups
        ]
        bars = axes.bar([index + offset for index in range(len(groups))], heights, 0.36, label=form)
        for bar, height in zip(bars, heights):
            middle = bar.get_x() + bar.get_width() / 2
            axes.text(middle, height, "{:.2f}".format(height), ha="center", va="bottom", fontsize=8)
    axes.set_xticks(range(len(groups)))
    axes.set_xticklabels(
        ["{}\n{} worker{}".format(size, workers, "s" if workers > 1 else "") for size, workers in groups]
    )
    axes.set_ylabel("frames/s")
    axes.margins(y=0.12)
    axes.legend()
    figure.tight_layout()
    figure.savefig(str(path))


def main() -> None:
    """Runs the contest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resnet", type=int, default=50, choices=(50, 101, 152))
    parser.add_argument("--sizes", nargs="+", default=["640x360", "1920x1080"])
    parser.add_argument("--frames", type=int, nargs="+", default=[12, 6], help="frames of each size")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    options = parser.parse_args()
    if len(options.frames) != len(options.sizes):
        parser.error("--frames: a number for each of --sizes is wanted")
    options.out.mkdir(parents=True, exist_ok=True)
    rounds: List[Dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="run-types-") as scratch:
        models = make_models(Path(scratch), options.resnet)
        frames, pixels = {}, {}
        for size, count in zip(options.sizes, options.frames):
            width, height = map(int, size.split("x"))
            frames[size] = make_frames(Path(scratch) / size, count, width, height)
            pixels[size] = width, height
        for number in range(options.rounds):
            for size in options.sizes:
                for workers in options.workers:
                    found = {}
                    for form, model in models.items():
                        with tempfile.TemporaryDirectory(dir=scratch) as folder:
                            speed, found[form] = run(model, frames[size], pixels[size], workers, folder)
                        rounds.append(
                            {
                                "round": number,
                                "size": size,
                                "workers": workers,
                                "form": form,
                                "frames_per_second": speed,
                            }
                        )
                        print(
                            "round {round}  {size:>9}  {workers} x {form:<8}  {frames_per_second:.3f} frames/s".format(
                                **rounds[-1]
                            ),
                            flush=True,
                        )
                    rounds[-1]["detections_apart"] = apart(found[VARIABLE], found[FROZEN])
                    assert rounds[-1]["detections_apart"] < 0.01, "the two forms find different things"
    rows = []
    for size in options.sizes:
        for workers in options.workers:
            for form in models:
                own = [r for r in rounds if (r["size"], r["workers"], r["form"]) == (size, workers, form)]
                speed = statistics.median(r["frames_per_second"] for r in own)
                rows.append({"size": size, "workers": workers, "form": form, "frames_per_second": speed})
    result = {"machine": machine(), "resnet": options.resnet, "medians": rows, "rounds": rounds}
    (options.out / "run_types.json").write_text(json.dumps(result, indent=2) + "\n")
    plot(rows, options.out / "run_types.svg")
    print("\n| size | CPU workers | variable, frames/s | frozen, frames/s | frozen / variable |\n|---|---|---|---|---|")
    for variable, frozen in zip(rows[::2], rows[1::2]):
        speeds = variable["frames_per_second"], frozen["frames_per_second"]
        print(
            "| {} | {} | {:.3f} | {:.3f} | {:.2f} |".format(
                variable["size"], variable["workers"], *speeds, speeds[1] / speeds[0]
            )
        )


if __name__ == "__main__":
    main()
