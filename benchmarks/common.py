"""What the benchmarks share: frames to run on, and what the figures were measured on."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

import cv2
import numpy as np

import divainfer
from divainfer.loader.memory import SHARED_FOLDER
from divainfer.machine import usable_cores


def make_frames(folder: Path, count: int, width: int = 1920, height: int = 1080) -> List[str]:
    """JPEGs, of about 400 KB in 1080p; links to 40 different ones, since the decoder does not remember."""
    folder.mkdir(parents=True)
    numbers = np.random.RandomState(0)
    coarse = numbers.randint(0, 256, (-(-height // 16), width // 16, 3)).astype(np.uint8)
    base = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    base = np.clip(base.astype(np.int16) + numbers.normal(0, 8, base.shape), 0, 255).astype(np.uint8)
    paths = []
    for index in range(count):
        path = str(folder / "{:05d}.jpg".format(index))
        if index < 40:
            cv2.imwrite(path, np.roll(base, 48 * index, axis=1), [cv2.IMWRITE_JPEG_QUALITY, 85])
        else:
            os.link(paths[index % 40], path)
        paths.append(path)
    return paths


def memory_folder() -> Optional[str]:
    """A folder in memory, where files cost no disk's time; None where there is none."""
    return SHARED_FOLDER if os.path.isdir(SHARED_FOLDER) else None


def machine() -> Dict[str, Any]:
    """What the figures were measured on."""
    with open("/proc/cpuinfo") as file:
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": usable_cores(),
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        "divainfer": divainfer.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }
