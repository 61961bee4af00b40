"""Where this program listens, for browsers and Prometheus: host and port as an operator gives them."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import NamedTuple, Tuple

_HOST_AND_PORT = re.compile(r"^(?:(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[^\[\]:/\s]*)):)?(?P<port>\d{1,5})$")
_LOOPBACK = "127.0.0.1"


class Address(NamedTuple):
    """Where to listen.

    Attributes:
        host: a name or an IP address.
        port: 0 for any that is free.
    """

    host: str
    port: int

    def __str__(self) -> str:
        """As `parse_address` takes it."""
        return "{}:{}".format("[{}]".format(self.host) if ":" in self.host else self.host, self.port)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host == "localhost" or (is_ip_address(self.host) and ipaddress.ip_address(self.host).is_loopback)

    def resolved(self) -> Tuple[int, Tuple[str, int]]:
        """The socket's family, and what it is bound to.

        Raises:
            OSError: when there is no such host.
        """
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except UnicodeError:
            raise OSError("no name of a machine")
        family, _, _, _, place = found[0]
        return family, (str(place[0]), int(place[1]))


def parse_address(text: str) -> Address:
    """An address out of "127.0.0.1:8000", "[::1]:8000", "gpu7:8000", or a port alone, which is then one of the loopback.

    Raises:
        ValueError: when it is none.
    """
    match = _HOST_AND_PORT.match(text)
    if match is None or int(match.group("port")) > 65535:
        raise ValueError("a port such as 9400, or HOST:PORT, is wanted")
    return Address(match.group("six") or match.group("host") or _LOOPBACK, int(match.group("port")))


def is_ip_address(text: str) -> bool:
    """Whether it is one, of version 4 or 6."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
