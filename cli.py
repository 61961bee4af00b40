"""The command line.

Each command imports what it needs when it is called, where an early Ctrl-C is answered as a late one.
"""

from __future__ import annotations

import click

from . import __version__
from .commands import looking, models, results, working


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="divainfer")
def main() -> None:
    """Runs a frozen detector over millions of images, on every GPU of this machine, and loses none."""


for command in (
    working.run_command,
    working.resume_command,
    working.tune_command,
    looking.status_command,
    looking.monitor_command,
    looking.failures_command,
    looking.report_command,
    looking.draw_command,
    results.verify_command,
    results.merge_command,
    models.inspect_command,
    models.freeze_command,
):
    main.add_command(command)


if __name__ == "__main__":
    main()
