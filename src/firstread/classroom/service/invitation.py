"""Join address of a class as participants can reach it, and its QR code."""

from collections.abc import Mapping

from firstread.classroom.class_folder import DEFAULT_PORTS, ClassFolder, ClassSettings
from firstread.classroom.network_address import is_loopback, outbound_address


def build_invitation(folder: ClassFolder, headers: Mapping[str, str]) -> dict[str, str]:
    """Join URL, its QR code, and a warning if other machines cannot reach the URL: `address`, `qr_svg`, `warning`.

    Args:
        headers: of the instructor's request: the host that their browser reached is the one that participants reach,
            at their own port, unless the browser runs on this machine.
    """
    import segno

    settings = folder.settings
    host, warning = headers.get("x-forwarded-host") or headers.get("host", ""), ""
    if is_loopback(_strip_port(host)):
        reachable = _reachable_address(settings)
        if reachable is None:
            warning = "This class is served to this computer only. Start it with --host to let others in."
        else:
            host = reachable
    elif host.endswith(f":{settings.instructor_port}"):
        is_default_port = settings.port == DEFAULT_PORTS[folder.scheme]
        host = host.removesuffix(f":{settings.instructor_port}") + ("" if is_default_port else f":{settings.port}")
    address = f"{folder.scheme}://{host}/"
    code = segno.make(f"{address}hub/login?code={settings.join_code}", error="m", micro=False)
    qr_svg = code.svg_inline(border=3, omitsize=True, dark="#000", light="#fff")
    return {"address": address, "qr_svg": qr_svg, "warning": warning}


def _strip_port(host: str) -> str:
    return host[1 : host.find("]")] if host.startswith("[") else host.rsplit(":", 1)[0]


def _reachable_address(settings: ClassSettings) -> str | None:
    """Host and port where the class listens and other machines can reach it; None if it listens on loopback only."""
    host = settings.host
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared with, not bound to
        outbound = outbound_address()
        return f"{outbound}:{settings.port}" if outbound else None
    if is_loopback(host):
        return None
    return f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"
