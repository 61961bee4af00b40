"""Opens images again whose results were lost or changed, so that the next start does them."""

from __future__ import annotations

from typing import Callable, Iterable

from ..errors import OutputError
from ..ledger import OPEN, RESULT, Ledger, replay
from ..lock import RunLock
from ..runfolder import RunFolder
from ..runrecord import read_run_record
from .verify import Problem


def repair(out: str, problems: Iterable[Problem], say: Callable[[str], None]) -> int:
    """Notes in the ledger that the results named by `verify` are to be made again.

    Args:
        out: the output folder.
        problems: what `verify` found; those that cost no result are passed over.
        say: takes a sentence for the operator.

    Returns:
        How many images are to be done again.

    Raises:
        OutputError: when a run is at work on the folder, or the ledger cannot be written.
    """
    folder = RunFolder(out)
    total = read_run_record(folder).listing.count
    with RunLock(folder, say):
        before = replay(folder.ledger, total)
        try:
            ledger = Ledger(folder.ledger, before.size)
            for problem in problems:
                if problem.start < problem.stop:
                    ledger.open_again(problem.start, problem.stop - problem.start, RESULT)
            ledger.commit()
            ledger.close()
        except OSError as error:
            raise OutputError("{}: it cannot be written ({}).".format(folder.ledger, error.strerror))
        return replay(folder.ledger, total).count(OPEN) - before.count(OPEN)
