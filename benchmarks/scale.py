"""How many images a second can the dispatcher lease and record, for how many devices, in how long a list?

    python benchmarks/scale.py [--devices 1 2 4 8 16 32 64] [--images 10000000] [--seconds 10] [--rate 100] [--rounds 3]
                               [--whole 10000000 100000000] [--whole-devices 4] [--out benchmarks/out]

A real dispatcher, ledger, sockets and processes; the devices are hollow workers (see hollow.py), so this is the dispatcher
alone. No image of the list exists. The hollow processes use the same cores; what the dispatcher needs of its own
is therefore told too: CPU time an image and its own (anonymous) memory.

"flat out": each worker answers a lease at once, so the dispatcher is as busy as it can be. "paced": each does --rate images a
second. Every round starts each number of devices once flat out and once paced; figures are of --seconds from when all devices
are up, and medians of the rounds. "wait" is the time from a worker's request for images to its lease.

Then, once for each length in --whole: a run from its first start to its end, flat out. "plan" is the time to the first lease,
"rest" what follows, both also in CPU time of the dispatcher.
Writes scale.json and scale.svg.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
from common import machine
from hollow_run import HollowRun, run_command, write_list

HERE = Path(__file__).resolve().parent
FLAT_OUT, PACED = "flat out", "paced"
FIGURES = ["images/s", "cpu us an image", "cpu %", "wait ms, median", "wait ms, 99 %", "own MB"]
WHOLE_FIGURES = ["images", "plan, s", "plan, CPU s", "rest, s", "rest, CPU s", "images/s", "peak own MB"]
WHOLE_FIGURES += ["peak MB, with mapped files", "ledger MB", "list MB"]
#: Seconds from when all devices are up until they are at work evenly.
_SETTLE_SECONDS = 1.0


def steady(listed: Path, scratch: Path, devices: int, rate: float, seconds: float) -> Dict[str, float]:
    """The dispatcher's figures while so many devices are at work."""
    out = scratch / "out"
    folder = out / ".divainfer"
    if not folder.exists():
        # The first start of all reads the list; the others find it in the run folder.
        with HollowRun(run_command(listed, out, 1), scratch, wait=True) as run:
            run.wait_for_workers(1)
    (folder / "ledger").unlink()
    with HollowRun(run_command(listed, out, devices), scratch, rate=rate, wait=True) as run:
        run.wait_for_workers(devices)
        run.go()
        first = run.next_reading(folder / "progress.json", time.time() + _SETTLE_SECONDS)
        last = run.next_reading(folder / "progress.json", first.time + seconds)
        run.stop()
    waits = 1e3 * run.waits()
    images, cpu, wall = last.done - first.done, last.cpu - first.cpu, last.time - first.time
    return {
        "images/s": images / wall,
        "cpu us an image": 1e6 * cpu / images,
        "cpu %": 100 * cpu / wall,
        "wait ms, median": float(np.percentile(waits, 50)),
        "wait ms, 99 %": float(np.percentile(waits, 99)),
        "own MB": last.own,
    }


def whole(images: int, devices: int, scratch: Path) -> Dict[str, float]:
    """A run of so many images, from the writing of its list to its end."""
    listed = scratch / "frames.lst"
    write_list(listed, images)
    folder = scratch / "out" / ".divainfer"
    run = HollowRun(run_command(listed, scratch / "out", devices), scratch)
    run.watch(folder / "progress.json", 0)
    seconds = time.time() - run.began
    assert run.first_lease is not None
    return {
        "images": images,
        "plan, s": run.first_lease,
        "plan, CPU s": run.first_lease_cpu,
        "rest, s": seconds - run.first_lease,
        "rest, CPU s": run.cpu - run.first_lease_cpu,
        "images/s": images / (seconds - run.first_lease),
        "peak own MB": run.peak,
        "peak MB, with mapped files": run.peak_with_files,
        "ledger MB": (folder / "ledger").stat().st_size / 1e6,
        "list MB": listed.stat().st_size / 1e6,
    }


def medians(rounds: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """A row for each number of devices and pace."""
    rows: Dict[Any, List[Dict[str, Any]]] = {}
    for row in rounds:
        rows.setdefault((row["devices"], row["pace"]), []).append(row)
    return [
        dict({name: statistics.median(row[name] for row in own) for name in FIGURES}, devices=devices, pace=pace)
        for (devices, pace), own in rows.items()
    ]


def plot(rows: List[Dict[str, Any]], path: Path) -> None:
    """Images a second, CPU time an image and waits, over the number of devices."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(11, 3.4))
    for pace, style in ((FLAT_OUT, "o-"), (PACED, "s--")):
        own = [row for row in rows if row["pace"] == pace]
        devices = [row["devices"] for row in own]
        left.plot(devices, [row["images/s"] for row in own], style, label=pace)
        middle.plot(devices, [row["cpu us an image"] for row in own], style, label=pace)
        (line,) = right.plot(devices, [row["wait ms, median"] for row in own], style, label=pace + ", median")
        right.plot(devices, [row["wait ms, 99 %"] for row in own], ":", color=line.get_color(), label=pace + ", 99 %")
    for axes, label in ((left, "images/s"), (middle, "CPU of the dispatcher, µs an image"), (right, "wait, ms")):
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted({row["devices"] for row in rows}))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("devices")
        axes.set_ylabel(label)
        axes.legend(fontsize=7)
    left.set_yscale("log")
    right.set_yscale("log")
    middle.set_ylim(bottom=0)
    figure.tight_layout()
    figure.savefig(str(path))


def tables(result: Dict[str, Any]) -> str:
    """The medians and the whole runs, in Markdown."""
    text = []
    for rows, names in ((result["medians"], ["devices", "pace"] + FIGURES), (result["whole"], WHOLE_FIGURES)):
        if rows:
            text += ["", "| {} |".format(" | ".join(names)), "|---" * len(names) + "|"]
            text += ["| {} |".format(" | ".join(_shown(row[name]) for name in names)) for row in rows]
    return "\n".join(text)


def _shown(value: Any) -> str:
    """Three digits of a number, or the whole of a large one."""
    if isinstance(value, str):
        return value
    return "{:.3g}".format(value) if value < 1000 else "{:,.0f}".format(value)


def main() -> None:
    """Runs all rounds, then the whole runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, nargs="*", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--images", type=int, default=10000000, help="length of the list, for the rounds")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=100.0, help="images a second of a paced device")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--whole", type=int, nargs="*", default=[10000000, 100000000], help="lengths of whole runs")
    parser.add_argument("--whole-devices", type=int, default=4)
    parser.add_argument("--out", type=Path, default=HERE / "out")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rounds: List[Dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        scratch = Path(folder)
        listed = scratch / "frames.lst"
        write_list(listed, options.images)
        for number in range(options.rounds):
            for devices in options.devices:
                for pace, rate in ((FLAT_OUT, 0.0), (PACED, options.rate)):
                    figures = steady(listed, scratch, devices, rate, options.seconds)
                    rounds.append(dict(figures, devices=devices, pace=pace, round=number))
                    print(json.dumps(rounds[-1]), flush=True)
    runs = []
    for images in options.whole:
        with tempfile.TemporaryDirectory(prefix="scale-") as folder:
            runs.append(whole(images, options.whole_devices, Path(folder)))
            print(json.dumps(runs[-1]), flush=True)
    result = {
        "machine": machine(),
        "images": options.images,
        "rate": options.rate,
        "whole devices": options.whole_devices,
        "medians": medians(rounds),
        "whole": runs,
        "rounds": rounds,
    }
    (options.out / "scale.json").write_text(json.dumps(result, indent=2) + "\n")
    if rounds:
        plot(result["medians"], options.out / "scale.svg")
    print(tables(result))


if __name__ == "__main__":
    main()
