"""What all tests share: helpers on the import path, folders with awkward names, and a watch for what a test leaves behind."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator, List, Set

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent))

# A folder for temporary files of our own: what other programs leave in /tmp is not these tests' fault.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
tempfile.tempdir = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="divainfer-tests-")
atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)

# A script's `&` has Ctrl-C ignored and nohup has a hang-up ignored; what the tests start would inherit that, but not a handler.
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

#: Each is a folder name that has broken some program: blanks, quotes, a newline, bytes that are not UTF-8.
WEIRD_NAMES = [b"plain", b"two words", b'it\'s "quoted"', b"new\nline", b"not-utf8-\xff\xfe", b"$HOME;*?[x]", b"-rf"]


@pytest.fixture(params=WEIRD_NAMES, ids=lambda name: repr(name)[2:-1])
def weird_path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder with an awkward name, as text with surrogate escapes."""
    path = os.path.join(os.fsencode(str(tmp_path)), request.param)
    os.mkdir(path)
    yield os.fsdecode(path)
    # pytest's own clean-up stumbles over some of these names.
    shutil.rmtree(path, ignore_errors=True)


def _descriptors() -> Set[str]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + number)
        except OSError:
            continue
        # Libraries keep these for good once they are used: epoll and event files, TensorFlow's and OpenCV's libraries,
        # matplotlib's fonts.
        if not target.startswith(("anon_inode:", "/dev/", "/proc/", "/sys/")) and "/mpl-data/" not in target:
            found.add("{} -> {}".format(number, target))
    return found


def _folder(path: str) -> Set[str]:
    return {path + "/" + name for name in os.listdir(path) if name.startswith(("divainfer", ".divainfer"))}


def _shared() -> Set[str]:
    return set(os.listdir("/dev/shm"))


def _children() -> Set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fails a test that leaves a process, a descriptor, a file in /tmp or an entry in /dev/shm behind."""
    before = (_children(), _descriptors(), _shared(), _folder(tempfile.gettempdir()))
    yield
    left: List[str] = []
    for _ in range(30):
        after = (_children(), _descriptors(), _shared(), _folder(tempfile.gettempdir()))
        left = [str(sorted(now - then)) for then, now in zip(before, after) if now - then]
        if not left:
            return
        gc.collect()
        time.sleep(0.1)
    pytest.fail("the test leaves behind: {}".format("; ".join(left)))
