"""`python -m divainfer.worker`: a worker process, started by the dispatcher with its orders on standard input."""

from __future__ import annotations

import os
import sys

from ..boot import WorkerOrders, read_orders


def main() -> None:
    """Works and ends the process."""
    # Before the large imports, so that a process does not outlive its parent while it imports.
    orders = read_orders(WorkerOrders)
    from .worker import Worker

    status = Worker(orders).run()
    sys.stderr.flush()
    # An engine stuck in a library must not keep the process, nor a driver's clean-up end it with a crash after success.
    os._exit(status)


if __name__ == "__main__":
    main()
