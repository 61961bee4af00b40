"""By which names browsers may ask for a page."""

from __future__ import annotations

import platform
import re

from ..address import Address, is_ip_address

_HOST = re.compile(r"^(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[^\[\]:/\s]*))(?::\d{1,5})?$")


def may_ask(host: str, address: Address) -> bool:
    """Whether a request's `Host` is one that this page is served by.

    A web site of somebody else can have its own name lead to this machine (DNS rebinding), and its scripts would then read the
    page. So names count only where they are known; IP addresses cannot be made to lead elsewhere.

    Args:
        host: the header's value.
        address: where the page is served.
    """
    match = _HOST.match(host)
    if match is None:
        return False
    name = (match.group("six") or match.group("host") or "").lower().rstrip(".")
    known = {"localhost"} if address.is_loopback else {"localhost", address.host.lower(), platform.node().lower()}
    return is_ip_address(name) or name in known
