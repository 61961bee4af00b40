"""`run.json`: what runs in a folder. Written at each start; everything that reads a run begins here."""

from __future__ import annotations

import json
import os
import platform
import time
from typing import Any, Dict, List, NamedTuple

from . import __version__
from .errors import OutputError
from .imagelist import Listing
from .naming import Naming
from .runfolder import RunFolder, write_json


class RunRecord(NamedTuple):
    """What runs.

    Attributes:
        fingerprint: what decides the results (`Plan.fingerprint`).
        config: the options, as `config.to_json` gives them, paths absolute.
        listing: the image list.
        classes: class names; the first is the background.
        devices: name, label and kind of each worker's device.
        settings: what "auto" came to.
        overridden: an entry for each `--force`: when, and what was different.
        started: when this start began, ISO 8601.
    """

    fingerprint: Dict[str, Any]
    config: Dict[str, Any]
    listing: Listing
    classes: List[str]
    devices: List[Dict[str, Any]]
    settings: Dict[str, Any]
    overridden: List[Dict[str, Any]]
    started: str

    @property
    def format(self) -> str:
        """The result format."""
        return str(self.fingerprint["format"])

    def write(self, folder: RunFolder) -> None:
        """Writes `run.json`.

        Raises:
            OSError: when the disk refuses.
        """
        naming = self.listing.naming
        plain = self._asdict()
        plain["listing"] = dict(self.listing._asdict(), naming=[naming.rule, os.fsdecode(naming.root)])
        plain.update(divainfer=__version__, python=platform.python_version(), host=platform.node())
        write_json(folder.run, plain)


def read_run_record(folder: RunFolder) -> RunRecord:
    """Reads `run.json`.

    Raises:
        OutputError: when the folder holds no run, or a damaged one.
    """
    try:
        with open(folder.run, encoding="utf-8") as file:
            plain = json.load(file)
        listing = plain["listing"]
        rule, root = listing["naming"]
        listing = Listing(**dict(listing, naming=Naming(rule, os.fsencode(root))))
        return RunRecord(**dict({name: plain[name] for name in RunRecord._fields}, listing=listing))
    except (FileNotFoundError, NotADirectoryError):
        if not os.path.isdir(folder.out):
            raise OutputError("{}: there is no such folder.".format(folder.out))
        raise OutputError("{}: there is no run of divainfer in this folder.".format(folder.out))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError("{}: it cannot be read ({}).".format(folder.run, getattr(error, "strerror", None) or error))


def now() -> str:
    """The present time, as in `started`."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
