"""Whether the results will fit on the disk: an estimate before the start, since a disk that is full shows hours later."""

from __future__ import annotations

import itertools
import os
from typing import Iterable, Optional

_SAMPLE = 200


def space_note(out: str, images: int, bytes_each: int, files: int) -> Optional[str]:
    """Looks whether the results of a run fit.

    Args:
        out: the output folder, or where it will be; an existing folder.
        images: images that are still to do.
        bytes_each: bytes of one result, on average.
        files: files that the results are written to.

    Returns:
        A sentence for the operator when they will not fit; None when they do, or when that cannot be told.
    """
    try:
        status = os.statvfs(out)
    except OSError:
        return None
    # Some file systems have no fixed number of files, and say 0 of all.
    free_files = status.f_favail if status.f_files else None
    note = shortage(status.f_bavail * status.f_frsize, free_files, status.f_frsize, images, bytes_each, files)
    return None if note is None else "--out {}: {}".format(out, note)


def shortage(
    free_bytes: int, free_files: Optional[int], block: int, images: int, bytes_each: int, files: int
) -> Optional[str]:
    """Compares what is free with what the results take.

    Args:
        free_bytes: that may still be written.
        free_files: files that may still be made; None for any number.
        block: bytes that files grow by: a result of its own takes one at least.
        images: results to come.
        bytes_each: bytes of one result, on average.
        files: files they are written to, at most one a result.

    Returns:
        One sentence: what is missing, for how many results there is room, and what to do; None when all is well.
    """
    if images < 1 or files < 1:
        return None
    bytes_a_file = max(1, -(-images * bytes_each // files))
    taken_by_file = -(-bytes_a_file // block) * block
    needed = files * taken_by_file
    fit_by_bytes = free_bytes * images // needed
    fit_by_files = images if free_files is None else free_files * images // files
    if min(fit_by_bytes, fit_by_files) >= images:
        return None
    if fit_by_files < fit_by_bytes:
        what = "{:,} more files can be made here and the results need {:,}".format(free_files, files)
    else:
        what = "{} are free and the results need about {}".format(_size(free_bytes), _size(needed))
    return (
        "{}: about {:,} of {:,} results will fit. Make room, or choose a folder on another disk; a run that is stopped by "
        "a full disk goes on with the same command.".format(what, min(fit_by_bytes, fit_by_files), images)
    )


def result_bytes(paths: Iterable[bytes], guess: int) -> int:
    """Bytes of a result, on average: of the first 200 that are there, or `guess` when none is.

    Args:
        paths: where results may be.
        guess: bytes.
    """
    sizes = []
    for path in itertools.islice(paths, _SAMPLE):
        try:
            sizes.append(os.stat(path).st_size)
        except OSError:
            continue  # A failure has none.
    return -(-sum(sizes) // len(sizes)) if sizes else guess


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            break
        count /= 1000
    return "{:.0f} {}".format(count, unit) if unit == "bytes" else "{:.1f} {}".format(count, unit)
