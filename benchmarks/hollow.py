"""A worker and a loader without content, for `hollow_run.py`: no pixel is touched, nothing is written.

Started in place of the real ones with their orders on standard input; they speak the real messages over the real sockets.
`HOLLOW_ROLE` says which of the two it is, `HOLLOW_RATE` how many images a second a worker pretends to do (0: it answers each
lease at once), `HOLLOW_FOLDER` where they meet the benchmark: a worker writes `NAME.up` when it is there, asks for images once
there is a file `go`, writes `NAME.first-lease` when it gets one (seconds since 1970) and `NAME.waits` at its end (the seconds
from each `WantBlock` to its `Lease`, float64).
"""

from __future__ import annotations

import array
import os
import random
import sys
import time

from divainfer import messages
from divainfer.boot import LoaderOrders, WorkerOrders, read_orders
from divainfer.sockets import Caller, Listener

FOLDER = os.environ.get("HOLLOW_FOLDER", "")
_GO_SECONDS = 0.01
_HEARTBEAT_SECONDS = 1.0


def worker() -> None:
    """Says of every leased block that it is done."""
    orders = read_orders(WorkerOrders)
    rate = float(os.environ["HOLLOW_RATE"])
    dispatcher = Caller(orders.dispatcher, orders.name)
    dispatcher.send(messages.WorkerUp(os.getpid(), "hollow", 1, 0.0))
    loaders = Listener(orders.address)
    _note(orders.name + ".up", b"")
    images, beat, asked = 0, 0.0, 0.0
    waits = array.array("d")
    # Else all would ask at the same moment, as no real ones do.
    pause = random.Random(orders.name).random() * orders.block_images / rate if rate else 0.0
    while True:
        if not asked and _go():
            time.sleep(pause)
            asked = time.monotonic()
            dispatcher.send(messages.WantBlock(orders.block_images))
        message = dispatcher.receive(0.2 if asked else _GO_SECONDS)
        heard = loaders.receive()
        if heard is not None:
            dispatcher.send(messages.LoaderHere(heard[0]))
        if isinstance(message, messages.Lease):
            if not images:
                _note(orders.name + ".first-lease", repr(time.time()).encode())
            waits.append(time.monotonic() - asked)
            images += message.count
            checksums = os.urandom(4) * message.count
            if rate:
                time.sleep(message.count / rate)
            asked = time.monotonic()
            dispatcher.send(messages.WantBlock(orders.block_images))
            finished = [message.start, message.start + message.count, [], checksums, orders.name]
            dispatcher.send(messages.BlockDone(message.block, [finished]))
        if isinstance(message, messages.Stop):
            _note(orders.name + ".waits", waits.tobytes())
            dispatcher.send(messages.WorkerDone(list(messages.WorkerStats(images=images)), []))
            loaders.close()
            dispatcher.close()
            time.sleep(0.2)
            return
        if time.monotonic() > beat:
            beat = time.monotonic() + _HEARTBEAT_SECONDS
            dispatcher.send(messages.Heartbeat(list(messages.WorkerStats(images=images)), []))


def loader() -> None:
    """Says that it is there, and waits for its end."""
    orders = read_orders(LoaderOrders)
    Caller(orders.worker, orders.name).send(messages.LoaderUp(os.getpid()))
    time.sleep(1e6)


def _go() -> bool:
    return os.path.exists(os.path.join(FOLDER, "go"))


def _note(name: str, content: bytes) -> None:
    # Renamed to its place, so that nobody reads half of it.
    path = os.path.join(FOLDER, name)
    with open(path + ".part", "wb") as file:
        file.write(content)
    os.replace(path + ".part", path)


if __name__ == "__main__":
    if os.environ["HOLLOW_ROLE"] == "worker":
        worker()
    else:
        loader()
    sys.exit(0)
