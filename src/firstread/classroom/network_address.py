"""Network addresses of this machine: loopback, wildcard, and the address under which other machines reach it."""

import ipaddress
import socket
from contextlib import suppress

#: addresses that stand for all network interfaces of this machine
WILDCARD_HOSTS = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not listened at


def is_loopback(host: str) -> bool:
    """True if only this machine reaches this host: "localhost" or a loopback address."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def outbound_address(family: socket.AddressFamily = socket.AF_INET) -> str | None:
    """Source address of this machine on its default route; None without one. No packet is sent to find it."""
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        # RFC 5737 and RFC 3849: reserved for documentation
        probe.connect(("2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return None
