"""How long do plan and resume take, and how much memory does the dispatcher need, with millions of listed images?

    python benchmarks/resume.py [--images 1000000 10000000] [--ledger 100000000] [--workers 4] [--out benchmarks/out]

A real dispatcher, ledger, sockets and processes; the workers are hollow (see hollow.py): they answer each lease at once, so
this is the dispatcher alone. No image of the list exists. Each round: the first start until its first lease ("plan"), killed
with SIGKILL at half; the same command again until its first lease ("resume"), killed at three quarters; `divainfer resume`
until its first lease ("resume DIR"), to the end; then the ledger alone ("replay"). Memory is the peak of the dispatcher, its
own (anonymous) pages and all (with pages of mapped files, which the kernel takes back when it needs them). At the end the
ledger alone, for 100 million images. Writes resume.json and resume.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

from common import machine
from hollow_run import HollowRun, run_command, write_list

from divainfer.dispatcher.compaction import compact
from divainfer.ledger import RESULT, Ledger, replay

HERE = Path(__file__).resolve().parent


def one_round(images: int, workers: int, scratch: Path) -> Dict[str, float]:
    """All starts of one run of that many images."""
    listed = scratch / "frames.lst"
    write_list(listed, images)
    out = scratch / "out"
    folder = out / ".divainfer"
    command = run_command(listed, out, workers)
    began = time.monotonic()
    first = HollowRun(command, scratch)
    first.watch(folder / "progress.json", images // 2)
    half_seconds = time.monotonic() - began
    second = HollowRun(command, scratch)
    second.watch(folder / "progress.json", images * 3 // 4)
    third = HollowRun(["resume", str(out), "--progress", "none"], scratch)
    third.watch(folder / "progress.json", 0)
    began = time.monotonic()
    progress = replay(str(folder / "ledger"), images)
    replay_seconds = time.monotonic() - began
    assert progress.count(RESULT) == images
    assert first.first_lease and second.first_lease and third.first_lease
    return {
        "plan": first.first_lease,
        "resume": second.first_lease,
        "resume DIR": third.first_lease,
        "replay": replay_seconds,
        "images/s": (images / 2) / (half_seconds - first.first_lease),
        "peak MB": max(start.peak for start in (first, second, third)),
        "peak MB, with mapped files": max(start.peak_with_files for start in (first, second, third)),
        "ledger MB": (folder / "ledger").stat().st_size / 1e6,
    }


def ledger_alone(images: int, scratch: Path) -> Dict[str, float]:
    """A ledger as a run over that many images leaves it, a record a block of 64: its replay, before and after it is short."""
    path = str(scratch / "ledger")
    ledger = Ledger(path, 0)
    for start in range(0, images, 64):
        count = min(64, images - start)
        ledger.add(start, count, [], bytes(4) * count)
        if start % (1 << 20) == 0:
            ledger.commit()
    ledger.commit()
    ledger.close()
    figures = {"ledger MB": os.path.getsize(path) / 1e6}
    began = time.monotonic()
    progress = replay(path, images)
    figures["replay"] = time.monotonic() - began
    began = time.monotonic()
    compact(path, progress)
    figures["making it short"] = time.monotonic() - began
    began = time.monotonic()
    replay(path, images)
    figures["replay, short"] = time.monotonic() - began
    return figures


def plot(rows: List[Dict[str, Any]], path: Path) -> None:
    """Seconds and memory, a group a length of list."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3.2))
    for axes, names, label in (
        (left, ["plan", "resume", "resume DIR", "replay"], "seconds"),
        (right, ["peak MB", "peak MB, with mapped files"], "MB of the dispatcher"),
    ):
        for number, row in enumerate(rows):
            places = [place + 0.8 * number / len(rows) for place in range(len(names))]
            bars = axes.bar(places, [row[name] for name in names], 0.8 / len(rows), label="{images:,}".format(**row))
            for bar in bars:
                text = "{:.3g}".format(bar.get_height())
                axes.text(
                    bar.get_x() + bar.get_width() / 2, bar.get_height(), text, ha="center", va="bottom", fontsize=7
                )
        axes.set_xticks([place + 0.4 - 0.4 / len(rows) for place in range(len(names))])
        axes.set_xticklabels([name.replace("peak MB", "own").replace("own, ", "") for name in names], fontsize=8)
        axes.set_ylabel(label)
    left.legend(title="images", fontsize=8)
    figure.tight_layout()
    figure.savefig(str(path))


def main() -> None:
    """Runs all rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[1000000, 10000000])
    parser.add_argument("--ledger", type=int, default=100000000, help="images of the ledger that is measured alone")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE / "out")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rounds: List[Dict[str, Any]] = []
    for number in range(options.rounds):
        for images in options.images:
            with tempfile.TemporaryDirectory(prefix="resume-") as scratch:
                figures = one_round(images, options.workers, Path(scratch))
            rounds.append(dict(figures, images=images, round=number))
            print(json.dumps(rounds[-1]), flush=True)
    with tempfile.TemporaryDirectory(prefix="resume-") as scratch:
        alone = dict(ledger_alone(options.ledger, Path(scratch)), images=options.ledger)
    print(json.dumps(alone), flush=True)
    names = [name for name in rounds[0] if name not in ("images", "round")]
    rows: List[Dict[str, Any]] = []
    for images in options.images:
        own = [row for row in rounds if row["images"] == images]
        rows.append(dict({name: statistics.median(row[name] for row in own) for name in names}, images=images))
    result = {
        "machine": machine(),
        "workers": options.workers,
        "medians": rows,
        "ledger alone": alone,
        "rounds": rounds,
    }
    (options.out / "resume.json").write_text(json.dumps(result, indent=2) + "\n")
    plot(rows, options.out / "resume.svg")
    print("\n| images | {} |\n|---|{}".format(" | ".join(names), "---|" * len(names)))
    for row in rows:
        print("| {:,} | {} |".format(row["images"], " | ".join("{:.3g}".format(row[name]) for name in names)))


if __name__ == "__main__":
    main()
