"""Reads what `--images` names into an image list: absolute paths, no image twice, no two results of one name."""

from __future__ import annotations

import glob
import os
import re
import sys
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

import numpy as np

from ..errors import ImageListError
from ..imagelist import ImageList, ImageListWriter
from ..naming import FLAT, FULL, STEM, Naming

#: What a folder search takes for an image; a list or a glob may name anything.
EXTENSIONS = frozenset(
    b".jpg .jpeg .jpe .jfif .png .apng .bmp .dib .tif .tiff .webp .gif .ppm .pgm .pbm .pnm "
    b".jp2 .avif .exr .hdr .pic .sr .ras".split()
)
_CHUNK = 1 << 20
_SIGNATURES = (
    (b"\xff\xd8\xff", "an image"),
    (b"\x89PNG", "an image"),
    (b"GIF8", "an image"),
    (b"RIFF", "an image"),
    (b"PK\x03\x04", "a zip file"),
    (b"\x1f\x8b", "a compressed file"),
    (b"%PDF", "a PDF"),
)
_CONTROL = re.compile(rb"[\x01-\x08\x0e-\x1f]")
_ODD_PATH = re.compile(rb"//|/\.{1,2}(/|$)|/$")


class Listing(NamedTuple):
    """What came of `--images`.

    Attributes:
        count: images in the list.
        digest: "sha256:..." of the list file.
        naming: how results are named.
        notes: sentences the operator should read.
    """

    count: int  # type: ignore[assignment]
    digest: str
    naming: Naming
    notes: List[str]


def write_listing(
    images: str, flat: bool, list_path: str, index_path: str, stdin: Optional[BinaryIO] = None
) -> Listing:
    """Writes the image list of a run.

    Args:
        images: what `--images` was given.
        flat: whether results are named by the base name alone.
        list_path: where the list goes.
        index_path: where its index goes.
        stdin: what "-" reads; None for the process's own.

    Returns:
        The listing.

    Raises:
        ImageListError: when there is nothing to read, no image in it, or results would overwrite each other.
    """
    source = _Source(images, stdin)
    writer = ImageListWriter(list_path, index_path)
    try:
        for path in source.paths():
            writer.add(path)
    finally:
        digest = writer.close()
    if not writer.count:
        raise ImageListError("--images {}: no image in it{}.".format(images, source.hint()))
    listed = ImageList(list_path, index_path)
    notes = source.notes()
    try:
        root = source.root if source.root is not None else _common_root(listed)
        repeated = _repeats(listed, listed.__getitem__)
        if repeated:
            notes.append(
                "{:,} images are listed more than once ({} for one); each is computed once.".format(
                    len(repeated), _shown(listed[repeated[0][1]])
                )
            )
            digest = _rewrite_without(listed, {second for _, second in repeated}, list_path, index_path)
            listed.close()
            listed = ImageList(list_path, index_path)
        naming = _choose_naming(listed, root, flat, notes)
        return Listing(len(listed), digest, naming, notes)
    finally:
        listed.close()


class _Source:
    """What `--images` turned out to be."""

    def __init__(self, images: str, stdin: Optional[BinaryIO]) -> None:
        self.images = images
        self.root: Optional[bytes] = None
        self._stdin = stdin
        self._passed_over = 0
        self._example = ""
        self._unreadable: List[str] = []
        if not images:
            raise ImageListError(
                "--images is missing: give a list file, a folder, a quoted glob, or - for standard input."
            )

    def paths(self) -> Iterator[bytes]:
        """Absolute paths, in a fixed order."""
        name = os.fsencode(self.images)
        if self.images == "-":
            return _entries(self._stdin or sys.stdin.buffer, os.getcwdb())
        if os.path.isdir(name):
            self.root = os.path.abspath(name).rstrip(b"/")
            return self._folder(self.root or b"/")
        if not os.path.lexists(name) and glob.has_magic(self.images):
            return self._glob(name)
        if os.path.splitext(name)[1].lower() in EXTENSIONS and os.path.isfile(name):
            return iter([os.path.abspath(name)])
        return self._list_file(name)

    def _check_list(self, start: bytes) -> None:
        """Refuses a file that is no list, by its first bytes."""
        known = next((kind for signature, kind in _SIGNATURES if start.startswith(signature)), None)
        # A list may hold names in any encoding, but no control characters besides its separators.
        if known is None and b"\0" not in start and _CONTROL.search(start):
            known = "a binary file"
        if known is not None:
            raise ImageListError(
                "--images {}: this is {}, not a list of images (one path a line).{}".format(
                    self.images,
                    known,
                    " To run on one image give it an image's name, such as .jpg." if known == "an image" else "",
                )
            )

    def notes(self) -> List[str]:
        notes = []
        if self._passed_over:
            notes.append(
                "{:,} files in {} have other names than images (.jpg, .png, ...) and are passed over, such as {}.".format(
                    self._passed_over, self.images, self._example
                )
            )
        for folder in self._unreadable:
            notes.append("{}: this folder cannot be read and was passed over.".format(folder))
        return notes

    def hint(self) -> str:
        if self._unreadable:
            return " ({} cannot be read)".format(self._unreadable[0])
        if self._passed_over:
            return " ({:,} files have other names than images have; list them in a file)".format(self._passed_over)
        return " (the pattern matches nothing)" if glob.has_magic(self.images) else ""

    def _list_file(self, name: bytes) -> Iterator[bytes]:
        try:
            file = open(name, "rb")
        except OSError as error:
            raise ImageListError("--images {}: cannot be read ({}).".format(self.images, error.strerror))
        with file:
            self._check_list(file.read(_CHUNK))
            file.seek(0)
            yield from _entries(file, os.path.dirname(os.path.abspath(name)))

    def _folder(self, top: bytes) -> Iterator[bytes]:
        # Data sets are often made of links, so links to folders are followed; `seen` ends their circles.
        seen: Set[Tuple[int, int]] = set()
        for folder, folders, files in os.walk(top, followlinks=True, onerror=self._could_not_read):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                del folders[:]
                continue
            seen.add((status.st_dev, status.st_ino))
            folders[:] = sorted(name for name in folders if name != b".divainfer")
            for file in sorted(files):
                if os.path.splitext(file)[1].lower() in EXTENSIONS:
                    yield os.path.join(folder, file)
                else:
                    self._passed_over += 1
                    self._example = self._example or _shown(file)

    def _glob(self, pattern: bytes) -> Iterator[bytes]:
        # `**` follows links, also those that lead in a circle: each file is taken once, by its shortest name.
        seen: Set[bytes] = set()
        found = (path for path in glob.iglob(pattern, recursive=True) if not os.path.isdir(path))
        for path in sorted(sorted(found), key=lambda path: path.count(b"/")):
            place = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
            if place not in seen:
                seen.add(place)
                yield os.path.abspath(path)

    def _could_not_read(self, error: OSError) -> None:
        self._unreadable.append(_shown(os.fsencode(error.filename)))


def _entries(file: BinaryIO, base: bytes) -> Iterator[bytes]:
    """The paths in a list, made absolute against `base`; separated by NUL if there is any, else by newlines."""
    chunk = _chunk(file)
    if chunk.startswith(b"\xef\xbb\xbf"):
        chunk = chunk[3:]
    separator = b"\0" if b"\0" in chunk else b"\n"
    rest = b""
    while chunk:
        *entries, rest = (rest + chunk).split(separator)
        for entry in entries:
            if entry.strip():
                yield _absolute(entry, base, separator)
        chunk = _chunk(file)
    if rest.strip():
        yield _absolute(rest, base, separator)


def _chunk(file: Any) -> bytes:
    """As `file.read(_CHUNK)`, which a signal would not end when it comes between two of its many reads of a pipe."""
    chunk = part = file.read1(_CHUNK)
    while part and len(chunk) < _CHUNK:
        part = file.read1(_CHUNK - len(chunk))
        chunk += part
    return bytes(chunk)


def _absolute(entry: bytes, base: bytes, separator: bytes) -> bytes:
    if separator == b"\n" and entry.endswith(b"\r"):
        entry = entry[:-1]
    path = entry if entry.startswith(b"/") else base + b"/" + entry
    # Ten million calls of normpath take half a minute, and nearly all paths need none.
    return os.path.normpath(path) if _ODD_PATH.search(path) or path.startswith(b"//") else path


def _common_root(listed: ImageList) -> bytes:
    root = os.path.dirname(listed[0])
    for path in listed:
        if not path.startswith(root + b"/"):
            root = os.path.commonpath([root, os.path.dirname(path)])
            root = b"" if root == b"/" else root
    return root.rstrip(b"/")


def _choose_naming(listed: ImageList, root: bytes, flat: bool, notes: List[str]) -> Naming:
    naming = Naming(FLAT if flat else STEM, root)
    clashes = _repeats(listed, lambda index: naming.result_name(listed[index]))
    if not clashes:
        return naming
    one, other = (_shown(listed[index]) for index in clashes[0])
    if flat:
        raise ImageListError(
            "--flat: {:,} results would overwrite others of the same name, such as those of {} and {}. "
            "Leave --flat out.".format(len(clashes), one, other)
        )
    notes.append(
        "{} and {} differ in their extension only, so results keep it: a.jpg gives a.jpg.json.".format(one, other)
    )
    return Naming(FULL, root)


def _repeats(listed: ImageList, key: Callable[[int], bytes]) -> List[Tuple[int, int]]:
    """Pairs of indices with equal keys, the first of its kind and a later one; 8 bytes an image while it looks."""
    hashes = np.fromiter((hash(key(index)) for index in range(len(listed))), dtype=np.int64, count=len(listed))
    ordered = np.sort(hashes)
    suspects = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(suspects):
        return []
    first: Dict[bytes, int] = {}
    pairs = []
    for index in np.flatnonzero(np.isin(hashes, suspects)).tolist():
        name = key(index)
        if name in first:
            pairs.append((first[name], index))
        else:
            first[name] = index
    return pairs


def _rewrite_without(listed: ImageList, dropped: Set[int], list_path: str, index_path: str) -> str:
    writer = ImageListWriter(list_path + ".new", index_path + ".new")
    for index, path in enumerate(listed):
        if index not in dropped:
            writer.add(path)
    digest = writer.close()
    os.replace(list_path + ".new", list_path)
    os.replace(index_path + ".new", index_path)
    return digest


def _shown(path: bytes) -> str:
    """A path for a message: one line, whatever is in it."""
    return os.fsdecode(path).encode("unicode_escape").decode("ascii") if _odd(path) else os.fsdecode(path)


def _odd(path: bytes) -> bool:
    try:
        return not path.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return True
