"""The commands about models: inspect, freeze."""

from __future__ import annotations

import json
import sys
from typing import Any, List, Optional

import click

from ..console import one_line, say
from ..errors import EXIT_OK, EXIT_USAGE, ConfigError
from ..parameters import BatchSize
from .common import telling_errors


@click.command("inspect", short_help="Show what a model is, and where it will run.")
@click.argument("model", metavar="MODEL")
@click.option("--engine", default="", metavar="TEXT", help="As for `run`: tensorflow:use_dilation=true and the like.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of sentences.")
def inspect_command(model: str, engine: str, as_json: bool) -> None:
    """Show what MODEL is (a frozen graph, a checkpoint or a SavedModel), and what will and will not run where.

    Only what the files show is said; nothing is loaded.
    """
    with telling_errors():
        from ..engines import TENSORFLOW, parse_engine
        from ..modelfile.inspection import inspect_model

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
        from ..model.spelling2019 import translate

        translated = translate(args)
        for note in translated.notes:
            say(note)
        if translated.refused:
            raise click.UsageError("This cannot be frozen: {}.".format(", ".join(translated.refused)))
        return super().parse_args(ctx, translated.arguments)


_SIZE = click.IntRange(32, 1 << 16)


@click.command("freeze", cls=_FreezeCommand, short_help="Make a frozen graph and its card of a checkpoint.")
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
    with telling_errors():
        from ..model.freeze import FreezeOptions, freeze

        frozen = freeze(FreezeOptions(resnet=int(resnet) if resnet else None, **options), say)
    for line in frozen.lines():
        click.echo(line)
