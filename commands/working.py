"""The commands that compute: run, resume, tune."""

from __future__ import annotations

import contextlib
import functools
import sys
from typing import TYPE_CHECKING, Any, Optional

import click

from ..commandline import quoted
from ..config import resolve, to_toml
from ..console import counted, say
from ..dispatcher.interrupts import let_nothing_interrupt
from ..errors import EXIT_INTERRUPTED, EXIT_OK
from ..parameters import Duration
from .common import run_options, telling_errors

if TYPE_CHECKING:
    from ..dispatcher.summary import Summary

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
  130 stopped by Ctrl-C, SIGTERM or SIGHUP; after 1 and 130 the same command resumes
"""
_BEFORE_START = "Stopped before anything was computed."


@click.command("run", epilog=_EPILOG)
@run_options
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
    with telling_errors(_BEFORE_START, debug):
        from .. import dry_run, run

        config = resolve(options, file=config_file)
        if print_config:
            click.echo(to_toml(config), nl=False)
            return
        summary = (dry_run if dry else run)(config, say=say)
    if dry:
        for line in summary.lines():
            click.echo(line)
        click.echo("Dry run: nothing was written.")
        sys.exit(EXIT_OK if summary.results else summary.exit_code)
    _end(summary)


@click.command("resume", short_help="Carry on a run from its folder alone.")
@click.argument("folder", metavar="DIR")
@functools.partial(run_options, left_out=("images", "out"), with_defaults=False)  # The default is what the run had.
@click.option("--debug", is_flag=True, help="Show a traceback with an error, and the dispatcher's log.")
def resume_command(folder: str, debug: bool, **options: Any) -> None:
    """Carry on the run in DIR, its output folder, from what the folder says; the list is not read anew.

    The options are those the run had; one given here takes its place. What decides the results must stay the same, as with
    `divainfer run`.
    """
    with telling_errors(_BEFORE_START, debug):
        from .. import resume

        summary = resume(folder, say=say, **{name: value for name, value in options.items() if value is not None})
    _end(summary)


@click.command("tune", short_help="Find the smallest setting that is as fast as any.")
@functools.partial(run_options, left_out=("out", "retry", "force", "progress", "grace", "metrics_port", "report"))
@click.option("--config", "config_file", metavar="FILE", default=None, help="TOML file with any options of `run`.")
@click.option(
    "--out", default="divainfer-tune.toml", show_default=True, metavar="FILE",
    help="TOML file for `run --config`; all trials go beside it as .json, a plot as .svg.",
)  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(0.1, 3600), default=5.0, show_default=True, metavar="N",
    help="How long each trial is looked at once it runs steadily.",
)  # fmt: skip
@click.option("--budget", type=Duration(), default="10m", show_default=True, help="Time for all trials together.")
@click.option(
    "--scratch", default="", metavar="DIR",
    help="Folder on the disk that a run's results would go to; those of the trials are removed again.  [default: "
    "beside the output folder, where --config names one; else the system's temporary folder]",
)  # fmt: skip
@click.option("--debug", is_flag=True, help="Show a traceback with an error, and the dispatcher's log.")
def tune_command(
    config_file: Optional[str], out: str, seconds: float, budget: float, scratch: str, debug: bool, **options: Any
) -> None:
    """Measure on a sample of your images which --loaders, --streams and --batch-size are best, and write them as TOML.

    First what the engine and the loaders reach alone, then runs of those settings that can matter; the smallest one within 2 %
    of the best is chosen. Of these three options, one that is given on the command line stays as it is. Ctrl-C keeps what was
    measured.
    """
    with telling_errors("Stopped before anything was measured.", debug):
        from ..tuning.report import report
        from ..tuning.tuner import TuneOptions, tune

        config = resolve(options, file=config_file)
        fixed = frozenset(name for name in ("loaders", "streams", "batch_size") if options[name] is not None)
        tuned = tune(config, TuneOptions(out, seconds, budget, scratch, fixed), say)
        report(tuned, out, sys.stdout)
    sys.exit(EXIT_INTERRUPTED if tuned.interrupted else EXIT_OK)


def _end(summary: "Summary") -> None:
    """Prints what a run came to, and ends with its exit code."""
    # All is done and written: a late Ctrl-C, which Python would end by once more, must not hide how it ended.
    let_nothing_interrupt()
    lines = summary.lines()
    if summary.interrupted:
        lines.append("Stopped with {} left. The same command resumes.".format(counted(summary.left, "image")))
    elif summary.failures:
        text = "Why: divainfer failures {0}. Once more: divainfer resume {0} --retry failed"
        lines.append(text.format(quoted(summary.out)))
    with contextlib.suppress(OSError):  # Whoever listened is gone, or has a full disk.
        for line in lines:
            click.echo(line)
    sys.exit(summary.exit_code)
