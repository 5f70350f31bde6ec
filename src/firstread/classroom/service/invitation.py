"""Where participants go: the address as they can reach it, and the same as a picture to scan."""

import ipaddress
import socket
from collections.abc import Mapping
from contextlib import suppress

from firstread.classroom.class_folder import ClassFolder, ClassSettings


def invitation(folder: ClassFolder, headers: Mapping[str, str]) -> dict[str, str]:
    """`address`, `picture` (SVG) and, where the address helps nobody else, a `warning`.

    Args:
        headers: of the instructor's request: as their own browser reached this machine, so can others, unless it sits on this machine.
    """
    import segno

    settings = folder.settings
    host, warning = headers.get("x-forwarded-host") or headers.get("host", ""), ""
    if _only_here(_name_of(host)):
        served = _served_at(settings)
        if served is None:
            warning = "This class is served to this computer only. Start it with --host to let others in."
        else:
            host = served
    address = f"{folder.scheme}://{host}/"
    code = segno.make(f"{address}hub/login?code={settings.join_code}", error="m", micro=False)
    picture = code.svg_inline(border=3, omitsize=True, dark="#000", light="#fff")
    return {"address": address, "picture": picture, "warning": warning}


def _name_of(host: str) -> str:
    """A host without its port."""
    return host[1 : host.find("]")] if host.startswith("[") else host.rsplit(":", 1)[0]


def _only_here(name: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(name).is_loopback
    return name == "localhost"


def _served_at(settings: ClassSettings) -> str | None:
    """An address of this machine that the class listens at and others can reach."""
    host = settings.host
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared with, not listened at
        found = _outward()
        return f"{found}:{settings.port}" if found else None
    if _only_here(host):
        return None
    return f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"


def _outward() -> str | None:
    """This machine's address towards others; nothing is sent to find it."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.connect(("192.0.2.1", 9))  # RFC 5737: nobody's address
        return asked.getsockname()[0]
    return None
