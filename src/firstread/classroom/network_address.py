"""Network addresses of this machine: loopback, wildcard, and the address under which other machines reach it."""

import ipaddress
import re
import socket
from contextlib import suppress

from firstread.core.errors import SettingError

#: addresses that stand for all network interfaces of this machine
WILDCARD_HOSTS = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not listened at
#: DNS name of at least two labels, the last no number
_DNS_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


def check_subdomain_host(name: str) -> None:
    """Raise SettingError unless this is a DNS name that can have subdomains, or empty."""
    if name and (not _DNS_NAME.fullmatch(name) or len(name) > 200):
        raise SettingError(
            f'"{name}" is no name whose subdomains could lead to participants\' servers',
            where="--subdomain-host",
            expected="a name in small letters without https:// and port, such as class.hospital.example",
        )


def has_subdomains(name: str) -> bool:
    """True if names below this one lead to an address, as far as this machine knows; browsers know *.localhost."""
    with suppress(OSError):
        return name.endswith(".localhost") or bool(socket.getaddrinfo(f"p1.{name}", None))
    return False


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
