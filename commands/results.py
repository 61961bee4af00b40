"""The commands that use the results as a whole: verify, merge."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, List

import click

from ..commandline import quoted
from ..console import counted, one_line, say
from ..errors import EXIT_OK, EXIT_UNSOUND
from .common import telling_errors

if TYPE_CHECKING:
    from ..output.verify import Problem


@click.command("verify", short_help="Check each result against the ledger.")
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

    with telling_errors():
        from .. import verify
        from ..output.repair import repair

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


@click.command("merge", short_help="Merge the results into one COCO file.")
@click.argument("folder", metavar="DIR")
@click.argument("target", metavar="FILE")
@click.option("--bare", is_flag=True, help="The plain list that COCO.loadRes takes, without images and categories.")
def merge_command(folder: str, target: str, bare: bool) -> None:
    """Merge the results of the run in DIR into one COCO file: images, categories, annotations with scores."""
    with telling_errors():
        from .. import merge

        merged = merge(folder, target, bare)
    click.echo("{}: {}, {}".format(target, counted(merged.images, "image"), counted(merged.annotations, "annotation")))
    if merged.left_out:
        click.echo("Without a result (failed, or to do) and left out: {}.".format(counted(merged.left_out, "image")))
