"""The certificate of a class: looked at before the class starts, because afterwards a hundred browsers would show a warning instead of a lesson."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509

from firstread.core.errors import SettingError

#: addresses that mean "wherever this machine can be reached"
ANYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not listened at
_DAY = timedelta(days=1)


def check_certificate(certificate: str, key: str, *, host: str, now: datetime | None = None) -> None:
    """See that a certificate and its key can be used under this address for a day from now.

    Args:
        certificate: file with the chain, PEM, the server's own first.
        key: file with the private key, PEM, without a password.
        host: that participants type; addresses that mean anywhere are not compared.

    Raises:
        SettingError: what is wrong with them, in one sentence.
    """
    for file, option in ((certificate, "--certificate"), (key, "--key")):
        try:
            Path(file).read_bytes()
        except OSError as error:
            raise SettingError(f"The file of {option} cannot be read", where=file) from error
    own = _own(certificate)
    _load(certificate, key)
    now = now or datetime.now(UTC)
    if not own.not_valid_before_utc <= now:
        raise SettingError("The certificate is not valid yet", where=certificate,
                           expected=f"from {own.not_valid_before_utc:%d %B %Y} on")  # fmt: skip
    if own.not_valid_after_utc < now + _DAY:
        raise SettingError(
            "The certificate has expired, or will within a day", where=certificate, do="ask for a new one"
        )
    named = _names(own)
    if host not in ANYWHERE and not any(_covers(name, host) for name in named):
        raise SettingError("The certificate is for another address, so every browser would warn of it", where=host,
                           expected=", ".join(named) or "a certificate that names an address",
                           do="say --host with a name that the certificate has")  # fmt: skip


@cache
def shown_host(host: str, certificate: str) -> str:
    """What participants type: the host itself or, where that means anywhere, the certificate's name or this machine's address."""
    if host not in ANYWHERE:
        return host
    if certificate:
        names = [name for name in _names(_own(certificate)) if not name.startswith("*")]
        if names:
            return names[0]
    return _outward(socket.AF_INET6 if host == "::" else socket.AF_INET) or socket.gethostname()


def _own(certificate: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(Path(certificate).read_bytes())[0]
    except (OSError, ValueError, IndexError) as error:
        raise SettingError("This is not a certificate", where=certificate,
                           expected="text that begins with -----BEGIN CERTIFICATE-----") from error  # fmt: skip


def _load(certificate: str, key: str) -> None:
    def no_password() -> str:
        raise SettingError(
            "The key is protected by a password", where=key, do="give a key without one, readable by you only"
        )

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=no_password)
    except ssl.SSLError as error:
        mismatch = "MISMATCH" in str(error.reason or "").upper()
        what = "The key does not belong to the certificate" if mismatch else "This is not a private key"
        raise SettingError(what, where=key, expected="the private key of the certificate, PEM") from error


def _names(own: x509.Certificate) -> list[str]:
    """Names and addresses that a certificate is for."""
    try:
        found = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]


def _covers(name: str, host: str) -> bool:
    name, host = name.casefold().rstrip("."), host.casefold().rstrip(".")
    return name == host or (name.startswith("*.") and "." in host and name[1:] == host[host.index(".") :])


def _outward(family: socket.AddressFamily) -> str | None:
    """This machine's address as its neighbours see it; nothing is sent to find out."""
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1", 9))
        except OSError:
            return None
        return str(asked.getsockname()[0])
