"""Every message survives the wire; nothing else does."""

from __future__ import annotations

import msgpack
import pytest

from divainfer import messages
from divainfer.errors import ProtocolError

SAMPLES = {"int": 7, "float": 0.5, "str": "text \udcff", "bytes": b"\xff\0", "bool": True, "List[Any]": [1, [2, "x"]]}


@pytest.mark.parametrize("kind", messages._KINDS, ids=lambda kind: kind.__name__)
def test_round_trip(kind):
    values = [SAMPLES[messages._annotation_name(annotation)] for annotation in kind.__annotations__.values()]
    message = kind(*values)
    assert messages.decode(messages.encode(message)) == message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93",
        b"\xc1",
        msgpack.packb(3),
        msgpack.packb([]),
        msgpack.packb(["Ticket", 1]),
        msgpack.packb(["Ticket", 1, "text", 3]),
        msgpack.packb(["Failure", 1, "a", "b"]),
        msgpack.packb([["Ticket"]]),
        msgpack.packb({"Stop": 1}),
    ],
)
def test_anything_else_is_an_error(data):
    with pytest.raises(ProtocolError):
        messages.decode(data)
