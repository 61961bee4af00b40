"""Every message survives the wire; nothing else does."""

from __future__ import annotations

import msgpack
import pytest

from divainfer import messages
from divainfer.errors import ProtocolError

SAMPLES = {
    "int": 7,
    "float": 0.5,
    "str": "text \udcff",
    "bytes": b"\xff\0",
    "bool": True,
    "List[Any]": [1, [2, "x"]],
    "List[int]": [3, 4],
}


def sample(annotation):
    for row in messages._ROWS:
        if row.__name__ in annotation:
            one = row(*[sample(messages._annotation_name(field)) for field in row.__annotations__.values()])
            return [one, one] if annotation.startswith("List") else one
    return SAMPLES[annotation]


@pytest.mark.parametrize("kind", messages._KINDS, ids=lambda kind: kind.__name__)
def test_round_trip(kind):
    values = [sample(messages._annotation_name(annotation)) for annotation in kind.__annotations__.values()]
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
        msgpack.packb(["Lease", 1]),
        msgpack.packb(["Lease", 1, "text", 3]),
        msgpack.packb(["Ticket", 1, b"path", 0, 9]),
        msgpack.packb(["Tickets", 3]),
        msgpack.packb(["Tickets", [[1, b"path", 0]]]),
        msgpack.packb(["Tickets", [[1, "path", 0, 9]]]),
        msgpack.packb(["Loaded", [], [], [], [0.0, 0.0, 0.0]]),
        msgpack.packb(["Loaded", [], [], [], [0.0, 0.0, 0.0], "text"]),
        msgpack.packb(["Loaded", [], [], [], [0.0, 0.0], b""]),
        msgpack.packb(["Loaded", {}, [], [], [0.0, 0.0, 0.0], b""]),
        msgpack.packb(["Loaded", [], [], ["x"], [0.0, 0.0, 0.0], b""]),
        msgpack.packb(["Failure", 1, "a", "b"]),
        msgpack.packb([["Tickets"]]),
        msgpack.packb({"Stop": 1}),
    ],
)
def test_anything_else_is_an_error(data):
    with pytest.raises(ProtocolError):
        messages.decode(data)
