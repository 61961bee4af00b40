"""divainfer: runs a frozen detector over millions of images, on every GPU of a machine, and loses none.

import divainfer

summary = divainfer.run(divainfer.RunConfig(model="demo", images="frames/", out="out/", gpus="cpu:2"))
for result in divainfer.results("out/"):
    print(result.image, len(result.detections))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "Engine",
    "EngineInfo",
    "EngineSpec",
    "Detections",
    "Result",
    "RunConfig",
    "Summary",
    "draw",
    "dry_run",
    "failures",
    "merge",
    "report",
    "results",
    "resume",
    "run",
    "status",
    "verify",
    "view",
]

if TYPE_CHECKING:
    from .config import RunConfig
    from .detections import Detections
    from .dispatcher.run import dry_run, resume, run
    from .dispatcher.summary import Summary
    from .drawing.draw import draw
    from .monitor.status import status
    from .monitor.watched import view
    from .output.failures import failures
    from .output.merge import merge
    from .output.results import Result, results
    from .output.verify import verify
    from .reporting.report import report
    from .worker.engines.base import Engine, EngineInfo, EngineSpec

_HOMES = {
    "Detections": ".detections",
    "Engine": ".worker.engines.base",
    "EngineInfo": ".worker.engines.base",
    "EngineSpec": ".worker.engines.base",
    "Result": ".output.results",
    "RunConfig": ".config",
    "Summary": ".dispatcher.summary",
    "draw": ".drawing.draw",
    "dry_run": ".dispatcher.run",
    "failures": ".output.failures",
    "merge": ".output.merge",
    "report": ".reporting.report",
    "results": ".output.results",
    "resume": ".dispatcher.run",
    "run": ".dispatcher.run",
    "status": ".monitor.status",
    "verify": ".output.verify",
    "view": ".monitor.watched",
}


def __getattr__(name: str) -> Any:
    # Loaders and workers import this package too and start faster without what only its users need.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name], __name__), name)
    raise AttributeError("module {!r} has no attribute {!r}".format(__name__, name))
