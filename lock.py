"""One dispatcher a run folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from typing import Any, Callable, Optional

from .errors import OutputError
from .ownerfile import Owner, OwnerFile, live_owner, own_record, owner_of, read_record
from .runfolder import RunFolder

#: Whoever asks for the holder takes the lock for an instant, so one refusal is not the last word.
_TRIES, _PAUSE_SECONDS = 5, 0.1


class RunLock:
    """Held while a dispatcher works on a run folder.

    The kernel gives it back when its holder ends, however that happens. Where the file system has no locks, an owner file
    takes its place.

    Args:
        folder: the run folder.
        say: takes a sentence for the operator.
    """

    def __init__(self, folder: RunFolder, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._owner_file: Optional[OwnerFile] = None

    def __enter__(self) -> "RunLock":
        """Takes the folder.

        Raises:
            OutputError: when another one is at work on it.
        """
        self._folder.make()
        self._file = open(self._folder.lock, "a+b")
        try:
            other = self._claim()
        except BaseException:  # A signal as well.
            self.__exit__()
            raise
        if other is not None:
            self.__exit__()
            raise OutputError(
                "--out {}: another divainfer is at work on this folder ({}). Wait for it, or choose another folder.".format(
                    self._folder.out, other
                )
            )
        return self

    @property
    def lost(self) -> bool:
        """Whether another process has taken the folder over, because this one gave no sign of life for too long."""
        return self._owner_file is not None and self._owner_file.lost

    def __exit__(self, *_: Any) -> None:
        if self._owner_file is not None:
            self._owner_file.release()
        self._file.close()

    def _claim(self) -> Optional[Owner]:
        """Takes the folder; returns who has it otherwise."""
        try:
            if not self._lock():
                return owner_of(read_record(self._folder.lock))
        except OSError as error:
            self._say(
                "--out {}: this file system has no locks ({}), so {} shows that a run is at work here.".format(
                    self._folder.out, error.strerror, self._folder.owner
                )
            )
            self._owner_file = OwnerFile(self._folder.owner)
            return self._owner_file.claim()
        # Another machine may see the same folder through a file system without locks.
        other = live_owner(self._folder.owner)
        if other is None:
            # Only for messages, so a full disk is no reason to stop here.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), 0)
                os.write(self._file.fileno(), json.dumps(own_record()).encode("ascii"))
        return other

    def _lock(self) -> bool:
        for tried in range(_TRIES):
            if tried:
                time.sleep(_PAUSE_SECONDS)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                pass
        return False


def holder(folder: RunFolder) -> Optional[Owner]:
    """Tells from outside who is at work on a run folder now.

    Args:
        folder: the run folder.

    Returns:
        The owner, its fields empty when it has left no name; None when nobody is at work, or there is no such folder.
    """
    try:
        file = open(folder.lock, "rb")
    except OSError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(file, fcntl.LOCK_UN)
        except BlockingIOError:
            return owner_of(read_record(folder.lock))
        except OSError:
            pass  # No locks here.
    return live_owner(folder.owner)
