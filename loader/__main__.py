"""`python -m divainfer.loader`: a loader process, started by the dispatcher with its orders on standard input."""

from __future__ import annotations

import sys

from ..boot import LoaderOrders, read_orders
from .loader import Loader

if __name__ == "__main__":
    sys.exit(Loader(read_orders(LoaderOrders)).run())
