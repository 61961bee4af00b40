"""Reads what `--images` names into an image list: absolute paths, no image twice, no two results of one name.

A video stands in it as its frames (`videos.py`).
"""

from __future__ import annotations

import glob
import itertools
import os
import re
import sys
from typing import BinaryIO, Container, Iterator, List, Optional, Set, Tuple

from ..digest import digest_of_file
from ..entries import entries
from ..errors import ImageListError
from ..imagelist import ImageList, ImageListWriter, Listing
from ..naming import FLAT, FULL, STEM, Naming
from ..video.file import frame_path, is_other_video, is_video, parse_frame_path
from .names import Names
from .videos import Videos

#: What a folder search takes for an image; a list or a glob may name anything.
EXTENSIONS = frozenset(
    b".jpg .jpeg .jpe .jfif .png .apng .bmp .dib .tif .tiff .webp .gif .ppm .pgm .pbm .pnm "
    b".jp2 .avif .exr .hdr .pic .sr .ras".split()
)
_CHUNK = 1 << 20
_BATCH = 1 << 14
_SIGNATURES = (
    (b"\xff\xd8\xff", "an image"),
    (b"\x89PNG", "an image"),
    (b"GIF8", "an image"),
    (b"PK\x03\x04", "a zip file"),
    (b"\x1f\x8b", "a compressed file"),
    (b"%PDF", "a PDF"),
)
_CONTROL = re.compile(rb"[\x01-\x08\x0e-\x1f]")


def write_listing(
    images: str,
    flat: bool,
    list_path: str,
    index_path: str,
    stdin: Optional[BinaryIO] = None,
    frame_step: int = 1,
    results: str = "",
) -> Listing:
    """Writes the image list of a run.

    Args:
        images: what `--images` was given.
        flat: whether results are named by the base name alone.
        list_path: where the list goes.
        index_path: where its index goes.
        stdin: what "-" reads; None for the process's own.
        frame_step: every which frame of a video is taken.
        results: the folder below which each image gets a file; "" when there is none.

    Returns:
        The listing.

    Raises:
        ImageListError: when there is nothing to read, no image in it, or results would overwrite each other.
    """
    source = _Source(images, stdin)
    read_from = source_digest(images)
    writer = ImageListWriter(list_path, index_path)
    names = Names(flat)
    videos = Videos(frame_step)
    try:
        for paths in videos.expand(source.batches()):
            writer.add(paths)
            names.add(paths)
    finally:
        digest = writer.close()
    if not writer.count:
        raise ImageListError("--images {}: no image in it{}.".format(images, source.hint()))
    root = names.root if source.root is None else source.root
    notes = source.notes() + _video_notes(videos)
    listed = ImageList(list_path, index_path)
    repeats, clashes = names.compare(listed)
    listed.close()
    if repeats:
        notes.append(
            "{:,} images are listed more than once ({} for one); each is computed once.".format(
                len(repeats), _shown(repeats[min(repeats)])
            )
        )
        digest = _rewrite_without(repeats, list_path, index_path)
    naming = _choose_naming(clashes, root, flat, notes)
    if results:
        _check_places(videos.listed, naming, results)
    return Listing(writer.count - len(repeats), digest, naming, notes, read_from)


def source_digest(images: str) -> str:
    """What a list file says, as a digest: of its content and of the folder its relative names start from.

    Args:
        images: what `--images` was given.

    Returns:
        "sha256:...", or "" when it is not a list file (a folder, a glob, an image, a video, standard input).
    """
    name = os.fsencode(images)
    if images == "-" or not os.path.isfile(name) or _is_taken(name):
        return ""
    return digest_of_file(images, salt=os.path.dirname(os.path.abspath(name)) + b"\0")


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

    def batches(self) -> Iterator[List[bytes]]:
        """Absolute paths, in a fixed order, many at a time."""
        name = os.fsencode(self.images)
        if self.images == "-":
            return entries(self._stdin or sys.stdin.buffer, os.getcwdb())
        if os.path.isdir(name):
            self.root = os.path.abspath(name).rstrip(b"/")
            return self._folder(self.root or b"/")
        if not os.path.lexists(name) and glob.has_magic(self.images):
            return iter([self._glob(name)])
        if _is_taken(name) and os.path.isfile(name):
            return iter([[os.path.abspath(name)]])
        frame = parse_frame_path(os.path.abspath(name))
        if frame is not None and os.path.isfile(frame.video):
            return iter([[os.path.abspath(name)]])
        return self._list_file(name)

    def _check_list(self, start: bytes) -> None:
        """Refuses a file that is no list, by its first bytes."""
        known = next((kind for signature, kind in _SIGNATURES if start.startswith(signature)), None)
        if start.startswith(b"RIFF"):
            known = "an AVI video, whose name should end in .avi" if start[8:12] == b"AVI " else "an image"
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
                "{:,} files in {} have other names than images and videos (.jpg, .png, .mp4, ...) and are passed over, such as "
                "{}.".format(self._passed_over, self.images, self._example)
            )
        for folder in self._unreadable:
            notes.append("{}: this folder cannot be read and was passed over.".format(folder))
        return notes

    def hint(self) -> str:
        if self._unreadable:
            return " ({} cannot be read)".format(self._unreadable[0])
        if self._passed_over:
            return " ({:,} files have other names than images and videos have; list images in a file)".format(
                self._passed_over
            )
        return " (the pattern matches nothing)" if glob.has_magic(self.images) else ""

    def _list_file(self, name: bytes) -> Iterator[List[bytes]]:
        try:
            file = open(name, "rb")
        except OSError as error:
            raise ImageListError("--images {}: cannot be read ({}).".format(self.images, error.strerror))
        with file:
            self._check_list(file.read(_CHUNK))
            file.seek(0)
            yield from entries(file, os.path.dirname(os.path.abspath(name)))

    def _folder(self, top: bytes) -> Iterator[List[bytes]]:
        # Data sets are often made of links, so links to folders are followed; `seen` ends their circles.
        seen: Set[Tuple[int, int]] = set()
        for folder, folders, files in os.walk(top, followlinks=True, onerror=self._could_not_read):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                del folders[:]
                continue
            seen.add((status.st_dev, status.st_ino))
            folders[:] = sorted(name for name in folders if name != b".divainfer")
            images = []
            for file in sorted(files):
                if _is_taken(file):
                    images.append(os.path.join(folder, file))
                else:
                    self._passed_over += 1
                    self._example = self._example or _shown(file)
            yield images

    def _glob(self, pattern: bytes) -> List[bytes]:
        # `**` follows links, also those that lead in a circle: each file is taken once, by its shortest name.
        seen: Set[bytes] = set()
        images = []
        found = (path for path in glob.iglob(pattern, recursive=True) if not os.path.isdir(path))
        for path in sorted(sorted(found), key=lambda path: path.count(b"/")):
            place = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
            if place not in seen:
                seen.add(place)
                images.append(os.path.abspath(path))
        return images

    def _could_not_read(self, error: OSError) -> None:
        self._unreadable.append(_shown(os.fsencode(error.filename)))


def _video_notes(videos: Videos) -> List[str]:
    notes = []
    if videos.listed:
        count = len(set(videos.listed))
        notes.append("{:,} frames of {:,} video{} are listed.".format(videos.frames, count, "" if count == 1 else "s"))
    if videos.unreadable:
        notes.append(
            "{:,} videos have no frames that could be listed, such as {}; each becomes one failure record, which tells "
            "why.".format(len(videos.unreadable), _shown(videos.unreadable[0]))
        )
    return notes


def _check_places(videos: List[bytes], naming: Naming, results: str) -> None:
    """Refuses a folder in which a video lies where the folder with its results would have to be."""
    for video in videos:
        folder = os.path.join(os.fsencode(results), os.path.dirname(naming.result_name(frame_path(video, 0))))
        if os.path.isfile(folder):
            raise ImageListError(
                "--out {}: the results of a video go into a folder of its name, and there {} itself lies. Choose another "
                "folder.".format(results, _shown(video))
            )


def _choose_naming(clashes: List[Tuple[bytes, bytes]], root: bytes, flat: bool, notes: List[str]) -> Naming:
    if not clashes:
        return Naming(FLAT if flat else STEM, root)
    one, other = (_shown(path) for path in clashes[0])
    if flat:
        raise ImageListError(
            "--flat: {:,} results would overwrite others of the same name, such as those of {} and {}. "
            "Leave --flat out.".format(len(clashes), one, other)
        )
    notes.append(
        "{} and {} differ in their extension only, so results keep it: a.jpg gives a.jpg.json.".format(one, other)
    )
    return Naming(FULL, root)


def _rewrite_without(dropped: Container[int], list_path: str, index_path: str) -> str:
    writer = ImageListWriter(list_path + ".new", index_path + ".new")
    listed = ImageList(list_path, index_path)
    kept = (path for index, path in enumerate(listed) if index not in dropped)
    for batch in iter(lambda: list(itertools.islice(kept, _BATCH)), []):
        writer.add(batch)
    listed.close()
    digest = writer.close()
    os.replace(list_path + ".new", list_path)
    os.replace(index_path + ".new", index_path)
    return digest


def _is_taken(name: bytes) -> bool:
    """Whether a name is that of an image or a video; one of a kind that is not decoded becomes a failure that says so."""
    return os.path.splitext(name)[1].lower() in EXTENSIONS or is_video(name) or is_other_video(name)


def _shown(path: bytes) -> str:
    """A path for a message: one line, whatever is in it."""
    return os.fsdecode(path).encode("unicode_escape").decode("ascii") if _odd(path) else os.fsdecode(path)


def _odd(path: bytes) -> bool:
    try:
        return not path.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return True
