"""Validation of a class's TLS certificate before it starts: names, dates and private key."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509

from firstread.classroom.network_address import WILDCARD_HOSTS, outbound_address
from firstread.core.errors import SettingError

_DAY = timedelta(days=1)


def check_certificate(certificate: str, key: str, *, host: str, now: datetime | None = None) -> None:
    """Check that a certificate and its key are valid for this host, now and for another day.

    Args:
        certificate: file with the chain, PEM, the server's own first.
        key: file with the private key, PEM, without a password.
        host: that participants type; wildcard addresses are not compared.

    Raises:
        SettingError: the certificate or the key cannot be used, and why.
    """
    for file, option in ((certificate, "--certificate"), (key, "--key")):
        try:
            Path(file).read_bytes()
        except OSError as error:
            raise SettingError(f"The file of {option} cannot be read", where=file) from error
    leaf = _load_certificate(certificate)
    _check_key_pair(certificate, key)
    now = now or datetime.now(UTC)
    if not leaf.not_valid_before_utc <= now:
        valid_from = f"from {leaf.not_valid_before_utc:%d %B %Y} on"
        raise SettingError("The certificate is not valid yet", where=certificate, expected=valid_from)
    if leaf.not_valid_after_utc < now + _DAY:
        raise SettingError(
            "The certificate has expired, or will within a day", where=certificate, do="ask for a new one"
        )
    names = _subject_names(leaf)
    if host not in WILDCARD_HOSTS and not any(_hostname_matches(name, host) for name in names):
        raise SettingError(
            "The certificate is for another address, so every browser would warn of it",
            where=host,
            expected=", ".join(names) or "a certificate that names an address",
            do="say --host with a name that the certificate has",
        )


@cache
def public_host(host: str, certificate: str) -> str:
    """Host that participants type: for a wildcard address, the certificate's first name or this machine's address."""
    if host not in WILDCARD_HOSTS:
        return host
    if certificate:
        names = [name for name in _subject_names(_load_certificate(certificate)) if not name.startswith("*")]
        if names:
            return names[0]
    return outbound_address(socket.AF_INET6 if host == "::" else socket.AF_INET) or socket.gethostname()


def _load_certificate(certificate: str) -> x509.Certificate:
    """The first certificate of the chain, the server's own."""
    try:
        return x509.load_pem_x509_certificates(Path(certificate).read_bytes())[0]
    except (OSError, ValueError, IndexError) as error:
        expected = "text that begins with -----BEGIN CERTIFICATE-----"
        raise SettingError("This is not a certificate", where=certificate, expected=expected) from error


def _check_key_pair(certificate: str, key: str) -> None:
    def refuse_password() -> str:
        raise SettingError(
            "The key is protected by a password", where=key, do="give a key without one, readable by you only"
        )

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=refuse_password)
    except ssl.SSLError as error:
        mismatch = "MISMATCH" in str(error.reason or "").upper()
        problem = "The key does not belong to the certificate" if mismatch else "This is not a private key"
        raise SettingError(problem, where=key, expected="the private key of the certificate, PEM") from error


def _subject_names(certificate: x509.Certificate) -> list[str]:
    """Subject alternative names of a certificate: DNS names and IP addresses."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def _hostname_matches(name: str, host: str) -> bool:
    """True if a certificate's name, which may have a wildcard, covers the host."""
    name, host = name.casefold().rstrip("."), host.casefold().rstrip(".")
    return name == host or (name.startswith("*.") and "." in host and name[1:] == host[host.index(".") :])
