"""One process of a contestant: `python -m peers.launch NAME DEVICE`, with the task on standard input."""

from __future__ import annotations

import importlib
import sys

from peers.task import Task


def main() -> None:
    """Does the whole job, or that of one device."""
    name, device = sys.argv[1:]
    task = Task.from_json(sys.stdin.read())
    contestant = importlib.import_module("peers." + name)
    if hasattr(contestant, "run"):
        contestant.run(task)
    else:
        contestant.feed(task, int(device))


if __name__ == "__main__":
    main()
