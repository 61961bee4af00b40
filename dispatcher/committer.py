"""Makes finished blocks last: waits until the disk has their results, then until it has the ledger's records. In a thread.

The order is the promise: a record says that results are in place, so it must not reach the disk before they do. Both waits can
take seconds on a busy disk, in which the dispatcher goes on serving leases; whatever is reported meanwhile shares the next
commit.
"""

from __future__ import annotations

import ctypes
import os
import threading
from typing import List, Optional

from ..errors import OutputError
from ..ledger import Ledger
from ..lock import RunLock
from ..output.format import Finished, Keeper
from .failurelog import FailureLog

#: Seconds between commits: what a power failure may cost, besides the blocks in flight.
_PAUSE = 1.0


class Committer:
    """Writes the ledger and the failure log.

    Args:
        out: the output folder, whose file system holds the results.
        ledger: where it is recorded.
        failure_log: where failures are shown, once they are recorded.
        keeper: brings results to their place.
        lock: the run folder's; None for a folder of nobody else's.
    """

    def __init__(
        self, out: str, ledger: Ledger, failure_log: FailureLog, keeper: Keeper, lock: Optional[RunLock]
    ) -> None:
        self._lock = lock
        self._folder = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
        self._ledger = ledger
        self._failure_log = failure_log
        self._keeper = keeper
        self._finished: List[Finished] = []
        self._changed = threading.Condition()
        self._closing = False
        self._error: Optional[Exception] = None
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def add(self, finished: Finished) -> None:
        """Notes a range as done."""
        with self._changed:
            self._finished.append(finished)
            self._changed.notify()

    @property
    def error(self) -> Optional[Exception]:
        """Why nothing is recorded any more, or None. What was recorded before is safe."""
        return self._error

    def close(self) -> None:
        """Records what was added, then ends the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        os.close(self._folder)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._finished or self._closing)
                # Others will finish blocks soon as well; they share the wait for the disk.
                self._changed.wait_for(lambda: self._closing, timeout=_PAUSE)
                finished, self._finished = self._finished, []
                closing = self._closing
            if finished and self._error is None:
                try:
                    self._commit(finished)
                except Exception as error:  # Whatever it is, the run must not go on as if all were recorded.
                    self._error = error
            if closing:
                return

    def _commit(self, finished: List[Finished]) -> None:
        if self._lock is not None and self._lock.lost:
            raise OutputError("another divainfer has taken this folder over, since this one stood still")
        self._keeper.place(finished)
        sync_file_system(self._folder)
        for one in finished:
            self._ledger.add(one.start, one.stop - one.start, one.failures, one.checksums)
        self._ledger.commit()
        self._failure_log.add(failure for one in finished for failure in one.failures)


def sync_file_system(file: int) -> None:
    """Waits until everything written to the file system of `file` is on its disk.

    Raises:
        OSError: when some of it could not be written.
    """
    if ctypes.CDLL(None, use_errno=True).syncfs(file) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
