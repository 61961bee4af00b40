"""Whether a command is the same run again: what decides the results is compared before anything is computed."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, NamedTuple

from ..errors import MismatchError, OutputError
from ..ledger import OPEN, replay
from ..runfolder import RunFolder
from ..runrecord import read_run_record

#: What is done is known by the place in the list and lies where the format puts it; with another list, other names or another
#: format the ledger says nothing.
_FIXED = ("count", "images", "naming", "format")


class Comparison(NamedTuple):
    """How a run compares with what the folder holds.

    Attributes:
        passed_over: differences that `force` passed over.
        gives_way: the folder holds a different run of which nothing is done; its ledger must go before anything is recorded.
    """

    passed_over: List[str]
    gives_way: bool


def check_same_run(folder: RunFolder, fingerprint: Dict[str, Any], force: bool) -> Comparison:
    """Compares what decides the results with the run that the folder holds.

    A run of which nothing is done yet holds nothing worth keeping, and gives way.

    Args:
        folder: the run folder.
        fingerprint: of the run that is asked for (`Plan.fingerprint`).
        force: go on in spite of differences, where that can make sense.

    Raises:
        MismatchError: naming each difference.
        OutputError: when the folder is damaged.
    """
    if not os.path.exists(folder.ledger):
        return Comparison([], gives_way=True)
    if not os.path.exists(folder.run):
        raise OutputError(
            "{}: it is missing, so nothing tells which run the ledger beside it belongs to. Bring it back, or move the run "
            "folder away to begin anew.".format(folder.run)
        )
    earlier = read_run_record(folder).fingerprint
    changed = [key for key in fingerprint if earlier.get(key) != fingerprint[key]]
    if not changed:
        return Comparison([], gives_way=False)
    count = int(earlier["count"])
    done = count - replay(folder.ledger, count).count(OPEN)
    if not done:
        return Comparison([], gives_way=True)
    differences = [
        "another list of images"
        if key == "images"
        else "{} was {}, is {}".format(key, _short(earlier.get(key)), _short(fingerprint[key]))
        for key in changed
    ]
    fixed = sorted(set(changed) & set(_FIXED))
    if force and not fixed and done < count:
        return Comparison(differences + ["{:,} images were done by then".format(done)], gives_way=False)
    advice = "Choose another folder, or give the earlier command"
    if force and fixed:
        advice += "; --force cannot help, since what is done is known by its place in the list"
    elif force:
        advice += "; --force would change nothing, since all is done"
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
