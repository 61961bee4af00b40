"""Checkpoints found and looked into without TensorFlow: a training folder, a prefix, or an `.npz` of the same variables."""

from __future__ import annotations

import glob
import os
import re
import zipfile
from typing import IO, Dict, Iterable, List, NamedTuple, Optional, Tuple

import numpy as np

from ..errors import ModelError
from .checkpointindex import MAGIC, read_index
from .words import shown

#: Kinds.
CHECKPOINT, NPZ = "checkpoint", "npz"
#: Kinds of numbers that weights may have; they become float32.
WEIGHT_DTYPES = ("float32", "float16", "bfloat16", "float64")

_LATEST = re.compile(rb'^\s*model_checkpoint_path\s*:\s*"((?:[^"\\]|\\.)*)"', re.MULTILINE)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_PART = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
_STEP = re.compile(r"-(\d+)$")
_MOST_TEXT = 1 << 20


class Checkpoint(NamedTuple):
    """The values of a model's variables, on disk.

    Attributes:
        path: as given.
        kind: CHECKPOINT or NPZ.
        prefix: what TensorFlow calls the checkpoint: `PREFIX.index` is there. Of an `.npz`, the file.
        files: all that belong to it, sorted.
        shapes: variable name to shape.
        dtypes: variable name to kind of numbers, such as "float32".
    """

    path: str
    kind: str
    prefix: str
    files: Tuple[str, ...]
    shapes: Dict[str, Tuple[int, ...]]
    dtypes: Dict[str, str]


def is_checkpoint(path: str) -> bool:
    """Whether a path looks like one of the things that `find_checkpoint` takes."""
    if os.path.isdir(path):
        return os.path.isfile(os.path.join(path, "checkpoint")) or bool(_prefixes(path))
    if path.endswith(".npz") or _PART.search(path):
        return True
    return os.path.isfile(path + ".index") or _ends_with_magic(path)


def find_checkpoint(path: str) -> Checkpoint:
    """Finds a checkpoint and reads what variables it has.

    Args:
        path: a training folder (its file `checkpoint` names the latest; without that, the only one or the one of the
            highest step), a prefix such as `train/model-1000`, one of the files of such a prefix, or an `.npz`.

    Raises:
        ModelError: one sentence, when there is none, or a file of it is missing, damaged or cut off.
    """
    if path.endswith(".npz") and not os.path.isdir(path):
        return _npz(path)
    prefix = _in_folder(path) if os.path.isdir(path) else _of_file(path)
    index = prefix + ".index"
    if not os.path.isfile(index):
        raise ModelError(_no_index(path, prefix))
    found = read_index(index)
    shards = [
        "{}.data-{:05d}-of-{:05d}".format(prefix, number, len(found.shards)) for number in range(len(found.shards))
    ]
    for shard, least in zip(shards, found.shards):
        size = os.path.getsize(shard) if os.path.isfile(shard) else None
        if size is None or size < least:
            what = "is missing" if size is None else "is cut off: it has {} of at least {} bytes".format(size, least)
            raise ModelError("{}: this file of the checkpoint {}. Copy the checkpoint again.".format(shard, what))
    return Checkpoint(
        path,
        CHECKPOINT,
        prefix,
        tuple(sorted([index] + shards)),
        {name: variable.shape for name, variable in found.variables.items()},
        {name: variable.dtype for name, variable in found.variables.items()},
    )


def check_dtypes(checkpoint: Checkpoint, names: Iterable[str]) -> None:
    """Checks that variables have numbers that can be weights.

    Args:
        checkpoint: where they are.
        names: of variables that it has.

    Raises:
        ModelError: one sentence that names those that have not.
    """
    wrong = [
        "{} is {}".format(name, checkpoint.dtypes[name])
        for name in names
        if checkpoint.dtypes[name] not in WEIGHT_DTYPES
    ]
    if wrong:
        raise ModelError(
            "{}: {} variables are not of {}: {}.".format(
                checkpoint.path, len(wrong), ", ".join(WEIGHT_DTYPES), shown(wrong)
            )
        )


def plain_name(name: str) -> str:
    """A variable's name without the ":0" that some programs write into an `.npz`."""
    return name[:-2] if name.endswith(":0") else name


def _in_folder(folder: str) -> str:
    latest = _latest(folder)
    prefixes = _prefixes(folder)
    if latest is not None:
        # It may be the path on the machine of the training; the folder at hand is what was asked for.
        nearby = os.path.join(folder, os.path.basename(latest))
        prefix = os.path.join(folder, latest) if not os.path.isabs(latest) else nearby
        for candidate in (prefix, nearby):
            if os.path.isfile(candidate + ".index"):
                return candidate
        if not prefixes or os.path.exists(nearby):
            return nearby
        raise ModelError(
            "{}: its file 'checkpoint' names {}, which is not there; give one of those that are: {}.".format(
                folder, os.path.basename(latest), shown(prefixes)
            )
        )
    if len(prefixes) > 1:
        steps = [_STEP.search(prefix) for prefix in prefixes]
        if not all(steps):
            raise ModelError("{}: there are several checkpoints; give one of them: {}.".format(folder, shown(prefixes)))
        return max(prefixes, key=_step)
    if not prefixes:
        raise ModelError("{}: there is no checkpoint in this folder (no file *.index).".format(folder))
    return prefixes[0]


def _step(prefix: str) -> int:
    found = _STEP.search(prefix)
    return int(found.group(1)) if found else -1


def _prefixes(folder: str) -> List[str]:
    """All checkpoints in a folder, sorted."""
    return sorted(path[: -len(".index")] for path in glob.glob(os.path.join(glob.escape(folder), "*.index")))


def _latest(folder: str) -> Optional[str]:
    """What the file `checkpoint`, a protocol-buffers message in text form, names as the latest."""
    path = os.path.join(folder, "checkpoint")
    try:
        with open(path, "rb") as file:
            found = _LATEST.search(file.read(_MOST_TEXT))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelError("{}: cannot be read ({}).".format(path, error.strerror))
    if found is None:
        return None
    return os.fsdecode(_ESCAPE.sub(lambda escape: _unescaped(escape.group(1)), found.group(1)))


def _unescaped(text: bytes) -> bytes:
    return bytes([int(text, 8) & 0xFF]) if text.isdigit() else text


def _of_file(path: str) -> str:
    found = _PART.search(path)
    if not found:
        return path
    prefix = path[: found.start()]
    if found.group(1) == "meta":
        raise ModelError(
            "{}: this is a checkpoint's .meta file, which has no weights. Give the checkpoint itself: {}.".format(
                path, prefix
            )
        )
    return prefix


def _no_index(path: str, prefix: str) -> str:
    if _ends_with_magic(prefix):
        return (
            "{}: this is a checkpoint in TensorFlow's old form (V1), which is not read. Load it with tf.train.Saver, save it "
            "with write_version=tf.train.SaverDef.V2.".format(prefix)
        )
    return "{}: there is no such checkpoint ({}.index is missing).".format(path, prefix)


def _ends_with_magic(path: str) -> bool:
    try:
        if not os.path.isfile(path) or os.path.getsize(path) < len(MAGIC):
            return False
        with open(path, "rb") as file:
            file.seek(-len(MAGIC), os.SEEK_END)
            return file.read() == MAGIC
    except (OSError, ValueError):
        return False


def _npz(path: str) -> Checkpoint:
    shapes: Dict[str, Tuple[int, ...]] = {}
    dtypes: Dict[str, str] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                name = plain_name(member[: -len(".npy")] if member.endswith(".npy") else member)
                if name in shapes:
                    raise ModelError("{}: it has two arrays named {!r}.".format(path, name))
                with archive.open(member) as file:
                    shapes[name], dtypes[name] = _npy_header(file)
    except FileNotFoundError:
        raise ModelError("{}: there is no such file.".format(path))
    except OSError as error:
        raise ModelError("{}: cannot be read ({}).".format(path, error.strerror or error))
    except ModelError:
        raise
    except Exception as error:  # The libraries raise anything for a damaged file, or one that is none.
        raise ModelError("{}: not an .npz, or a damaged one ({}).".format(path, error))
    return Checkpoint(path, NPZ, path, (path,), shapes, dtypes)


def _npy_header(file: IO[bytes]) -> Tuple[Tuple[int, ...], str]:
    """Shape and kind of an array in NumPy's format; its values are not read."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return tuple(int(size) for size in shape), str(dtype.name)
