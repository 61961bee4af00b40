"""`run.json`: what runs, and whether a command is the same run again."""

from __future__ import annotations

import json
import platform
import time
from typing import Any, Dict

from .. import __version__
from ..config import to_json
from ..errors import MismatchError, OutputError
from ..runfolder import RunFolder, write_json
from .ledger import replay
from .plan import Plan

#: Any ledger may be replayed against a list of this length, to see whether there is something in it.
_ANY = 1 << 62


def check_same_run(folder: RunFolder, fingerprint: Dict[str, Any]) -> None:
    """Compares what decides the results with the run that the folder holds.

    A run of which nothing is done yet holds nothing worth keeping, and gives way.

    Args:
        folder: the run folder.
        fingerprint: of the run that is asked for (`Plan.fingerprint`).

    Raises:
        MismatchError: naming each difference.
        OutputError: when the folder is damaged.
    """
    done = len(replay(folder.ledger, _ANY).done)
    if not done:
        return
    try:
        with open(folder.run, encoding="utf-8") as file:
            earlier = json.load(file)["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        raise OutputError("{}: damaged or missing. Move the run folder away to begin anew.".format(folder.run))
    changes = [
        "another list of images"
        if key == "images"
        else "{} was {}, is {}".format(key, _short(earlier.get(key)), _short(fingerprint[key]))
        for key in fingerprint
        if earlier.get(key) != fingerprint[key]
    ]
    if changes:
        raise MismatchError(
            "--out {}: the folder holds a different run, of which {:,} images are done ({}). Choose another folder, or give "
            "the earlier command.".format(folder.out, done, "; ".join(changes))
        )


def write_record(folder: RunFolder, plan: Plan, fingerprint: Dict[str, Any]) -> None:
    """Writes `run.json`."""
    write_json(
        folder.run,
        {
            "divainfer": __version__,
            "fingerprint": fingerprint,
            "config": to_json(plan.config),
            "devices": [device._asdict() for device in plan.devices],
            "loaders": plan.loaders,
            "queue_mem": plan.queue_mem,
            "python": platform.python_version(),
            "host": platform.node(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        },
    )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
