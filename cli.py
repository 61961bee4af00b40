"""The command line: parses, calls, prints. What it does is in the rooms.

Each command imports what it needs when it is called, where an early Ctrl-C is answered as a late one.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Container, Iterator, List, Optional

import click

from . import __version__
from .commandline import quoted
from .config import FIELDS, option_name, resolve, to_toml
from .console import ConsoleHandler, counted, one_line, say
from .dispatcher.interrupts import sigterm_as_ctrl_c
from .errors import (
    EXIT_FAILURES,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_RUN_FAILED,
    EXIT_UNSOUND,
    EXIT_USAGE,
    ConfigError,
    DivaInferError,
)
from .parameters import BatchSize, Duration

if TYPE_CHECKING:
    from .dispatcher.summary import Summary
    from .output.verify import Problem

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
_BEFORE_START = "Stopped before anything was computed."


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="divainfer")
def main() -> None:
    """Runs a frozen detector over millions of images, on every GPU of this machine, and loses none."""


def _options(command: Any, left_out: Container[str] = (), with_defaults: bool = True) -> Any:
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
    with _reporting(_BEFORE_START, debug):
        from . import dry_run, run

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


@main.command("resume", short_help="Carry on a run from its folder alone.")
@click.argument("folder", metavar="DIR")
@functools.partial(_options, left_out=("images", "out"), with_defaults=False)  # The default is what the run had.
@click.option("--debug", is_flag=True, help="Show a traceback with an error, and the dispatcher's log.")
def resume_command(folder: str, debug: bool, **options: Any) -> None:
    """Carry on the run in DIR, its output folder, from what the folder says; the list is not read anew.

    The options are those the run had; one given here takes its place. What decides the results must stay the same, as with
    `divainfer run`.
    """
    with _reporting(_BEFORE_START, debug):
        from . import resume

        summary = resume(folder, say=say, **{name: value for name, value in options.items() if value is not None})
    _end(summary)


@main.command("tune", short_help="Find the smallest setting that is as fast as any.")
@functools.partial(_options, left_out=("out", "retry", "force", "progress", "grace", "metrics_port", "report"))
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
    with _reporting("Stopped before anything was measured.", debug):
        from .tuning.report import report
        from .tuning.tuner import TuneOptions, tune

        config = resolve(options, file=config_file)
        fixed = frozenset(name for name in ("loaders", "streams", "batch_size") if options[name] is not None)
        tuned = tune(config, TuneOptions(out, seconds, budget, scratch, fixed), say)
        report(tuned, out, sys.stdout)
    sys.exit(EXIT_INTERRUPTED if tuned.interrupted else EXIT_OK)


@main.command("status")
@click.argument("folder", metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of sentences.")
def status_command(folder: str, as_json: bool) -> None:
    """Show how the run in DIR stands, while it goes on or after."""
    with _reporting():
        from . import status

        found = status(folder)
        for line in [json.dumps(found._asdict(), indent=2)] if as_json else found.lines():
            click.echo(line)


@main.command("monitor", short_help="Watch a run, in a terminal or a browser.")
@click.argument("folder", metavar="DIR")
@click.option("--once", is_flag=True, help="Show it once, and end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, and end.")
@click.option(
    "--serve", is_flag=False, flag_value="127.0.0.1:8000", metavar="[ADDRESS]",
    help="A page for browsers, until Ctrl-C, at this address and port.  [without one: 127.0.0.1:8000]",
)  # fmt: skip
def monitor_command(folder: str, once: bool, as_json: bool, serve: Optional[str]) -> None:
    """Watch the run in DIR while it goes on: how far, what each worker does, what bounds it. Ends with the run.

    A run that is over is shown once, as a whole.
    """
    if once + as_json + (serve is not None) > 1:
        raise click.UsageError("--once, --json and --serve are three ways to show the same; give one.")
    with _reporting():
        from .monitor.follow import follow, show_json, show_once
        from .monitor.watched import Watched

        watched = Watched(folder)
        with contextlib.suppress(KeyboardInterrupt):
            if serve is not None:
                from .page.server import serve_page

                serve_page(watched, serve, say)
            elif as_json:
                show_json(watched.look(), sys.stdout)
            elif once:
                show_once(watched.look(), sys.stdout)
            else:
                follow(watched, sys.stdout)


@main.command("failures", short_help="Show the images without a result, and why.")
@click.argument("folder", metavar="DIR")
@click.option("--kind", metavar="KIND", default="", help="Only failures of this kind, such as 'truncated'.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--paths", is_flag=True, help="The images' paths only, one a line: a list for --images.")
@click.option("-0", "--null", is_flag=True, help="With --paths: end each with a NUL byte, for names with newlines.")
def failures_command(folder: str, kind: str, as_json: bool, paths: bool, null: bool) -> None:
    """Show the images of the run in DIR that have no result, and why.

    `divainfer resume DIR --retry failed` does them once more.
    """
    if null and not paths:
        raise click.UsageError("-0 goes with --paths.")
    if as_json and paths:
        raise click.UsageError("--json and --paths are two ways to show the same; give one.")
    shown = False
    with _reporting():
        from . import failures

        for failed in failures(folder):
            if kind and failed.kind != kind:
                continue
            shown = True
            if paths:
                click.echo(os.fsencode(failed.image) + (b"\0" if null else b"\n"), nl=False)
            elif as_json:
                click.echo(json.dumps(failed._asdict()))
            else:
                click.echo("{}: {}: {}".format(one_line(failed.image), failed.kind, failed.reason))
                if failed.kind in ("crash", "engine"):
                    click.echo("    to see it again: {}".format(failed.repeat))
    if not shown:
        say("No failure{}.".format(" of the kind {!r}".format(kind) if kind else ""))


@main.command("report", short_help="Write the report of a run, or of two side by side.")
@click.argument("folder", metavar="DIR")
@click.argument("other", metavar="[DIR2]", required=False)
@click.option(
    "-o", "--output", "file", metavar="FILE", default=None, help="The page.  [default: DIR/.divainfer/report.html]"
)
def report_command(folder: str, other: Optional[str], file: Optional[str]) -> None:
    """Write the report of the run in DIR as one HTML file, while it goes on or after: figures, charts, pictures, the verdict.

    With a second folder: both runs side by side, in DIR/.divainfer/comparison.html.
    """
    with _reporting():
        from . import report

        path = report(folder, other, file)
        click.echo(one_line(path))


@main.command("verify", short_help="Check each result against the ledger.")
@click.argument("folder", metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="One JSON object at the end instead of sentences.")
@click.option("--repair", "mend", is_flag=True, help="Have lost and changed results made again by the next start.")
def verify_command(folder: str, as_json: bool, mend: bool) -> None:
    """Check the run in DIR: each listed image exactly once, each result whole and as it was written.

    Exit code 0 when it is complete and sound (an image with a failure record counts as done), else 6.
    """
    problems: List[Problem] = []

    def found(problem: Problem) -> None:
        if not as_json:
            click.echo("{}: {}".format(one_line(problem.path), problem.what))
        problems.append(problem)

    with _reporting():
        from . import verify
        from .output.repair import repair

        state = verify(folder, found)
        lost = [(problem.start, problem.stop) for problem in problems if problem.start < problem.stop]
        if mend and lost:
            opened = repair(folder, lost, say)
            say("To be done again: {}. divainfer resume {}".format(counted(opened, "image"), quoted(folder)))
    if as_json:
        plain = dict(state._asdict(), sound=state.sound, problems=[problem._asdict() for problem in problems])
        click.echo(json.dumps(plain, indent=2))
    else:
        click.echo(
            "{}: {}, {}, {:,} to do; {}".format(
                *map(counted, state[:3], ("image", "result", "failure")),
                state[3],
                counted(len(problems), "problem") if problems else "not complete" if state.open else "no problem",
            )
        )
    sys.exit(EXIT_OK if state.sound else EXIT_UNSOUND)


@main.command("merge", short_help="Merge the results into one COCO file.")
@click.argument("folder", metavar="DIR")
@click.argument("target", metavar="FILE")
@click.option("--bare", is_flag=True, help="The plain list that COCO.loadRes takes, without images and categories.")
def merge_command(folder: str, target: str, bare: bool) -> None:
    """Merge the results of the run in DIR into one COCO file: images, categories, annotations with scores."""
    with _reporting():
        from . import merge

        merged = merge(folder, target, bare)
    click.echo("{}: {}, {}".format(target, counted(merged.images, "image"), counted(merged.annotations, "annotation")))
    if merged.left_out:
        click.echo("Without a result (failed, or to do) and left out: {}.".format(counted(merged.left_out, "image")))


@main.command("draw", short_help="Draw what was found on some images.")
@click.argument("folder", metavar="DIR")
@click.argument("images", metavar="[IMAGE]...", nargs=-1)
@click.option("--out", default="", metavar="FOLDER", help="Where the pictures go.  [default: DIR/.divainfer/drawn]")
@click.option(
    "--sample", type=click.IntRange(1), metavar="N",
    help="How many, spread evenly.  [default: 20, or all that are named]",
)  # fmt: skip
@click.option("--list", "list_file", default="", metavar="FILE", help="A file with names of images, one a line.")
@click.option("--sheet", default="", metavar="FILE.jpg", help="All of them small, on contact sheets.")
@click.option("--min-score", type=click.FloatRange(0, 1), default=0.5, show_default=True, metavar="SCORE")
@click.option("--classes", default="", metavar="NAMES", help="Only these classes, names or ids joined by commas.")
def draw_command(
    folder: str, images: List[str], out: str, sample: Optional[int], list_file: str, sheet: str, min_score: float, classes: str
) -> None:  # fmt: skip
    """Draw what the run in DIR found, on an even sample of its images or on those named.

    An IMAGE is a path as it was listed (relative: from here, or from the folder that all images share), a frame of a video
    (cam.mp4/00000012), or a video, for its frames. With --sheet alone only the sheet is written. Exit code 3 when some
    images could not be drawn.
    """
    with _reporting():
        from . import draw

        words = [word.strip() for word in classes.split(",") if word.strip()]
        drawn = draw(folder, out, sample, images, list_file, sheet, min_score, words, say)
    for place in ([drawn.folder] if drawn.folder else []) + drawn.sheets:
        click.echo("{}: {} drawn".format(one_line(place), counted(drawn.images, "image")))
    if drawn.left_out:
        say("{} could not be drawn.".format(counted(drawn.left_out, "image")))
    sys.exit(EXIT_FAILURES if drawn.left_out else EXIT_OK)


@main.command("inspect", short_help="Show what a model is, and where it will run.")
@click.argument("model", metavar="MODEL")
@click.option("--engine", default="", metavar="TEXT", help="As for `run`: tensorflow:use_dilation=true and the like.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of sentences.")
def inspect_command(model: str, engine: str, as_json: bool) -> None:
    """Show what MODEL is (a frozen graph, a checkpoint or a SavedModel), and what will and will not run where.

    Only what the files show is said; nothing is loaded.
    """
    with _reporting():
        from .engines import TENSORFLOW, parse_engine
        from .modelfile.inspection import inspect_model

        name, options = parse_engine(engine or TENSORFLOW)
        if name != TENSORFLOW:
            raise ConfigError("--engine {}: what that engine takes for a model is its own to know.".format(name))
        found = inspect_model(model, options)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    else:
        for line in found.lines():
            click.echo(one_line(line))
    sys.exit(EXIT_USAGE if found.refusal else EXIT_OK)


class _FreezeCommand(click.Command):
    """Takes the 2019 program's spellings as well."""

    def parse_args(self, ctx: click.Context, args: List[str]) -> List[str]:
        from .model.spelling2019 import translate

        translated = translate(args)
        for note in translated.notes:
            say(note)
        if translated.refused:
            raise click.UsageError("This cannot be frozen: {}.".format(", ".join(translated.refused)))
        return super().parse_args(ctx, translated.arguments)


_SIZE = click.IntRange(32, 1 << 16)


@main.command("freeze", cls=_FreezeCommand, short_help="Make a frozen graph and its card of a checkpoint.")
@click.option("--load-from", default="", metavar="CHECKPOINT", help="A training folder, a prefix in it, or an .npz.")
@click.option("--random-weights", type=int, metavar="SEED", help="Instead of a checkpoint: for benchmarks.")
@click.option(
    "--out", required=True, metavar="FILE", help="The graph, such as obj_v3.pb; obj_v3.config.json goes beside it."
)
@click.option("--name", default="", metavar="TEXT", help="Name of the model in its card.  [default: of the file]")
@click.option("--num-class", type=click.IntRange(2, 1 << 16), metavar="N", help="Classes, the background included.")
@click.option(
    "--class-list", default="", metavar="LIST", help="diva, coco, or a file with one a line, the background first."
)
@click.option("--resnet", type=click.Choice(["50", "101", "152"]), help="Depth of the backbone.")
@click.option(
    "--use-dilation/--no-use-dilation", default=None, help="Whether the last group is dilated; no variable tells."
)
@click.option("--class-agnostic/--no-class-agnostic", default=None, help="Whether all classes share one box.")
@click.option(
    "--rpn-test-post-nms-topk", type=click.IntRange(1, 10000), metavar="N", help="Proposals.  [default: 1000]"
)
@click.option("--max-size", type=_SIZE, metavar="PIXELS", help="Longest edge of a frame.  [default: 1920]")
@click.option("--short-edge-size", type=_SIZE, metavar="PIXELS", help="Short edge of a frame.  [default: 1080]")
@click.option("--im-batch-size", type=BatchSize(), help="Frames a step; 'any' takes what it gets.  [default: 1]")
@click.option(
    "--layout",
    type=click.Choice(["NCHW", "NHWC"]),
    default="NCHW",
    show_default=True,
    help="NCHW is for GPUs, NHWC for CPUs; either runs on both.",
)
@click.option("--features", is_flag=True, help="Add the output fpn_box_feat, the features of the boxes, for trackers.")
def freeze_command(resnet: Optional[str], **options: Any) -> None:
    """Make a frozen graph (.pb) and its card of a checkpoint of the 2019 detector or of tensorpack's.

    What the variables tell (depth, classes, kind of head) need not be given. The 2019 program's spellings (--num_class,
    --diva_class3, --pack_model_path, ...) are understood.
    """
    with _reporting():
        from .model.freeze import FreezeOptions, freeze

        frozen = freeze(FreezeOptions(resnet=int(resnet) if resnet else None, **options), say)
    for line in frozen.lines():
        click.echo(line)


@contextlib.contextmanager
def _reporting(interrupted: str = "Stopped.", debug: bool = False) -> Iterator[None]:
    """Turns errors into one sentence and the documented exit code; `interrupted` is what is said of Ctrl-C and SIGTERM."""
    level = logging.INFO if debug else logging.WARNING
    form = "%(asctime)s %(levelname)s: %(message)s"
    logging.basicConfig(handlers=[ConsoleHandler()], level=level, format=form, datefmt="%H:%M:%S")
    try:
        with sigterm_as_ctrl_c():
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


def _end(summary: "Summary") -> None:
    """Prints what a run came to, and ends with its exit code."""
    # All is done and written: a late Ctrl-C, which Python would end by once more, must not hide how it ended.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
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


if __name__ == "__main__":
    main()
