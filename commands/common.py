"""What commands share: the options of a run, and how errors are told."""

from __future__ import annotations

import contextlib
import errno
import logging
import sys
from typing import Any, Container, Iterator

import click

from ..config import FIELDS, option_name
from ..console import ConsoleHandler, say
from ..dispatcher.interrupts import signals_as_ctrl_c
from ..errors import EXIT_INTERRUPTED, EXIT_RUN_FAILED, DivaInferError


def run_options(command: Any, left_out: Container[str] = (), with_defaults: bool = True) -> Any:
    """One option for each field of `RunConfig`; its value is checked there, so that all layers are checked alike."""
    for name, field in reversed(list(FIELDS.items())):
        if name in left_out:
            continue
        shown = field.default
        if field.metadata["auto"]:
            shown = "auto"
        if not with_defaults:
            shown = ""
        help_text = field.metadata["help"]
        if isinstance(field.default, bool):
            command = click.option(
                "{0}/--no-{1}".format(option_name(name), option_name(name)[2:]), name, default=None, help=help_text
            )(command)
            continue
        if shown not in ("", ()):
            help_text += "  [default: {}]".format(shown)
        command = click.option(
            option_name(name), name, metavar=field.metadata["metavar"], default=None, help=help_text
        )(command)
    return command


@contextlib.contextmanager
def telling_errors(interrupted: str = "Stopped.", debug: bool = False) -> Iterator[None]:
    """Turns errors into one sentence and the documented exit code; `interrupted` is what is said of Ctrl-C and the like."""
    level = logging.INFO if debug else logging.WARNING
    form = "%(asctime)s %(levelname)s: %(message)s"
    logging.basicConfig(handlers=[ConsoleHandler()], level=level, format=form, datefmt="%H:%M:%S")
    try:
        with signals_as_ctrl_c():
            yield
    except KeyboardInterrupt:
        say(interrupted)
        sys.exit(EXIT_INTERRUPTED)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # Whoever read has enough; click ends silently.
        say("Error: {}".format(error))
        sys.exit(EXIT_RUN_FAILED)
    except DivaInferError as error:
        if debug:
            logging.exception("traceback")
        say("Error: {}".format(error))
        sys.exit(error.exit_code)
