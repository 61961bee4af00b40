"""The command line: parses, calls, prints. What it does is in `dispatcher/`."""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
from typing import Any, Container, Iterator, Optional

import click

from . import __version__
from .config import FIELDS, option_name, resolve, to_toml
from .dispatcher.run import dry_run, resume, run
from .dispatcher.summary import Summary
from .errors import EXIT_INTERRUPTED, EXIT_OK, DivaInferError

_EPILOG = """\b
Examples:
  divainfer run --model demo --images frames/ --out out/ --gpus cpu:2
  divainfer run --gpus 0,1,2,3 --model obj_v3.pb --images frames.lst --out out/
  find /data -name '*.jpg' | divainfer run --model obj_v3.pb --images - --out out/
  divainfer run --config night.toml --gpus all

\b
Exit codes:
  0 every image has a result     3 some images have a failure record instead
  1 the run could not go on      4 no engine came up
  2 something given is unusable  5 the folder holds a different run
  130 stopped by Ctrl-C or SIGTERM; after 1 and 130 the same command resumes
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="divainfer")
def main() -> None:
    """Runs a frozen detector over millions of images, on every GPU of this machine, and loses none."""


def _options(command: Any, left_out: Container[str] = ()) -> Any:
    """One option for each field of `RunConfig`; its value is checked there, so that all layers are checked alike."""
    for name, field in reversed(list(FIELDS.items())):
        if name in left_out:
            continue
        shown = field.default
        if field.metadata["auto"]:
            shown = "auto"
        help_text = field.metadata["help"]
        if isinstance(shown, bool):
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


@main.command("run", epilog=_EPILOG)
@_options
@click.option("--config", "config_file", metavar="FILE", default=None, help="TOML file with any of these options.")
@click.option("--print-config", is_flag=True, help="Print the configuration that results from all layers, and end.")
@click.option(
    "--dry-run", "dry", is_flag=True, help="Check everything, compute one batch on one worker, write nothing."
)
@click.option("--debug", is_flag=True, help="Show a traceback with an error, and the dispatcher's log.")
def run_command(config_file: Optional[str], print_config: bool, dry: bool, debug: bool, **options: Any) -> None:
    """Run a detector over images: one COCO JSON file each, in --out.

    Every option can also stand in a TOML file (--config; `short_edge_size = 1080`) or in the environment
    (DIVAINFER_SHORT_EDGE_SIZE=1080). The command line wins over the environment, that over the file, that over the default.
    Giving the same command again resumes where it ended.
    """
    with _reporting(debug):
        config = resolve(options, file=config_file)
        if print_config:
            click.echo(to_toml(config), nl=False)
            return
        summary = (dry_run if dry else run)(config, say=_say)
    if dry:
        for line in summary.lines():
            click.echo(line)
        click.echo("Dry run: nothing was written.")
        sys.exit(EXIT_OK if summary.results else summary.exit_code)
    _end(summary)


@main.command("resume")
@click.argument("folder", metavar="DIR")
@functools.partial(_options, left_out=("images", "out"))
@click.option("--debug", is_flag=True, help="Show a traceback with an error, and the dispatcher's log.")
def resume_command(folder: str, debug: bool, **options: Any) -> None:
    """Carry on the run in DIR, its output folder, from what the folder says; the list is not read anew.

    The options are those the run had; one given here takes its place. What decides the results must stay the same, as with
    `divainfer run`.
    """
    with _reporting(debug):
        summary = resume(folder, say=_say, **{name: value for name, value in options.items() if value is not None})
    _end(summary)


@contextlib.contextmanager
def _reporting(debug: bool) -> Iterator[None]:
    """Turns errors into one sentence and the documented exit code."""
    level = logging.INFO if debug else logging.WARNING
    logging.basicConfig(handlers=[_EchoHandler()], level=level, format="%(levelname)s: %(message)s")
    try:
        yield
    except KeyboardInterrupt:
        _say("Stopped before anything was computed.")
        sys.exit(EXIT_INTERRUPTED)
    except DivaInferError as error:
        if debug:
            logging.exception("traceback")
        _say("Error: {}".format(error))
        sys.exit(error.exit_code)


def _end(summary: Summary) -> None:
    """Prints what a run came to, and ends with its exit code."""
    for line in summary.lines():
        click.echo(line)
    if summary.interrupted:
        click.echo("Stopped; {:,} images are left. The same command resumes.".format(summary.left))
    elif summary.failures:
        click.echo("Reasons of the failures: {}/.divainfer/failures.jsonl".format(summary.out))
    sys.exit(summary.exit_code)


class _EchoHandler(logging.Handler):
    """Logs by way of `_say`, which the progress bar knows to make room for."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one record."""
        _say(self.format(record))


def _say(sentence: str) -> None:
    click.echo(sentence.encode("utf-8", "replace").decode("utf-8"), err=True)


if __name__ == "__main__":
    main()
