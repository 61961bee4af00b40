"""`divainfer draw`: what a run found, drawn on some of its images."""

from __future__ import annotations

import glob
import logging
import os
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..config import suggestion
from ..console import one_line
from ..errors import ConfigError, OutputError
from ..ledger import FAILED, RESULT
from ..loader.imagefile import ImageError
from ..naming import Naming
from ..output.results import Lookup
from .boxes import Detection, chosen, draw_detections
from .picturefile import PictureError, may_write, write_picture
from .pictures import Pictures
from .selection import even, named, read_names
from .sheet import MOST, cell, sheet

log = logging.getLogger("drawing")

#: Images that are drawn when none is named.
SAMPLE = 20
#: Only what is this likely is drawn.
MIN_SCORE = 0.5
_SHEET_QUALITY = 86
_SHEET_NAMES = (".jpg", ".jpeg")

Say = Callable[[str], None]


class Drawn(NamedTuple):
    """What came of it.

    Attributes:
        images: how many were drawn.
        left_out: how many could not be; `say` was told why.
        folder: where the pictures are; "" when only a sheet was asked for.
        sheets: the contact sheets.
    """

    images: int
    left_out: int
    folder: str
    sheets: List[str]


def draw(
    out: str,
    folder: str = "",
    sample: Optional[int] = None,
    images: Sequence[str] = (),
    list_file: str = "",
    sheet_file: str = "",
    min_score: float = MIN_SCORE,
    classes: Sequence[str] = (),
    say: Optional[Say] = None,
) -> Drawn:
    """Draws detections on images of a run, while it goes on or after.

    A picture is named as the image's result, with `.jpg`, and is there once it is whole; one that was drawn before is replaced,
    any other file is left as it is.

    Args:
        out: the run's output folder.
        folder: where the pictures go; "" for `<out>/.divainfer/drawn`, or for none when a sheet is asked for. Not below a
            folder that the run searches for images.
        sample: how many images, spread evenly over those that have a result, or over those named; None for `SAMPLE` of the
            former, or all of the latter.
        images: names of images, frames (`cam.mp4/00000012`) or videos, which stand for their frames.
        list_file: a file with more of them, one a line.
        sheet_file: a JPEG that shows all images small, up to `MOST` a sheet; further ones get `-2`, `-3` and so on. Where one
            would replace a file that was not drawn, nothing is drawn.
        min_score: detections below are left out.
        classes: names or ids of the classes to be drawn; empty for all.
        say: takes a sentence about each image that cannot be drawn; None logs them.

    Raises:
        UsageError: when the folder holds no run, nothing in it can be drawn, or something given cannot be used.
    """
    say = say or log.warning
    if folder and os.path.exists(folder) and not os.path.isdir(folder):
        raise ConfigError("--out {}: this is no folder. Give the name of one.".format(one_line(folder)))
    if sheet_file and os.path.exists(sheet_file) and not os.path.isfile(sheet_file):
        raise ConfigError("--sheet {}: this is no regular file. Give the name of one.".format(sheet_file))
    if sheet_file and not sheet_file.lower().endswith(_SHEET_NAMES):
        raise ConfigError("--sheet {}: a sheet is a JPEG; give it a name that ends in .jpg.".format(sheet_file))
    lookup = Lookup(out)
    try:
        _check_classes(classes, lookup.record.classes)
        indices, unknown = _select(lookup, sample, images, list_file)
        _check_apart(lookup, "--out", folder, folder)
        _check_apart(lookup, "--sheet", sheet_file, os.path.dirname(os.path.abspath(sheet_file)))
        for name in unknown:
            say("{}: it is not in the list of this run.".format(one_line(os.fsdecode(name))))
        if not folder and not sheet_file:
            folder = lookup.folder.drawn
        sheets = _Sheets(sheet_file)
        sheets.check(len(indices))
        images_drawn = _Drawing(lookup, folder, sheets, min_score, classes, say).draw(indices)
        left_out = len(indices) - images_drawn + len(unknown)
        return Drawn(images_drawn, left_out, folder if images_drawn else "", sheets.written)
    except OSError as error:
        where = os.fsdecode(error.filename) if error.filename else folder or sheet_file
        raise OutputError("{}: it cannot be written ({}).".format(one_line(where), error.strerror or error))
    finally:
        lookup.close()


def _select(
    lookup: Lookup, sample: Optional[int], images: Sequence[str], list_file: str
) -> Tuple[List[int], List[bytes]]:
    if not images and not list_file:
        positions = np.flatnonzero(lookup.progress.states == RESULT)
        if not len(positions):
            raise OutputError("{}: there is no result in this run yet.".format(lookup.folder.out))
        return even(positions, SAMPLE if sample is None else sample), []
    names = [os.fsencode(name) for name in images] + (read_names(list_file) if list_file else [])
    selection = named(lookup.images, names, lookup.record.listing.naming.root)
    return even(selection.indices, len(selection.indices) if sample is None else sample), selection.unknown


def _check_classes(classes: Sequence[str], known: Sequence[str]) -> None:
    for word in classes:
        # Without names the results have ids; those of a model without a card are anybody's guess.
        if known and word not in known and not word.isdigit():
            raise ConfigError(
                "--classes: the model of this run has no class {!r}{}; its classes are {}.".format(
                    word, suggestion(word, known), ", ".join(known[1:])
                )
            )


def _check_apart(lookup: Lookup, option: str, given: str, folder: str) -> None:
    """Refuses a folder that is searched for images: a run that goes on would take the pictures for more of them."""
    images = lookup.record.config["images"]
    searched = os.path.isdir(images) or glob.has_magic(images) and not os.path.lexists(images)
    root = os.path.realpath(lookup.record.listing.naming.root or b"/")
    if given and searched and os.path.commonpath([root, os.path.realpath(os.fsencode(folder))]) == root:
        raise ConfigError(
            "{} {}: the images of this run are searched for in {}, so what is drawn there would be taken for more of them "
            "when it is resumed. Choose another folder.".format(option, one_line(given), _shown(root))
        )


class _LeftOut(Exception):
    """An image that cannot be drawn; a whole sentence."""


class _Drawing:
    """Draws the images of one command, one after the other."""

    def __init__(
        self, lookup: Lookup, folder: str, sheets: "_Sheets", min_score: float, classes: Sequence[str], say: Say
    ) -> None:
        self._lookup = lookup
        self._folder = os.fsencode(folder)
        self._sheets = sheets
        self._min_score = min_score
        self._classes = classes
        self._say = say
        self._pictures = Pictures(int(lookup.record.config["max_pixels"]))
        self._reasons: Optional[Dict[int, str]] = None

    def draw(self, indices: Sequence[int]) -> int:
        """How many of these images could be drawn."""
        images = 0
        try:
            for index in indices:
                try:
                    self._draw(index)
                    images += 1
                except _LeftOut as left_out:
                    self._say(str(left_out))
            self._sheets.close()
        finally:
            self._pictures.close()
        return images

    def _draw(self, index: int) -> None:
        path = self._lookup.images[index]
        try:
            result = self._lookup.at(index)
            if result.detections is None:
                raise _LeftOut("{}: {}.".format(_shown(path), self._why_none(index)))
            rows = chosen(result.detections, self._min_score, self._classes)
            image = self._pictures.read(path, result.image_size)
            if self._folder:
                self._write(path, draw_detections(image, rows))
        except OutputError as error:
            raise _LeftOut(one_line(str(error)))
        except ImageError as error:
            raise _LeftOut("{}: {}.".format(_shown(path), error.reason.rstrip(".")))
        self._sheets.add(image, rows, _shown(path[len(self._naming.root) + 1 :]))

    def _write(self, path: bytes, picture: np.ndarray) -> None:
        name = self._naming.result_name(path)[: -len(b".json")] + b".jpg"
        target = os.path.join(self._folder, name)
        try:
            if not may_write(target):
                raise PictureError("there is a file already, which was not drawn; it is left as it is")
            write_picture(target, picture)
        except PictureError as error:
            raise _LeftOut("{}: {}.".format(_shown(target), error))

    @property
    def _naming(self) -> Naming:
        return self._lookup.record.listing.naming

    def _why_none(self, index: int) -> str:
        if self._lookup.progress.states[index] != FAILED:
            return "it has no result yet"
        if self._reasons is None:
            self._reasons = {failure.index: failure.reason for failure in self._lookup.failures()}
        return "it has no result: {}".format(self._reasons[index].rstrip("."))


class _Sheets:
    """Fills contact sheets.

    Args:
        path: of the first one; "" for none.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._cells: List[np.ndarray] = []
        self.written: List[str] = []

    def check(self, images: int) -> None:
        """Refuses to write over a file of somebody else's, before anything is drawn.

        Args:
            images: how many there will be at most.
        """
        for number in range(-(-images // MOST) if self._path else 0):
            path = self._place(number)
            if not may_write(os.fsencode(path)):
                raise OutputError(
                    "--sheet {}: {} is there already and was not drawn by divainfer, so it is left as it is. Give another "
                    "name, or move it away.".format(one_line(self._path), one_line(path))
                )

    def add(self, image: np.ndarray, rows: Sequence[Detection], caption: str) -> None:
        if not self._path:
            return
        self._cells.append(cell(image, rows, caption))
        if len(self._cells) == MOST:
            self.close()

    def close(self) -> None:
        """Writes what has been added since the last sheet."""
        if not self._cells:
            return
        path = self._place(len(self.written))
        try:
            write_picture(os.fsencode(path), sheet(self._cells), _SHEET_QUALITY)
        except PictureError as error:
            raise OutputError("--sheet {}: {}.".format(one_line(path), error))
        self._cells.clear()
        self.written.append(path)

    def _place(self, number: int) -> str:
        """Where a sheet goes, by its number from 0."""
        name, ending = os.path.splitext(self._path)
        return "{}-{}{}".format(name, number + 1, ending) if number else self._path


def _shown(path: bytes) -> str:
    return one_line(os.fsdecode(path))
