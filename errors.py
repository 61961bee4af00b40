"""What can go wrong, as one tree; each error is a sentence for the operator and knows its exit code.

The sentence says what is wrong, with which file or device, and what to do. The command line prints it and exits with
`exit_code`; no traceback, unless `--debug` asks for it.
"""

from __future__ import annotations

#: Every listed image has a result.
EXIT_OK = 0
#: The run ended early for a reason of its own (no worker left, disk full). The same command resumes it.
EXIT_RUN_FAILED = 1
#: The command, its input or its output folder cannot be used; nothing was started.
EXIT_USAGE = 2
#: Every listed image has a result or a failure record, and there is at least one failure.
EXIT_FAILURES = 3
#: No engine came up (model, driver or library at fault). Nothing was computed.
EXIT_BOOT = 4
#: The run folder belongs to a different run; nothing was started.
EXIT_MISMATCH = 5
#: `divainfer verify`: results are missing, damaged or not those that were written.
EXIT_UNSOUND = 6
#: Stopped by Ctrl-C or SIGTERM. The same command resumes it.
EXIT_INTERRUPTED = 130


class DivaInferError(Exception):
    """Base of all errors of this package; `str(error)` is the operator's sentence."""

    exit_code = EXIT_RUN_FAILED


class UsageError(DivaInferError):
    """Something the operator gave cannot be used: an option, a file, a folder, a device."""

    exit_code = EXIT_USAGE


class ConfigError(UsageError):
    """An option has an unusable value, or a configuration file or variable is wrong."""


class ImageListError(UsageError):
    """The image list cannot be read, is empty, or its results would overwrite each other."""


class ModelError(UsageError):
    """The model file or its card cannot be used."""


class DeviceError(UsageError):
    """A device that was asked for is not there."""


class OutputError(UsageError):
    """The output folder cannot be written, or another run holds it."""


class MismatchError(DivaInferError):
    """The output folder holds a run with another fingerprint."""

    exit_code = EXIT_MISMATCH


class EngineBootError(DivaInferError):
    """An engine did not come up; the message is the engine's own."""

    exit_code = EXIT_BOOT


class EngineError(DivaInferError):
    """An engine failed on a batch."""


class EngineOutOfMemory(EngineError):
    """A batch did not fit into the device's memory."""


class RunFailed(DivaInferError):
    """The run cannot go on; what is in the ledger stays, and the same command resumes."""


class ProtocolError(DivaInferError):
    """A message on a socket, or a record on disk, is not one of ours."""
