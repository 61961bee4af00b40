"""`python -m divainfer.reporting`: writes a report, started by the dispatcher with its orders on standard input."""

from __future__ import annotations

import os
import sys

from ..boot import ReportOrders, read_orders
from ..errors import DivaInferError


def main() -> int:
    """Writes it; returns the exit status."""
    # Before the large imports, so that a process does not outlive its parent while it imports.
    orders = read_orders(ReportOrders)
    from .report import report

    try:
        report(orders.out)
    except DivaInferError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # Whatever still reads an image, from a disk that hangs, is not waited for.
    os._exit(status)
