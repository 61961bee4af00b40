"""Who feeds an expensive device best? divainfer beside its peers, on the same frames and the same engine.

    python benchmarks/peers [--quick] [--rows 1920x1080:40:4 ...] [--contestants serial ours ...] [--rounds 3] [--seconds 4]

A row is SIZE:ENGINE:DEVICES. ENGINE is the milliseconds that a frame occupies an emulated device, without using the CPU, or
"demo", the detector that comes with divainfer, on the CPU. Each contestant runs in processes of its own and is measured from
outside, all the same way; those whose tools are not installed are left out (pip install "divainfer[peers]" installs them).
Rounds are interleaved, figures are medians. Writes peers.json and peers.svg (peers-quick with --quick), and prints the
table. What the columns mean is told in docs/explanation/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict

BENCHMARKS = Path(__file__).resolve().parents[1]

# Started as a folder or with -m, this is no part of a package yet.
sys.path[:] = [str(BENCHMARKS)] + [entry for entry in sys.path if entry != str(Path(__file__).parent)]

from common import machine, memory_folder  # noqa: E402

from peers.contest import CONTESTANTS, Contest, Trial, load_contestants  # noqa: E402
from peers.harness import adopt_orphans  # noqa: E402
from peers.report import medians, plot, table  # noqa: E402
from peers.task import Row  # noqa: E402

ROWS = [
    *("1920x1080:160:1", "1920x1080:160:8", "1920x1080:40:1", "1920x1080:40:4", "1920x1080:10:1", "1920x1080:10:8"),
    *("1920x1080:4:1", "1920x1080:0:1", "256x256:4:1", "256x256:4:4", "256x256:0:1", "1920x1080:demo:1"),
    "1920x1080:demo:2",
]
QUICK_ROWS = ["1920x1080:40:1", "256x256:4:1"]
_QUICK_SECONDS = 1.0


def main() -> None:
    """Runs the contest."""
    parser = argparse.ArgumentParser(
        prog="peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="two rows, one short round, no search for the best loaders"
    )
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="the rows; otherwise {}".format(" ".join(ROWS)))
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--rounds", type=int, help="otherwise 3")
    parser.add_argument("--seconds", type=float, help="length of a trial that is fed at the limit; otherwise 4")
    parser.add_argument("--out", type=Path, default=BENCHMARKS / "out")
    options = parser.parse_args()
    try:
        rows = [Row.parse(text) for text in options.rows or (QUICK_ROWS if options.quick else ROWS)]
    except ValueError as error:
        parser.error("--rows: {}".format(error))
    rounds = options.rounds or (1 if options.quick else 3)
    seconds = options.seconds or (_QUICK_SECONDS if options.quick else 4.0)
    options.out.mkdir(parents=True, exist_ok=True)
    contestants = load_contestants(options.contestants, _say)
    adopt_orphans()
    # As Ctrl-C: what runs is killed, and the frames are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # What it costs to make a file is the same for all, and may be ten times the rest.
    with tempfile.TemporaryDirectory(prefix="peers-", dir=memory_folder()) as scratch:
        contest = Contest(contestants, seconds, not options.quick, Path(scratch), _say)
        trials = contest.run(rows, rounds)
    entries = medians(trials, {name: contestant.TITLE for name, contestant in contestants.items()})
    result = {
        "machine": dict(machine(), tools=_versions(contestants)),
        "seconds": seconds,
        "rounds": rounds,
        "medians": entries,
        "trials": [_plain(trial) for trial in trials],
    }
    # The short form must not replace the figures of hours.
    stem = str(options.out / ("peers-quick" if options.quick else "peers"))
    Path(stem + ".json").write_text(json.dumps(result, indent=2) + "\n")
    plot(entries, Path(stem + ".svg"))
    print(
        "\n{}\n\nWritten: {}.json, {}.svg. The columns are told in docs/explanation/benchmarks.md.".format(
            table(entries), stem, stem
        )
    )


def _plain(trial: Trial) -> Dict[str, Any]:
    measured = trial.measured and trial.measured._asdict()
    return dict(trial._asdict(), row=str(trial.row), decoding=trial.decoding._asdict(), measured=measured)


def _versions(contestants: Dict[str, Any]) -> Dict[str, str]:
    tools = sorted({tool for contestant in contestants.values() for tool in contestant.NEEDS})
    return {tool: _version(tool) for tool in tools}


def _version(tool: str) -> str:
    # In a process of its own: some talk a lot when they are imported.
    command = [sys.executable, "-c", "import {0}; print({0}.__version__)".format(tool)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.decode().strip()


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
