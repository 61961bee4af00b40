"""A JSON file an image: the format of 2019. A result is in its place, whole, as soon as it is written."""

from __future__ import annotations

import errno
import os
import zlib
from typing import Dict, Iterable, Set

import numpy as np

from ..imagelist import ImageList
from ..ledger import Progress
from ..naming import Naming
from ..runfolder import FOLDER, RunFolder
from .encoding import encode_json
from .format import Finished, Keeper, Row, Store

#: Folders known to exist; forgotten now and then, so that a list of millions of folders does not fill the memory.
_KNOWN_FOLDERS = 10000
#: What is said of a name that no result can have or has.
_NOT_THERE = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EISDIR, errno.ELOOP, errno.EINVAL))


class JsonFiles(Store):
    """Writes each result beside the others of its worker in `parts/`, then renames it to its place.

    Args:
        worker: the worker's name.
        folder: the run folder.
        naming: how results are named.
    """

    def __init__(self, worker: str, folder: RunFolder, naming: Naming) -> None:
        self._part = os.fsencode(os.path.join(folder.parts, worker))
        self._out = os.fsencode(folder.out)
        self._naming = naming
        self._checksums: Dict[int, int] = {}
        self._folders: Set[bytes] = set()
        self._elsewhere: Set[bytes] = set()

    def put(self, row: Row) -> None:
        """Writes the file."""
        name = self._naming.result_name(row.image)
        if is_ours(name):
            raise OSError(errno.EINVAL, "its name is one of the run folder's own")
        content = encode_json(row.detections)
        self._write(name, content)
        self._checksums[row.index] = zlib.crc32(content)

    def settle(self, start: int, stop: int) -> bytes:
        """Tells the files' checksums, 0 for an image without one."""
        return np.array([self._checksums.pop(index, 0) for index in range(start, stop)], "<u4").tobytes()

    def _write(self, name: bytes, content: bytes) -> None:
        path = os.path.join(self._out, name)
        folder = os.path.dirname(path)
        if folder not in self._folders:
            self._make_folder(folder)
        part = self._part
        if folder in self._elsewhere:
            part = os.path.join(folder, b".divainfer-" + os.path.basename(self._part))
        # Not `open`, whose four system calls the engine's thread would use to get hold of the interpreter.
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            left = content
            while left:
                left = left[os.write(file, left) :]
            if folder in self._elsewhere:
                # The committer synchronises the output folder's own file system only.
                os.fsync(file)
        finally:
            os.close(file)
        try:
            os.replace(part, path)
        except FileNotFoundError:
            # Somebody has removed the folder since.
            self._make_folder(folder)
            os.replace(part, path)
        except OSError as error:
            if error.errno != errno.EXDEV or folder in self._elsewhere:
                raise
            # This folder is a link to another file system: there the file is written beside its place.
            self._elsewhere.add(folder)
            self._write(name, content)

    def _make_folder(self, folder: bytes) -> None:
        os.makedirs(folder, exist_ok=True)
        if len(self._folders) >= _KNOWN_FOLDERS:
            self._folders.clear()
        self._folders.add(folder)


def is_ours(name: bytes) -> bool:
    """Whether a result of this name would lie among the run folder's own files."""
    return name.startswith(FOLDER.encode("ascii") + b"/")


class JsonFilesKeeper(Keeper):
    """Takes away the results of images that failed after all.

    Args:
        folder: the run folder.
        images: the image list.
        naming: how results are named.
    """

    def __init__(self, folder: RunFolder, images: ImageList, naming: Naming) -> None:
        self._out = os.fsencode(folder.out)
        self._images = images
        self._naming = naming

    def place(self, finished: Iterable[Finished]) -> None:
        """Removes what a worker wrote of a failed image, if it died after that and before it could report it."""
        for failure in (failure for one in finished for failure in one.failures):
            name = self._naming.result_name(self._images[failure.index])
            if is_ours(name):
                continue
            try:
                os.unlink(os.path.join(self._out, name))
            except OSError as error:
                if error.errno not in _NOT_THERE:
                    raise

    def sweep(self, progress: Progress) -> None:
        """Nothing: a result that the ledger does not know is written again, over the old one, with the same bytes."""
