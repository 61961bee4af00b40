"""Where a page is served, and by which names browsers may ask for it."""

from __future__ import annotations

import ipaddress
import platform
import re
from typing import NamedTuple

from ..errors import ConfigError

_HOST_AND_PORT = re.compile(r"^(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[^\[\]:/\s]*))(?::(?P<port>\d{1,5}))?$")
_LOOPBACK = "127.0.0.1"


class Address(NamedTuple):
    """Where to listen.

    Attributes:
        host: a name or an IP address.
        port: 0 for any that is free.
    """

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host == "localhost" or (is_ip_address(self.host) and ipaddress.ip_address(self.host).is_loopback)

    def url(self, port: int) -> str:
        """What to give a browser, `port` being the one that is listened on."""
        return "http://{}:{}/".format("[{}]".format(self.host) if ":" in self.host else self.host, port)


def parse_address(text: str) -> Address:
    """An address as `--serve` takes it.

    Args:
        text: "127.0.0.1:8000", "[::1]:8000", "gpu7:8000", or a port alone, which is then one of the loopback.

    Raises:
        ConfigError: when it is none.
    """
    match = _HOST_AND_PORT.match(":" + text if text.isdigit() else text)
    if match is None or match.group("port") is None or int(match.group("port")) > 65535:
        raise ConfigError(
            "--serve {}: an address and a port are wanted, such as 127.0.0.1:8000. DIR goes before --serve.".format(
                text
            )
        )
    return Address(match.group("six") or match.group("host") or _LOOPBACK, int(match.group("port")))


def may_ask(host: str, address: Address) -> bool:
    """Whether a request's `Host` is one that this page is served by.

    A web site of somebody else can have its own name lead to this machine (DNS rebinding), and its scripts would then read the
    page. So names count only where they are known; IP addresses cannot be made to lead elsewhere.

    Args:
        host: the header's value.
        address: where the page is served.
    """
    match = _HOST_AND_PORT.match(host)
    if match is None:
        return False
    name = (match.group("six") or match.group("host") or "").lower().rstrip(".")
    known = {"localhost"} if address.is_loopback else {"localhost", address.host.lower(), platform.node().lower()}
    return is_ip_address(name) or name in known


def is_ip_address(text: str) -> bool:
    """Whether it is one, of version 4 or 6."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
