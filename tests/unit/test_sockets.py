"""What a listening socket takes, and what it drops."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import zmq

from divainfer import messages
from divainfer.sockets import Caller, Listener, new_address

TELL = "import os, sys, zmq; os.setuid(int(sys.argv[2])); s = zmq.Context().socket(zmq.DEALER); s.linger = 500; \
s.setsockopt(zmq.IDENTITY, b'stranger'); s.connect(sys.argv[1]); s.send(bytes.fromhex(sys.argv[3]))"


@pytest.fixture
def listener():
    address = new_address()
    socket = Listener(address)
    yield socket, address
    socket.socket.close()


def receive(listener, seconds=3.0):
    return listener.receive() if listener.socket.poll(int(seconds * 1000)) else None


def test_messages_arrive_with_their_sender_s_name_and_nonsense_is_dropped(listener):
    socket, address = listener
    caller = Caller(address, "worker-0")
    stray = zmq.Context.instance().socket(zmq.DEALER)
    stray.connect(address)
    stray.send(b"nonsense")
    stray.send_multipart([b"a", b"b"])
    caller.socket.send(b"\xff")
    caller.send(messages.WantBlock(7))
    heard = []
    while len(heard) < 1:
        one = receive(socket)
        if one is not None:
            heard.append(one)
    assert heard == [("worker-0", messages.WantBlock(7))]
    socket.send("worker-0", messages.Stop())
    assert caller.receive(3.0) == messages.Stop()
    socket.send("nobody", messages.Stop())
    stray.close(0)
    caller.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_other_users_are_not_heard(listener):
    socket, address = listener
    said = messages.encode(messages.WantBlock(7)).hex()
    for user in ("65534", "0"):
        subprocess.check_call([sys.executable, "-c", TELL, address, user, said])
    assert receive(socket) == ("stranger", messages.WantBlock(7))
    assert receive(socket, 0.5) is None
