"""Who is at work on a run folder, as a file: for file systems without locks, and for telling who holds a lock.

The file is made with O_EXCL, so that one of several gets it, and its holder renews its time every ten seconds. It is taken over
when its holder is certainly dead: a process of this machine that is not there any more, or one elsewhere that has not renewed
it for a minute by the file system's own clock.

NOTE [take-over]: between judging a file and moving it away, another process may have taken it over already. So what was moved
is looked at, and put back when it is not what was judged; and whoever made the file looks again after a moment whether it is
still the one in place.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import socket
import threading
import time
import uuid
from typing import Any, Dict, NamedTuple, Optional, Tuple

log = logging.getLogger("dispatcher")

_RENEW_SECONDS = 10.0
_STALE_SECONDS = 60.0
#: Longer than another process takes from judging a file to moving it.
_SETTLE_SECONDS = 0.2
_TRIES = 5

Record = Dict[str, Any]


class Owner(NamedTuple):
    """Who is at work on a run folder.

    Attributes:
        host: the machine's name; "" when unknown.
        pid: process id on that machine; 0 when unknown.
        since: when it began, Unix time in seconds; 0 when unknown.
    """

    host: str
    pid: int
    since: float

    def __str__(self) -> str:
        if not self.pid:
            return "it has left no name"
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return "process {} on {}, since {}".format(self.pid, self.host, since)


UNKNOWN = Owner("", 0, 0.0)


class OwnerFile:
    """Claims a path for this process, until `release`.

    Args:
        path: the file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._record = own_record()
        self._over = threading.Event()
        #: Whether another process has taken it over.
        self.lost = False
        self._thread = threading.Thread(target=self._renew, name="owner-file", daemon=True)

    def claim(self) -> Optional[Owner]:
        """Takes the file. Returns None when it is ours now, else whose it is.

        Raises:
            OSError: when it cannot be written.
        """
        for _ in range(_TRIES):
            if self._make():
                time.sleep(_SETTLE_SECONDS)
                # NOTE [take-over]
                if _token(read_record(self._path)) == self._record["token"]:
                    self._thread.start()
                    return None
            present = read_record(self._path)
            if not is_dead(self._path, present):
                return owner_of(present)
            self._put_aside(present)
        return owner_of(read_record(self._path))

    def release(self) -> None:
        """Gives the file back; does nothing when it was never ours, or is not any more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        if _token(read_record(self._path)) == self._record["token"]:
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    def _make(self) -> bool:
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            return False
        try:
            with open(descriptor, "w", encoding="ascii") as file:
                json.dump(self._record, file)
        except OSError:
            os.unlink(self._path)
            raise
        return True

    def _put_aside(self, judged: Optional[Record]) -> None:
        aside = "{}.{}".format(self._path, self._record["token"])
        try:
            os.rename(self._path, aside)
        except FileNotFoundError:
            return  # Another process was faster.
        if _token(read_record(aside)) == _token(judged):
            os.unlink(aside)
        else:
            os.rename(aside, self._path)

    def _renew(self) -> None:
        while not self._over.wait(_RENEW_SECONDS):
            record = read_record(self._path)
            if record is not None and _token(record) != self._record["token"]:
                log.error("%s: taken over by another divainfer (%s)", self._path, owner_of(record))
                self.lost = True
                return
            # A file system that does not answer now may do so the next time.
            with contextlib.suppress(OSError):
                os.utime(self._path)


def live_owner(path: str) -> Optional[Owner]:
    """Whose the file is; None when there is none, or its holder is certainly dead."""
    if not os.path.lexists(path):
        return None
    record = read_record(path)
    return None if is_dead(path, record) else owner_of(record)


def own_record() -> Record:
    """What this process writes about itself."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": time.time(),
        "machine": _machine(),
        "start": _process(os.getpid())[1],
        "token": uuid.uuid4().hex,
    }


def read_record(path: str) -> Optional[Record]:
    """The record in a file; None when there is none, or it is not written yet."""
    try:
        with open(path, encoding="ascii") as file:
            record = json.load(file)
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def owner_of(record: Optional[Record]) -> Owner:
    """The owner that a record names; `UNKNOWN` when it names none."""
    if record is None:
        return UNKNOWN
    try:
        return Owner(str(record["host"]), int(record["pid"]), float(record["since"]))
    except (KeyError, TypeError, ValueError):
        return UNKNOWN


def is_dead(path: str, record: Optional[Record]) -> bool:
    """Whether the holder of an owner file is certainly dead.

    Args:
        path: the file; its time tells about holders on other machines.
        record: what is in it.
    """
    try:
        if record is not None and record["machine"] == _machine():
            alive, start = _process(int(record["pid"]))
            return not alive or (start is not None and record["start"] is not None and start != record["start"])
    except (KeyError, TypeError, ValueError):
        pass  # Not written by us; its time still tells something.
    try:
        return _now_at(path) - os.stat(path).st_mtime > _STALE_SECONDS
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _now_at(path: str) -> float:
    """The time by the clock that a file's times come from, which may be that of a file server."""
    touched = "{}.{}".format(path, uuid.uuid4().hex)
    try:
        os.close(os.open(touched, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError:
        return time.time()  # Whoever may only look takes this machine's clock.
    try:
        return os.stat(touched).st_mtime
    finally:
        os.unlink(touched)


def _machine() -> Optional[str]:
    """What tells whether a process id means the same here: the name, the boot, and the container's own numbering."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        return " ".join([socket.gethostname(), boot, os.readlink("/proc/self/ns/pid")])
    except OSError:
        return uuid.uuid4().hex  # Like no other: then only the file's time tells.


def _process(pid: int) -> Tuple[bool, Optional[int]]:
    """Whether a process lives, and when it started (clock ticks since the boot); None when that cannot be seen."""
    try:
        os.kill(pid, 0)
    except OSError as error:
        if error.errno == errno.ESRCH:
            return False, None
    try:
        with open("/proc/{}/stat".format(pid), "rb") as file:
            # The second field, the program's name, may hold blanks and brackets.
            fields = file.read().rpartition(b")")[2].split()
        return fields[0] not in (b"Z", b"X"), int(fields[19])
    except (OSError, ValueError, IndexError):
        return True, None


def _token(record: Optional[Record]) -> Any:
    return None if record is None else record.get("token")
