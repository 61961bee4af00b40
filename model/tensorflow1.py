"""TensorFlow, imported where it is needed and nowhere else; the same sentence wherever that fails.

Graph code uses only names of `tensorflow.compat.v1`, which TensorFlow 1.14 and 2 both have.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

from ..errors import EngineBootError

_MESSAGE = 300


def import_tensorflow(quiet: bool = False) -> Any:
    """The module `tensorflow`.

    Args:
        quiet: for a command's own process: no word about CPU features and deprecated names. Workers have logs for that.

    Raises:
        EngineBootError: when it cannot be imported, with the command that installs it.
    """
    if quiet:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with warnings.catch_warnings():
            # 1.14 greets newer NumPy releases with a page of these.
            warnings.simplefilter("ignore", FutureWarning)
            import tensorflow as tf
    except Exception as error:  # A broken installation raises TypeError and others too.
        command = (
            '"divainfer[cpu]" or "divainfer[gpu]"' if sys.version_info >= (3, 8) else "--force-reinstall divainfer"
        )
        raise EngineBootError(
            "TensorFlow cannot be imported ({}). Install it: pip install {}.".format(first_line(error), command)
        )
    if quiet:
        tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    return tf


def first_line(error: BaseException) -> str:
    """What one of TensorFlow's errors says, without the page around it."""
    message = str(getattr(error, "message", None) or error).strip() or repr(error)
    lines = message.splitlines()
    if lines[0].startswith("Graph execution error"):
        # TensorFlow 2 puts a stack trace first; what happened follows the line with the node's name.
        after = [index + 1 for index, line in enumerate(lines[:-1]) if line.startswith("Node: ")]
        lines = lines[after[0] :] if after else lines
    return lines[0][:_MESSAGE]
