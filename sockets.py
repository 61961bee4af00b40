"""Sockets between the processes of one run on one host.

Addresses are in Linux's abstract namespace: no file is made, so none stays behind, and no path can be too long. Such a name
has no permissions, so each listening socket takes connections of this user only (checked by the kernel's own record of who
connects, `IPC_FILTER_UID`).
"""

from __future__ import annotations

import logging
import os
import uuid
from typing import Any, List, Optional, Tuple

import zmq

from .errors import ProtocolError
from .messages import Message, decode, encode

log = logging.getLogger("sockets")

#: Milliseconds a closing socket may take to get its last messages out.
_LINGER_MS = 2000


def new_address() -> str:
    """An address nobody else uses."""
    return "ipc://@divainfer-" + uuid.uuid4().hex


class Listener:
    """The side of a conversation that many peers connect to (a ROUTER).

    Args:
        address: where to listen.
    """

    def __init__(self, address: str) -> None:
        self.socket: Any = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.IPC_FILTER_UID, os.getuid())
        self.socket.setsockopt(zmq.LINGER, _LINGER_MS)
        # Bounds are kept by leases and tickets; a mark here would drop messages without a word.
        self.socket.set_hwm(0)
        self.socket.bind(address)

    def send(self, peer: str, message: Message) -> None:
        """Sends to a peer; to one that is gone, nothing is sent."""
        self.socket.send_multipart([peer.encode("ascii"), encode(message)])

    def receive(self) -> Optional[Tuple[str, Message]]:
        """The next message and who sent it; None when none is waiting. What is none of ours is logged and dropped."""
        while True:
            try:
                parts: List[bytes] = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return None
            try:
                if len(parts) != 2:
                    raise ProtocolError("a message of {} parts instead of 2".format(len(parts)))
                return parts[0].decode("ascii"), decode(parts[1])
            except (ProtocolError, UnicodeDecodeError) as error:
                # Anybody of the same user can connect; a stray message must not end a run.
                log.error("from %r: %s", parts[0][:40], error)

    def close(self) -> None:
        """Closes the socket."""
        self.socket.close()


class Caller:
    """The side that connects (a DEALER).

    Args:
        address: whom to connect to; it may begin to listen later.
        name: how the other side knows this one; unique.
    """

    def __init__(self, address: str, name: str) -> None:
        self.socket: Any = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.IDENTITY, name.encode("ascii"))
        self.socket.setsockopt(zmq.LINGER, _LINGER_MS)
        self.socket.set_hwm(0)
        self.socket.connect(address)
        self._poller = zmq.Poller()
        self._poller.register(self.socket, zmq.POLLIN)

    def send(self, message: Message) -> None:
        """Sends a message."""
        self.socket.send(encode(message))

    def receive(self, timeout: float = 0.0) -> Optional[Message]:
        """The next message; None when none came within `timeout` seconds.

        Raises:
            ProtocolError: when it is none of ours.
        """
        try:
            return decode(self.socket.recv(zmq.NOBLOCK))
        except zmq.Again:
            if not timeout or not self._poller.poll(int(timeout * 1000)):
                return None
            return decode(self.socket.recv())

    def close(self) -> None:
        """Closes the socket once the last messages are out."""
        self.socket.close()
