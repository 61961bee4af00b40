"""What Python runs first in every process of a run under test, once this folder is on its PYTHONPATH: ways to fail.

Nothing happens until a test asks for it: by a signal, by an image that holds a marker, or by the variable INJECTED_STRIKE,
"ROLE POINT NUMBER ACTION", such as "dispatcher fdatasync 2 kill-before" or "worker replace 5 EDQUOT": at its NUMBER-th call of
POINT a process of that role does ACTION once: "kill-before" and "kill-after" are SIGKILL, anything else names an errno.
INJECTED_DELAY, "ROLE POINT SECONDS", makes each call of `os.POINT` in a process of that role take so much longer.
"""

import builtins
import ctypes
import errno
import itertools
import os
import signal
import stat
import time

CRASH_MARKER = b"<injected: the loader crashes>"
HANG_MARKER = b"<injected: the loader hangs>"
_MARKERS_WITHIN = 1 << 20


def _role():
    with open("/proc/self/cmdline", "rb") as file:
        words = file.read().split(b"\0")
    modules = {b"divainfer.cli": "dispatcher", b"divainfer.worker": "worker", b"divainfer.loader": "loader"}
    return next((modules[word] for word in words if word in modules), "")


def _exit(*_):
    os._exit(1)


def _hang_in_python(*_):
    while True:
        time.sleep(1)


def _hang_in_c(*_):
    # A PyDLL keeps the interpreter's lock, as a stuck driver may: no other thread of the process runs any more.
    while True:
        ctypes.PyDLL(None).sleep(1000)


def _react_to_signals():
    signal.signal(signal.SIGUSR1, _exit)
    signal.signal(signal.SIGUSR2, _hang_in_python)
    signal.signal(signal.SIGVTALRM, _hang_in_c)


def _react_to_markers():
    """Whatever reads an image has to open it; so this needs to know nothing of how the loader does it."""
    real = os.open

    def opening(path, flags, *args, **kwargs):
        descriptor = real(path, flags, *args, **kwargs)
        if flags & os.O_ACCMODE == os.O_RDONLY and stat.S_ISREG(os.fstat(descriptor).st_mode):
            start = os.pread(descriptor, _MARKERS_WITHIN, 0)
            if CRASH_MARKER in start:
                ctypes.string_at(0)
            if HANG_MARKER in start:
                _hang_in_python()
        return descriptor

    os.open = opening


class _Strike:
    """Stands for a function, and fails once."""

    def __init__(self, number, action):
        self._calls = itertools.count(1)
        self._number = number
        self._action = action

    def call(self, real, *args, **kwargs):
        if next(self._calls) != self._number:
            return real(*args, **kwargs)
        if self._action.startswith("kill"):
            if self._action == "kill-after":
                real(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, self._action)
        raise OSError(number, os.strerror(number), args[0] if isinstance(args[0], (str, bytes)) else None)

    def instead_of(self, real):
        def struck(*args, **kwargs):
            return self.call(real, *args, **kwargs)

        return struck


def _strike(point, strike):
    if point in ("open", "open-to-write"):
        _strike_open(strike, also_reading=point == "open")
    elif point == "syncfs":
        _strike_syncfs(strike)
    else:
        setattr(os, point, strike.instead_of(getattr(os, point)))


def _strike_open(strike, also_reading):
    """Counts the run folder's files only; libraries open many others."""
    real = builtins.open

    def opening(file, mode="r", *args, **kwargs):
        ours = isinstance(file, (str, bytes)) and b".divainfer" in os.fsencode(file)
        if ours and (also_reading or mode.strip("bt") != "r"):
            return strike.call(real, file, mode, *args, **kwargs)
        return real(file, mode, *args, **kwargs)

    builtins.open = opening


def _strike_syncfs(strike):
    """Python has no `os.syncfs`, so it is called by way of ctypes, where errors are numbers."""

    class StruckCDLL(ctypes.CDLL):
        def __getattr__(self, name):
            function = super().__getattr__(name)
            if name != "syncfs":
                return function

            def syncfs(file):
                try:
                    return strike.call(function, file)
                except OSError as error:
                    ctypes.set_errno(error.errno)
                    return -1

            return syncfs

    ctypes.CDLL = StruckCDLL


def _delay(point, seconds):
    real = getattr(os, point)

    def slow(*args, **kwargs):
        time.sleep(seconds)
        return real(*args, **kwargs)

    setattr(os, point, slow)


def _inject():
    role = _role()
    if not role:
        return
    _react_to_signals()
    if role == "loader":
        _react_to_markers()
    asked = os.environ.get("INJECTED_STRIKE", "").split()
    if asked and asked[0] == role:
        _strike(asked[1], _Strike(int(asked[2]), asked[3]))
    slow = os.environ.get("INJECTED_DELAY", "").split()
    if slow and slow[0] == role:
        _delay(slow[1], float(slow[2]))


_inject()
