"""How busy does a real GPU get? The loop of 2019 beside divainfer, by the driver's own utilisation.

    python benchmarks/gpu.py [--gpu 0] [--resnet 101] [--model PATH] [--size 1920x1080] [--frames 200] [--rounds 3]
                             [--out benchmarks/out]

The detector of 2019 at its real cost, frozen, with random weights (or --model), on one GPU. The loop reads, computes and
writes one after the other; divainfer runs as it comes, with two streams, with mixed precision, and with XLA. Figures are of
the time from the eleventh result to the last: frames a second, and the mean and median of NVML's utilisation, asked ten times
a second. Rounds are interleaved; figures are medians. Writes gpu.json and gpu.svg.

Without a GPU, `--gpu cpu` runs the loop and divainfer on the CPU, to try the benchmark itself; there is no utilisation then.
So far it was only tried like that.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from common import machine, make_frames
from peers.image import read_frame

import divainfer
from divainfer.dispatcher.devices import Device, parse_devices
from divainfer.model.freeze import frozen_graph
from divainfer.model.weights import random_weights
from divainfer.modelfile.architecture import Architecture
from divainfer.modelfile.spec import resolve_model
from divainfer.worker.engines.base import EngineSpec
from divainfer.worker.engines.tensorflow import TensorFlowEngine
from divainfer.worker.results import Found, ResultFormat

LOOP = "2019 loop"
CONTESTANTS: Dict[str, Dict[str, Any]] = {
    LOOP: {},
    "divainfer": {},
    "divainfer, 2 streams": {"streams": 2},
    "divainfer, mixed": {"precision": "mixed"},
    "divainfer, XLA": {"xla": True},
}
#: TensorFlow's first frames of a size take several times as long as the others.
_WARM_UP = 10
_EVERY_SECONDS = 0.1


class Utilisation(threading.Thread):
    """Asks the driver how busy a GPU is, until it is stopped.

    Args:
        uuid: the GPU's; "" for none.
    """

    def __init__(self, uuid: str) -> None:
        super().__init__(daemon=True)
        self._uuid = uuid
        self._over = threading.Event()
        #: Seconds since 1970, and percent.
        self.points: List[Tuple[float, int]] = []

    def run(self) -> None:
        """Asks ten times a second."""
        if not self._uuid:
            return
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(self._uuid.encode())
        while not self._over.wait(_EVERY_SECONDS):
            self.points.append((time.time(), pynvml.nvmlDeviceGetUtilizationRates(handle).gpu))

    def stop(self) -> None:
        """Ends it."""
        self._over.set()
        self.join()


def loop(model: str, class_list: str, images: Sequence[str], size: Tuple[int, int], device: Device, out: str) -> None:
    """The loop of 2019, in this process.

    Args:
        model: path of the graph.
        class_list: as `--class-list`.
        images: paths.
        size: width and height of the frames, pixels.
        device: what it computes on.
        out: folder for a JSON file an image.
    """
    spec = resolve_model(model, class_list)
    card = spec.card
    engine = TensorFlowEngine(EngineSpec(spec.path, card, device.name, device.on_gpu, 1, 0, {}))
    engine.load()
    result_format = ResultFormat(card.classes)
    for path in images:
        frame, image_size = read_frame(path, size[1], size[0])
        # The program of 2019 converted on the CPU; the engine's graph wants bytes, so the work is done and left.
        frame.astype("float32")
        (found,) = engine.infer(frame[None])
        (rows,) = result_format.rows([Found(found, image_size, (frame.shape[0], frame.shape[1]))])
        Path(out, os.path.basename(path)[:-4] + ".json").write_text(json.dumps(rows))
    engine.close()


def run(
    name: str,
    model: str,
    class_list: str,
    images: Sequence[str],
    size: Tuple[int, int],
    device: Device,
    folder: str,
) -> Dict[str, Any]:
    """One contestant's figures: frames a second, mean and median utilisation in percent (None without a GPU)."""
    out = os.path.join(folder, "out")
    os.mkdir(out)
    listed = os.path.join(folder, "list")
    Path(listed).write_text("\n".join(images))
    watching = Utilisation(device.name if device.on_gpu else "")
    watching.start()
    if name == LOOP:
        orders = json.dumps([model, class_list, list(images), size, device, out])
        command = [sys.executable, __file__, "--loop"]
        environment = dict(os.environ, **device.environment())
        subprocess.run(command, input=orders.encode(), env=environment, check=True, stderr=subprocess.DEVNULL)
    else:
        config = divainfer.RunConfig(
            images=listed, out=out, model=model, gpus=device.name, class_list=class_list, max_size=size[0],
            short_edge_size=size[1], progress="none", **CONTESTANTS[name],
        )  # fmt: skip
        divainfer.run(config)
    watching.stop()
    times = sorted(entry.stat().st_mtime for entry in os.scandir(out) if entry.name.endswith(".json"))
    assert len(times) == len(images), "{}: {} of {} results".format(name, len(times), len(images))
    begin, end = times[_WARM_UP], times[-1]
    percents = [percent for at, percent in watching.points if begin <= at <= end]
    return {
        "frames/s": (len(times) - _WARM_UP - 1) / (end - begin),
        "utilisation, mean": statistics.mean(percents) if percents else None,
        "utilisation, median": statistics.median(percents) if percents else None,
    }


def medians(rounds: Sequence[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """A row a contestant."""
    rows = []
    for name in dict.fromkeys(row["contestant"] for row in rounds):
        own = [row for row in rounds if row["contestant"] == name]
        row: Dict[str, Any] = {"contestant": name}
        for figure in ("frames/s", "utilisation, mean", "utilisation, median"):
            values = [one[figure] for one in own if one[figure] is not None]
            row[figure] = statistics.median(values) if values else None
        rows.append(row)
    return rows


def plot(rows: Sequence[Dict[str, Any]], path: Path) -> None:
    """Utilisation and frames a second of each contestant."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 0.8 + 0.5 * len(rows)), sharey=True)
    names = [row["contestant"] for row in rows]
    for axis, value, label in zip(axes, ("utilisation, mean", "frames/s"), ("GPU utilisation, mean, %", "frames/s")):
        axis.barh(names, [row[value] or 0.0 for row in rows])
        axis.set_xlabel(label)
    axes[0].set_xlim(0, 100)
    axes[0].invert_yaxis()
    figure.tight_layout()
    figure.savefig(str(path))


def table(rows: Sequence[Dict[str, Any]]) -> str:
    """The medians as Markdown."""
    lines = ["| contestant | frames/s | GPU utilisation, mean | median |", "|---|---|---|---|"]
    for row in rows:
        percents = [_percent(row[name]) for name in ("utilisation, mean", "utilisation, median")]
        lines.append("| {} | {:.2f} | {} | {} |".format(row["contestant"], row["frames/s"], *percents))
    return "\n".join(lines)


def _percent(value: Optional[float]) -> str:
    return "-" if value is None else "{:.1f} %".format(value)


def main() -> None:
    """Runs the contest."""
    if sys.argv[1:] == ["--loop"]:
        *orders, device, out = json.load(sys.stdin)
        return loop(*orders, Device(*device), out)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", default="0", help="index or UUID, or cpu to try the benchmark without one")
    parser.add_argument("--resnet", type=int, default=101, choices=(50, 101, 152))
    parser.add_argument("--model", default="", help="a frozen graph of your own")
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    options = parser.parse_args()
    if options.frames < _WARM_UP + 2:
        parser.error("--frames: at least {} are needed".format(_WARM_UP + 2))
    (device,) = parse_devices(options.gpu)
    names = [name for name in CONTESTANTS if device.on_gpu or not {"precision", "xla"} & set(CONTESTANTS[name])]
    width, height = map(int, options.size.split("x"))
    options.out.mkdir(parents=True, exist_ok=True)
    rounds: List[Dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="gpu-") as scratch:
        model, class_list = options.model, ""
        if not model:
            class_list = "diva"
            architecture = Architecture(resnet=options.resnet)
            model = os.path.join(scratch, "frozen.pb")
            layout = "NCHW" if device.on_gpu else "NHWC"
            Path(model).write_bytes(frozen_graph(architecture, random_weights(architecture, seed=1), layout))
        images = make_frames(Path(scratch) / "frames", options.frames, width, height)
        for number in range(options.rounds):
            for name in names:
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    figures = run(name, model, class_list, images, (width, height), device, folder)
                rounds.append(dict(figures, contestant=name, round=number))
                print(json.dumps(rounds[-1]), flush=True)
    rows = medians(rounds)
    result = {"machine": dict(machine(), device=device.label), "medians": rows, "rounds": rounds}
    (options.out / "gpu.json").write_text(json.dumps(result, indent=2) + "\n")
    plot(rows, options.out / "gpu.svg")
    print("\n" + table(rows))


if __name__ == "__main__":
    main()
