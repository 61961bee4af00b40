"""The commands that show a run: status, monitor, failures, report, draw."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import List, Optional

import click

from ..console import counted, one_line, say
from ..errors import EXIT_FAILURES, EXIT_OK
from .common import telling_errors


@click.command("status")
@click.argument("folder", metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of sentences.")
def status_command(folder: str, as_json: bool) -> None:
    """Show how the run in DIR stands, while it goes on or after."""
    with telling_errors():
        from .. import status

        found = status(folder)
        for line in [json.dumps(found._asdict(), indent=2)] if as_json else found.lines():
            click.echo(line)


@click.command("monitor", short_help="Watch a run, in a terminal or a browser.")
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
    with telling_errors():
        from ..monitor.follow import follow, show_json, show_once
        from ..monitor.watched import Watched

        watched = Watched(folder)
        with contextlib.suppress(KeyboardInterrupt):
            if serve is not None:
                from ..page.server import serve_page

                serve_page(watched, serve, say)
            elif as_json:
                show_json(watched.look(), sys.stdout)
            elif once:
                show_once(watched.look(), sys.stdout)
            else:
                follow(watched, sys.stdout)


@click.command("failures", short_help="Show the images without a result, and why.")
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
    with telling_errors():
        from .. import failures

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


@click.command("report", short_help="Write the report of a run, or of two side by side.")
@click.argument("folder", metavar="DIR")
@click.argument("other", metavar="[DIR2]", required=False)
@click.option(
    "-o", "--output", "file", metavar="FILE", default=None, help="The page.  [default: DIR/.divainfer/report.html]"
)
def report_command(folder: str, other: Optional[str], file: Optional[str]) -> None:
    """Write the report of the run in DIR as one HTML file, while it goes on or after: figures, charts, pictures, the verdict.

    With a second folder: both runs side by side, in DIR/.divainfer/comparison.html.
    """
    with telling_errors():
        from .. import report

        path = report(folder, other, file)
        click.echo(one_line(path))


@click.command("draw", short_help="Draw what was found on some images.")
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
    with telling_errors():
        from .. import draw

        words = [word.strip() for word in classes.split(",") if word.strip()]
        drawn = draw(folder, out, sample, images, list_file, sheet, min_score, words, say)
    for place in ([drawn.folder] if drawn.folder else []) + drawn.sheets:
        click.echo("{}: {} drawn".format(one_line(place), counted(drawn.images, "image")))
    if drawn.left_out:
        say("{} could not be drawn.".format(counted(drawn.left_out, "image")))
    sys.exit(EXIT_FAILURES if drawn.left_out else EXIT_OK)
