"""`python -m divainfer.worker`: a worker process, started by the dispatcher with its orders on standard input."""

from __future__ import annotations

import os
import sys

from ..boot import WorkerOrders, read_orders
from .worker import Worker


def main() -> None:
    """Works and ends the process."""
    status = Worker(read_orders(WorkerOrders)).run()
    sys.stderr.flush()
    # An engine stuck in a library must not keep the process, nor a driver's clean-up end it with a crash after success.
    os._exit(status)


if __name__ == "__main__":
    main()
