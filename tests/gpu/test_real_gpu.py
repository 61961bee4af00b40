"""A real GPU; skipped where there is none.

So far this was only ever skipped: no machine with both a GPU and TensorFlow was at hand.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from running import divainfer, result_files, summary

from divainfer.errors import DeviceError
from divainfer.monitor.gpus import GpuSampler
from divainfer.monitor.nvml import list_gpus

pytestmark = pytest.mark.gpu


def gpus():
    try:
        return list_gpus()
    except DeviceError as error:
        pytest.skip(str(error))


def test_the_demo_gives_the_same_on_every_gpu_as_on_the_cpu(tmp_path):
    count = len(gpus())
    scenes = [sys.executable, "-m", "divainfer.model.demo.scenes", "--out", str(tmp_path / "in"), "--count", "24"]
    subprocess.check_call(scenes + ["--seed", "11"])
    results = {}
    for devices in ("all", "cpu"):
        out = str(tmp_path / devices)
        arguments = ["--model", "demo", "--images", str(tmp_path / "in" / "frames.lst"), "--out", out]
        outcome = divainfer("run", *arguments, "--gpus", devices, "--score-threshold", "0.3")
        assert outcome.code == 0, outcome.err
        results[devices] = result_files(out)
    workers = summary(str(tmp_path / "all"))["workers"]
    assert len(workers) == count and all("GPU" in worker["description"] for worker in workers)
    for name, content in results["cpu"].items():
        on_gpu, on_cpu = json.loads(results["all"][name]), json.loads(content)
        assert abs(len(on_gpu) - len(on_cpu)) <= 1, "only a score at the threshold may differ"
        for one in on_cpu[: min(len(on_gpu), len(on_cpu)) // 2]:
            assert any(
                other["category_id"] == one["category_id"]
                and abs(other["score"] - one["score"]) < 0.01
                and all(abs(a - b) < 1 for a, b in zip(other["bbox"], one["bbox"]))
                for other in on_gpu
            ), (name, one)


@pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="there is no nvidia-smi to compare with")
def test_samples_say_what_nvidia_smi_says():
    sampler = GpuSampler([gpu.uuid for gpu in gpus()])
    try:
        samples, missing = sampler.sample()
    finally:
        sampler.close()
    asked = "uuid,index,name,memory.total,power.limit,clocks.max.sm,memory.used,power.draw,temperature.gpu"
    said = subprocess.check_output(["nvidia-smi", "--query-gpu=" + asked, "--format=csv,noheader,nounits"]).decode()
    rows = [[cell.strip() for cell in line.split(",")] for line in said.splitlines()]
    assert missing == "" and [row[:3] for row in rows] == [[one.uuid, str(one.index), one.name] for one in samples]
    mib = 1 << 20
    for row, one in zip(rows, samples):
        total, power_limit, clock_limit, used, power, temperature = map(float, row[3:])
        assert one.memory_total / mib == pytest.approx(total, abs=1)
        assert (one.power_limit, one.clock_limit) == (pytest.approx(power_limit, abs=1), clock_limit)
        # These change from moment to moment.
        assert one.memory_used / mib == pytest.approx(used, abs=600)
        assert one.power == pytest.approx(power, abs=0.3 * power_limit) and abs(one.temperature - temperature) <= 5
        assert 0 <= one.utilisation <= 1 and one.gone == ""
