"""`python -m divainfer.loader`: a loader process, started by the dispatcher with its orders on standard input."""

from __future__ import annotations

import sys

from ..boot import LoaderOrders, read_orders


def main() -> None:
    """Works until it is killed."""
    # Before the large imports, so that a process does not outlive its parent while it imports.
    orders = read_orders(LoaderOrders)
    from .loader import Loader

    sys.exit(Loader(orders).run())


if __name__ == "__main__":
    main()
