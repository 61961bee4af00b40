"""One dispatcher a run folder."""

from __future__ import annotations

import fcntl
from typing import Any, Callable

from ..errors import OutputError
from ..runfolder import RunFolder


class RunLock:
    """Held while a dispatcher works on a run folder. The kernel gives it back when its holder ends, however that happens."""

    def __init__(self, folder: RunFolder, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say

    def __enter__(self) -> None:
        self._folder.make()
        self._file = open(self._folder.lock, "a")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise OutputError(
                "--out {}: another divainfer is at work on this folder. Wait for it, or choose another folder.".format(
                    self._folder.out
                )
            )
        except OSError as error:
            self._say(
                "--out {}: this file system has no locks ({}), so see to it that nobody else runs here.".format(
                    self._folder.out, error.strerror
                )
            )

    def __exit__(self, *_: Any) -> None:
        self._file.close()
