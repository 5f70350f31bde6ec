"""Keys of a project: pseudonyms, UIDs and date shifts from one secret, the same in every process and on every day.

HKDF-SHA256 (RFC 5869) makes four keys from the secret, HMAC-SHA256 (RFC 2104) does the rest, so that no table has to be
kept or locked. Who holds the secret can make each pseudonym again from the identifier; who does not, cannot.
"""

import hmac
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Self

from firstread.core.errors import MissingDependencyError, SettingError

_MIN_SECRET_BYTES = 16
_KEY_BYTES = 32
_LONGEST_SHIFT_DAYS = 3650
#: Crockford's alphabet: no I, L, O, U, which are misread
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PSEUDONYM_BITS = 80


@dataclass(frozen=True)
class PseudonymKeys:
    """Four keys derived from one secret. Their values are not shown when the object is printed.

    Example:
        >>> keys = PseudonymKeys.from_secret(b"a secret of at least 16 bytes")
        >>> keys.patient("HOSPITAL|4711") == keys.patient("HOSPITAL|4711"), len(keys.patient("HOSPITAL|4711"))
        (True, 17)
        >>> keys
        PseudonymKeys(anonymous=False)
    """

    _patient: bytes = field(repr=False)
    _uid: bytes = field(repr=False)
    _date: bytes = field(repr=False)
    _text: bytes = field(repr=False)
    #: the secret exists in this process only: nobody can make the pseudonyms again
    anonymous: bool = False

    @classmethod
    def from_secret(cls, secret: bytes, *, anonymous: bool = False) -> Self:
        """Derive the keys.

        Args:
            secret: at least 16 random bytes; 32 from `secrets.token_bytes` are best.

        Raises:
            SettingError: the secret is too short.
        """
        if len(secret) < _MIN_SECRET_BYTES:
            raise SettingError(
                "The secret is too short to keep pseudonyms apart from guesses",
                expected=f"at least {_MIN_SECRET_BYTES} random bytes",
                do="make one with secrets.token_bytes(32) and keep it apart from the images",
            )
        patient, uid, date, text = (_derive(secret, name) for name in ("patient", "uid", "date", "text"))
        return cls(patient, uid, date, text, anonymous=anonymous)

    @classmethod
    def forgotten(cls) -> Self:
        """Keys from a secret that is never stored: what is made with them is anonymous once the process ends."""
        return cls.from_secret(secrets.token_bytes(_KEY_BYTES), anonymous=True)

    def patient(self, identifier: str) -> str:
        """Pseudonym of a patient: P and 16 characters (80 bits)."""
        return "P" + _crockford(_hmac(self._patient, identifier))

    def file_name(self, prefix: str, uid: str) -> str:
        """Name of a study's or series' folder or an instance's file: the prefix and 16 characters."""
        return prefix + _crockford(_hmac(self._text, f"{prefix}:{uid}"))

    def uid(self, original: str) -> str:
        """Another UID in the place of an instance's: 2.25. and a UUID of version 8 (RFC 9562), at most 44 characters.

        Example:
            >>> PseudonymKeys.from_secret(bytes(32)).uid("1.2.3").startswith("2.25.")
            True
        """
        number = int.from_bytes(_hmac(self._uid, original)[:16], "big")
        number = number & ~(0xF << 76) | 8 << 76  # version
        number = number & ~(0x3 << 62) | 0x2 << 62  # variant
        return f"2.25.{uuid.UUID(int=number).int}"

    def shift_days(self, identifier: str) -> int:
        """Days by which all dates of a patient move: one number a patient, from -3650 to -1."""
        return -(1 + int.from_bytes(_hmac(self._date, identifier)[:8], "big") % _LONGEST_SHIFT_DAYS)

    def digest(self, text: str) -> str:
        """Keyed hash of a text, to recognize it again without showing it."""
        return _hmac(self._text, text).hex()


def _derive(secret: bytes, name: str) -> bytes:
    try:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    except ImportError as error:
        raise MissingDependencyError(
            "De-identification needs the package cryptography, which is not installed",
            do='install firstread again with its extra "project"',
        ) from error
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"firstread {name}".encode()).derive(secret)


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256")


def _crockford(digest: bytes) -> str:
    number = int.from_bytes(digest[: _PSEUDONYM_BITS // 8], "big")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(_PSEUDONYM_BITS - 5, -1, -5))
