"""Engines for tests, brought as a user's package brings its own: through an installed entry point."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict

MODULE = '''
import ctypes
import os
import signal
import time

from divainfer.errors import EngineError, EngineOutOfMemory
from divainfer.worker.engines.emulated import EmulatedEngine

#: The first pixel's blue value says what happens; green and red must be 13.
DEEDS = {
    1: lambda: ctypes.string_at(0),  # a real SIGSEGV, in this thread
    2: lambda: os._exit(1),
    3: lambda: time.sleep(1000),
    4: lambda: ctypes.CDLL(None).sleep(1000),
    5: lambda: (_ for _ in ()).throw(EngineError("this one not")),
    6: lambda: os.kill(os.getpid(), signal.SIGKILL),
}


class Moody(EmulatedEngine):
    """The emulated engine, but some images make it do something terrible, and $MOODY_ROOM frames are all it has room for."""

    broken = False

    def infer(self, frames):
        if self.broken:
            raise EngineError("the device is gone")
        if len(frames) > int(os.environ.get("MOODY_ROOM", 1000)):
            with open(os.environ["MOODY_LOG"], "a") as file:
                file.write("{}\\n".format(len(frames)))
            raise EngineOutOfMemory("no memory for {} frames".format(len(frames)))
        for frame in frames:
            blue, green, red = (int(value) for value in frame[0, 0])
            if (green, red) == (13, 13) and blue in DEEDS:
                DEEDS[blue]()
            if (blue, green, red) == (7, 13, 13):
                Moody.broken = True
                raise EngineError("the device is gone")
        return super().infer(frames)
'''


def install(folder: Path) -> Dict[str, str]:
    """Makes the package below `folder`; returns the environment in which it is installed."""
    package = folder / "plugins"
    info = package / "moody-1.dist-info"
    info.mkdir(parents=True)
    (package / "moody.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: moody\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[divainfer.engines]\nmoody = moody:Moody\n")
    return {
        "PYTHONPATH": os.pathsep.join([str(package)] + os.environ.get("PYTHONPATH", "").split(os.pathsep)).rstrip(":")
    }
