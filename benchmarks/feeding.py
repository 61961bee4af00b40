"""How busy does an expensive device stay? The 2019 loop beside the pool, on the same frames and the same emulated devices.

    python benchmarks/feeding.py [--devices 4] [--busy-ms 160 40] [--frames 320] [--rounds 3] [--out benchmarks/out]

Each device is pretended to take a fixed time a frame without using the CPU. "serial" is the loop of 2019, one process a
device ("4 / 1*" in the seed's tables): imread, engine, JSON, one after the other (1080p needs
no resize). "divainfer" is `divainfer run`. Rounds
are interleaved; figures are medians. Busy share: time the device computes, of the time from its first batch to its last.
Writes feeding.json and feeding.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

import cv2
from common import machine, make_frames

import divainfer


def serial_loop(paths: List[str], busy_ms: float, out: str) -> Dict[str, float]:
    """One device's share of the list, as in 2019; returns seconds busy and seconds in all, from the first frame's start."""
    os.makedirs(out)
    busy, first, end = 0.0, 0.0, 0.0
    for path in paths:
        image = cv2.imread(path, cv2.IMREAD_COLOR)
        image.astype("float32")
        started = time.monotonic()
        first = first or started
        time.sleep(busy_ms / 1e3)
        end = time.monotonic()
        busy += end - started
        with open(os.path.join(out, os.path.basename(path)[:-4] + ".json"), "w") as file:
            json.dump([], file)
    return {"busy": busy, "total": end - first}


def serial(images: List[str], devices: int, busy_ms: float, scratch: str) -> Dict[str, float]:
    """The serial loop in one process a device."""
    started = time.monotonic()
    jobs = []
    for device in range(devices):
        listed = os.path.join(scratch, "list{}".format(device))
        with open(listed, "w") as file:
            file.write("\n".join(images[device::devices]))
        command = [sys.executable, __file__, "--serial", listed, os.path.join(scratch, "out{}".format(device))]
        jobs.append(subprocess.Popen(command + ["--busy-ms", str(busy_ms)], stdout=subprocess.PIPE))
    parts = [json.loads(job.communicate()[0]) for job in jobs]
    seconds = time.monotonic() - started
    return {
        "busy_share": statistics.mean(part["busy"] / part["total"] for part in parts),
        "frames_per_second": len(images) / seconds,
    }


def pool(images: List[str], devices: int, busy_ms: float, scratch: str) -> Dict[str, float]:
    """`divainfer.run` on the same list."""
    listed = os.path.join(scratch, "list")
    with open(listed, "w") as file:
        file.write("\n".join(images))
    config = divainfer.RunConfig(
        images=listed,
        out=os.path.join(scratch, "out"),
        engine="emulated:busy_ms={}".format(busy_ms),
        gpus="cpu:{}".format(devices),
        progress="none",
    )
    summary = divainfer.run(config)
    assert summary.results == len(images), summary
    shares = []
    for worker in summary.workers:
        stats = worker.stats
        # "idle" is the tail: no image was left for this device while others finished theirs.
        shares.append(stats.busy / (stats.busy + stats.starved + stats.blocked))
    return {"busy_share": statistics.mean(shares), "frames_per_second": summary.frames_per_second}


def plot(rows: List[Dict[str, Any]], path: Path) -> None:
    """A bar for each contestant and frame time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    times = sorted({row["busy_ms"] for row in rows}, reverse=True)
    figure, axes = pyplot.subplots(figsize=(6, 3.2))
    for offset, name in ((-0.2, "serial"), (0.2, "divainfer")):
        shares = [
            100 * next(r["busy_share"] for r in rows if r["busy_ms"] == t and r["contestant"] == name) for t in times
        ]
        bars = axes.bar([index + offset for index in range(len(times))], shares, 0.36, label=name)
        for bar, share in zip(bars, shares):
            axes.text(
                bar.get_x() + bar.get_width() / 2, share, "{:.1f}".format(share), ha="center", va="bottom", fontsize=8
            )
    axes.set_xticks(range(len(times)))
    axes.set_xticklabels(["{:g} ms a frame".format(value) for value in times])
    axes.set_ylabel("device busy, %")
    axes.set_ylim(0, 112)
    axes.legend(loc="lower left")
    figure.tight_layout()
    figure.savefig(str(path))


def main() -> None:
    """Runs the contest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=4)
    parser.add_argument("--busy-ms", type=float, nargs="+", default=[160.0, 40.0])
    parser.add_argument("--frames", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    parser.add_argument("--serial", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serial:
        with open(options.serial[0]) as file:
            paths = file.read().split("\n")
        print(json.dumps(serial_loop(paths, options.busy_ms[0], options.serial[1])))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    contestants = {"serial": serial, "divainfer": pool}
    rounds: List[Dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="feeding-") as scratch:
        images = make_frames(Path(scratch) / "frames", options.frames)
        for number in range(options.rounds):
            for busy_ms in options.busy_ms:
                for name, contestant in contestants.items():
                    with tempfile.TemporaryDirectory(dir=scratch) as folder:
                        figures = contestant(images, options.devices, busy_ms, folder)
                    rounds.append(dict(figures, round=number, busy_ms=busy_ms, contestant=name))
                    print(
                        "round {round}  {busy_ms:>5g} ms  {contestant:<9}  busy {busy_share:6.1%}".format(**rounds[-1]),
                        flush=True,
                    )
    rows = []
    for busy_ms in options.busy_ms:
        for name in contestants:
            own = [row for row in rounds if row["busy_ms"] == busy_ms and row["contestant"] == name]
            row: Dict[str, Any] = {"busy_ms": busy_ms, "contestant": name}
            for figure in ("busy_share", "frames_per_second"):
                row[figure] = statistics.median(r[figure] for r in own)
            rows.append(row)
    result = {
        "machine": machine(),
        "devices": options.devices,
        "frames": options.frames,
        "medians": rows,
        "rounds": rounds,
    }
    (options.out / "feeding.json").write_text(json.dumps(result, indent=2) + "\n")
    plot(rows, options.out / "feeding.svg")
    print("\n| ms a frame | contestant | busy | frames/s |\n|---|---|---|---|")
    for row in rows:
        print("| {busy_ms:g} | {contestant} | {busy_share:.1%} | {frames_per_second:.1f} |".format(**row))


if __name__ == "__main__":
    main()
