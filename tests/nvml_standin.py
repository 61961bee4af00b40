"""Four GPUs that are not there: `native/nvml_standin.c`, compiled, as the bindings' `libnvidia-ml.so.1`.

As a program (`python nvml_standin.py UUIDS STEP...`) it does steps with a GpuSampler, in a process that finds that library.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Sequence

import pytest

SOURCE = Path(__file__).parent / "native" / "nvml_standin.c"
FOLDER = "NVML_STANDIN"
UUIDS = ["GPU-00000000-0000-0000-0000-00000000000{}".format(number) for number in range(4)]
SLICES = ["MIG-00000000-0000-0000-0000-0000000000{}0".format(number) for number in (1, 2)]


class Standin:
    """The library in a folder of its own.

    Args:
        folder: where it and its troubles go.
        old: whether it is that of an old driver.
    """

    def __init__(self, folder: Path, old: bool = False) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("there is no C compiler for the stand-in of NVIDIA's library")
        self.folder = folder
        folder.mkdir()
        library = str(folder / "libnvidia-ml.so.1")
        old_driver = ["-DOLD_DRIVER"] if old else []
        subprocess.check_call([compiler, "-shared", "-fPIC", *old_driver, "-o", library, str(SOURCE)])

    @property
    def environment(self) -> Dict[str, str]:
        """Variables with which a process finds it."""
        return {"LD_LIBRARY_PATH": str(self.folder), FOLDER: str(self.folder)}

    def cause(self, trouble: str, text: str = "") -> None:
        """Lets something go wrong; see the source."""
        (self.folder / trouble).write_text(text)

    def steps(self, uuids: Sequence[str], *steps: str) -> List[dict]:
        """What a GpuSampler says at each `sample` among the steps: its GPUs, and why there are none."""
        done = subprocess.run(
            [sys.executable, __file__, ",".join(uuids), *steps],
            env=dict(os.environ, **self.environment),
            stdout=subprocess.PIPE,
            timeout=60,
            check=True,
        )
        return [json.loads(line) for line in done.stdout.decode().splitlines()]


def do_steps(uuids: List[str], steps: List[str]) -> None:
    """Does `sample`, `list`, `later` (half a minute), `cause:TROUBLE`, `mend:TROUBLE`; prints a line for each answer."""
    from divainfer.monitor.gpus import GpuSampler
    from divainfer.monitor.nvml import list_gpus

    now = [1000.0]
    sampler = GpuSampler(uuids, clock=lambda: now[0])
    for step in steps:
        word, _, trouble = step.partition(":")
        path = Path(os.environ[FOLDER]) / trouble.partition("=")[0]
        now[0] += 1
        if word == "sample":
            gpus, missing = sampler.sample()
            print(json.dumps({"gpus": [gpu._asdict() for gpu in gpus], "missing": missing}))
        elif word == "list":
            print(json.dumps({"list": [gpu._asdict() for gpu in list_gpus()]}))
        elif word == "later":
            now[0] += 30
        elif word == "cause":
            path.write_text(trouble.partition("=")[2])
        elif word == "mend":
            path.unlink()
    sampler.close()


if __name__ == "__main__":
    do_steps([uuid for uuid in sys.argv[1].split(",") if uuid], sys.argv[2:])
