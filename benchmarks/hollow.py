"""A worker and a loader without content, for `resume.py`: leases are answered at once, no pixel is touched, nothing is written.

Started in place of the real ones with their orders on standard input; they speak the real messages over the real sockets.
"""

from __future__ import annotations

import os
import sys
import time

from divainfer import messages
from divainfer.boot import LoaderOrders, WorkerOrders, read_orders
from divainfer.sockets import Caller, Listener


def worker() -> None:
    """Says of every leased block that it is done."""
    orders = read_orders(WorkerOrders)
    dispatcher = Caller(orders.dispatcher, orders.name)
    dispatcher.send(messages.WorkerUp(os.getpid(), "hollow", 1, 0.0))
    dispatcher.send(messages.WantBlock(orders.block_images))
    loaders = Listener(orders.address)
    images, beat = 0, 0.0
    while True:
        message = dispatcher.receive(0.2)
        heard = loaders.receive()
        if heard is not None:
            dispatcher.send(messages.LoaderHere(heard[0]))
        if isinstance(message, messages.Lease):
            if not images:
                _mark()
            images += message.count
            checksums = os.urandom(4) * message.count
            dispatcher.send(messages.WantBlock(orders.block_images))
            finished = [message.start, message.start + message.count, [], checksums, orders.name]
            dispatcher.send(messages.BlockDone(message.block, [finished]))
        stats = list(messages.WorkerStats(images=images))
        if isinstance(message, messages.Stop):
            dispatcher.send(messages.WorkerDone(stats))
            loaders.close()
            dispatcher.close()
            time.sleep(0.2)
            return
        if time.monotonic() > beat:
            beat = time.monotonic() + 1.0
            dispatcher.send(messages.Heartbeat(stats))


def loader() -> None:
    """Says that it is there, and waits for its end."""
    orders = read_orders(LoaderOrders)
    Caller(orders.worker, orders.name).send(messages.LoaderUp(os.getpid()))
    time.sleep(1e6)


def _mark() -> None:
    """Notes when the first lease came."""
    path = os.environ["HOLLOW_FIRST_LEASE"]
    with open(path + ".part", "w") as file:
        file.write(repr(time.time()))
    os.replace(path + ".part", path)


if __name__ == "__main__":
    if os.environ["HOLLOW_ROLE"] == "worker":
        worker()
    else:
        loader()
    sys.exit(0)
