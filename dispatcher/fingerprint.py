"""Whether a command is the same run again: what decides the results is compared before anything is computed."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List

from ..errors import MismatchError
from ..ledger import OPEN, replay
from ..runfolder import RunFolder
from ..runrecord import read_run_record

#: What is done is known by the place in the list and lies where the format puts it; with another list, other names or another
#: format the ledger says nothing.
_FIXED = ("count", "images", "naming", "format")


def check_same_run(folder: RunFolder, fingerprint: Dict[str, Any], force: bool) -> List[str]:
    """Compares what decides the results with the run that the folder holds.

    A run of which nothing is done yet holds nothing worth keeping, and gives way.

    Args:
        folder: the run folder.
        fingerprint: of the run that is asked for (`Plan.fingerprint`).
        force: go on in spite of differences, where that can make sense.

    Returns:
        The differences that `force` passed over.

    Raises:
        MismatchError: naming each difference.
        OutputError: when the folder is damaged.
    """
    if not os.path.exists(folder.ledger):
        return []
    earlier = read_run_record(folder).fingerprint
    changed = [key for key in fingerprint if earlier.get(key) != fingerprint[key]]
    if not changed:
        return []
    count = int(earlier["count"])
    done = count - replay(folder.ledger, count).count(OPEN)
    if not done:
        return []
    differences = [
        "another list of images"
        if key == "images"
        else "{} was {}, is {}".format(key, _short(earlier.get(key)), _short(fingerprint[key]))
        for key in changed
    ]
    fixed = sorted(set(changed) & set(_FIXED))
    if force and not fixed:
        return differences
    advice = "Choose another folder, or give the earlier command"
    if force:
        advice += "; --force cannot help, since what is done is known by its place in the list"
    elif not fixed:
        advice += "; --force mixes both in one folder, and notes it in run.json"
    raise MismatchError(
        "--out {}: the folder holds a different run, of which {:,} images are done ({}). {}.".format(
            folder.out, done, "; ".join(differences), advice
        )
    )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
