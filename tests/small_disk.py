"""A disk of a test's own, in memory, that may be filled without harm to anybody."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from typing import Iterator

import pytest


def may_mount() -> bool:
    """Whether this user may mount; in a container even root may not."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        mount = subprocess.run(["mount", "-t", "tmpfs", "none", folder], stderr=subprocess.DEVNULL)
        if mount.returncode == 0:
            subprocess.check_call(["umount", folder])
        return mount.returncode == 0


needs_root = pytest.mark.skipif(not may_mount(), reason="only root may mount a small disk")


@contextlib.contextmanager
def mounted(folder: str, options: str) -> Iterator[str]:
    """A new disk mounted at `folder`, which is made; taken away again whatever happens."""
    os.makedirs(folder, exist_ok=True)
    subprocess.check_call(["mount", "-t", "tmpfs", "-o", options, "none", folder])
    try:
        yield folder
    finally:
        # Lazily: a process that should have ended must not keep the disk.
        subprocess.check_call(["umount", "--lazy", folder])


def fill(disk: str) -> str:
    """Takes all that is left of a disk; returns the file to remove."""
    path = os.path.join(disk, "filler")
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return path
