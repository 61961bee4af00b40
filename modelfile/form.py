"""The form of a model on disk: a frozen graph, a checkpoint or a SavedModel."""

from __future__ import annotations

import glob
import os

from ..errors import ModelError
from .checkpoint import CHECKPOINT, is_checkpoint

FROZEN, SAVED_MODEL = "frozen graph", "SavedModel"

#: The file that makes a folder a SavedModel.
SAVED_MODEL_FILE = "saved_model.pb"


def model_form(path: str) -> str:
    """Which form a model has.

    Args:
        path: a file, a folder, or a checkpoint's prefix.

    Returns:
        FROZEN, CHECKPOINT or SAVED_MODEL. Whatever is not one of the other two is FROZEN: whether it is a graph, and there
        at all, shows when it is read.

    Raises:
        ModelError: one sentence, when it is a folder that holds no model.
    """
    # No path has such a byte, and Python 3.7 would fail at the first question about it.
    if "\0" in path:
        return FROZEN
    if os.path.isfile(os.path.join(path, SAVED_MODEL_FILE)):
        return SAVED_MODEL
    if is_checkpoint(path):
        return CHECKPOINT
    if os.path.isdir(path):
        raise ModelError(_no_model(path))
    return FROZEN


def _no_model(folder: str) -> str:
    if os.path.isfile(os.path.join(folder, SAVED_MODEL_FILE + "txt")):
        return "{}: this is a SavedModel in text form, which is not read; save it again with as_text=False.".format(
            folder
        )
    files = sorted(
        os.path.basename(path)
        for ending in (".pb", ".npz")
        for path in glob.glob(os.path.join(glob.escape(folder), "*" + ending))
    )
    if files:
        return "{}: this is a folder; give the model in it: {}.".format(folder, os.path.join(folder, files[0]))
    return "{}: this folder is neither a SavedModel (it has no {}) nor does it hold a checkpoint (no file *.index).".format(
        folder, SAVED_MODEL_FILE
    )
