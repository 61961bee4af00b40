"""What a call of the graph costs beside the graph: `Session.run`, and the call that the TensorFlow engine makes.

    python benchmarks/call.py [--calls 300] [--out benchmarks/out]

The demo detector on the CPU, with one thread and a frame of 32x32, so that the graph itself takes little. Calls alternate;
before each the thread sleeps for 10 ms, as it does while a GPU computes, or not at all. Medians. Writes call.json and call.svg.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any, Dict, List

import matplotlib
import numpy as np
from common import machine

from divainfer.modelfile.card import read_card
from divainfer.modelfile.spec import model_path
from divainfer.worker.engines.base import EngineSpec
from divainfer.worker.engines.tensorflow import TensorFlowEngine

_WARM_UP = 20
_PAUSES = {"after 10 ms of sleep": 0.01, "in a row": 0.0}


def measure(calls: int) -> List[Dict[str, Any]]:
    """Wall time and the calling thread's CPU time of a call, microseconds, by the way of calling and by the pause before."""
    path = model_path("demo")
    engine = TensorFlowEngine(EngineSpec(path, read_card(path), "cpu", False, 1, 1, {}))
    engine.load()
    model, session = engine._model, engine._session
    assert model is not None
    frame = np.random.RandomState(0).randint(0, 255, (32, 32, 3)).astype(np.uint8)
    ways = {
        "Session.run": lambda: session.run(model.fetches, {model.frames: frame}),
        "engine": lambda: engine._run(frame),
    }
    rows = []
    for pause, seconds in _PAUSES.items():
        times: Dict[str, List[List[float]]] = {way: [] for way in ways}
        for _ in range(_WARM_UP + calls):
            for way, call in ways.items():
                time.sleep(seconds)
                began, cpu = time.perf_counter(), time.thread_time()
                call()
                times[way].append([1e6 * (time.perf_counter() - began), 1e6 * (time.thread_time() - cpu)])
        for way, taken in times.items():
            wall, own = (statistics.median(column) for column in zip(*taken[_WARM_UP:]))
            rows.append({"pause": pause, "way": way, "wall_us": wall, "thread_cpu_us": own})
    engine.close()
    return rows


def plot(rows: List[Dict[str, Any]], path: Path) -> None:
    """Bars: wall time by pause and way."""
    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 2.5), constrained_layout=True)
    names = ["{}, {}".format(row["way"], row["pause"]) for row in rows]
    axes.barh(names[::-1], [row["wall_us"] for row in rows][::-1], color="#4477aa")
    axes.set_xlabel("a call, µs")
    figure.savefig(str(path))


def main() -> None:
    """Measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = measure(options.calls)
    (options.out / "call.json").write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n")
    plot(rows, options.out / "call.svg")
    print("| pause | way | wall, µs | CPU of the thread, µs |\n|---|---|---|---|")
    for row in rows:
        print("| {pause} | {way} | {wall_us:.0f} | {thread_cpu_us:.0f} |".format(**row))


if __name__ == "__main__":
    main()
