"""Where this program listens."""

from __future__ import annotations

import pytest

from divainfer.address import Address, parse_address


@pytest.mark.parametrize(
    "text,expected",
    [
        ("9400", ("127.0.0.1", 9400)),
        (":9400", ("127.0.0.1", 9400)),
        ("0.0.0.0:9400", ("0.0.0.0", 9400)),
        ("node7:1", ("node7", 1)),
        ("[::]:80", ("::", 80)),
        ("[::1]:0", ("::1", 0)),
    ],
)
def test_what_is_one(text, expected):
    found = parse_address(text)
    assert found == expected and parse_address(str(found)) == found


@pytest.mark.parametrize(
    "text", ["x", "1:2:3", "70000", "-1", "localhost:", "[::1]", "::1:80", "http://x:80", "out/", "", "1.2.3.4:70000"]
)
def test_what_is_none(text):
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_address(text)


def test_who_reaches_it():
    for host in ("::1", "127.0.0.1", "127.1.2.3", "localhost"):
        assert Address(host, 0).is_loopback
    for host in ("0.0.0.0", "::", "gpu7", "192.0.2.1"):
        assert not Address(host, 0).is_loopback


def test_a_host_that_cannot_be():
    with pytest.raises(OSError):
        Address("..", 80).resolved()
