"""The project's secret, wrapped by a passphrase: scrypt derives a key, ChaCha20-Poly1305 encrypts.

The wrapped secret is one small JSON file in the vault. A second wrap by a recovery code, which is shown once, opens it
where the passphrase is lost. The parameters stand in the file, so that they can be raised later.

Source: RFC 7914 (scrypt), RFC 8439 (ChaCha20-Poly1305); cost as in the OWASP Password Storage Cheat Sheet (N = 2^17).
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstread.core.errors import DataError, SettingError
from firstread.core.files import read_json

SECRET_BYTES = 32
MIN_PASSPHRASE_CHARACTERS = 12
_COST = 2**17
#: a file that asks for more than these is refused before any memory is taken
_MAX_COST, _BLOCK_SIZE, _MAX_FILE_BYTES = 2**20, 8, 10_000
_RECOVERY_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
_RECOVERY_CHARACTERS = 32


@dataclass(frozen=True)
class WrappedSecret:
    """A secret that a passphrase opens: what stands in the file."""

    salt: bytes
    nonce: bytes
    sealed: bytes
    cost: int = _COST

    def to_json(self) -> dict[str, Any]:
        """As values for JSON."""
        texts = {name: base64.b64encode(getattr(self, name)).decode() for name in ("salt", "nonce", "sealed")}
        return {"kdf": "scrypt", "cost": self.cost, "cipher": "ChaCha20-Poly1305", **texts}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], where: Path) -> "WrappedSecret":
        """Read what `to_json` wrote.

        Raises:
            DataError: damaged, of another method, or so costly that it was made to exhaust memory.
        """
        try:
            parts = {name: base64.b64decode(values[name], validate=True) for name in ("salt", "nonce", "sealed")}
            wrapped = cls(**parts, cost=int(values["cost"]))
            is_known = values["kdf"] == "scrypt" and values["cipher"] == "ChaCha20-Poly1305"
        except (KeyError, ValueError, TypeError):
            is_known, wrapped = False, None
        is_sound = wrapped is not None and is_known and len(wrapped.salt) == 16 and len(wrapped.nonce) == 12
        if (
            wrapped is None
            or not is_sound
            or not 2**14 <= wrapped.cost <= _MAX_COST
            or wrapped.cost & (wrapped.cost - 1)
        ):
            raise DataError(
                "The key of the project is damaged",
                where=where,
                do="take it from a backup; without it no pseudonym can be led back, and new ones will differ",
            )
        return wrapped


def wrap_secret(secret: bytes, passphrase: str, *, project: str) -> WrappedSecret:
    """Encrypt a secret with a passphrase.

    Args:
        secret: 32 bytes.
        passphrase: at least 12 characters.
        project: identifier that the secret belongs to, bound to it as associated data.

    Raises:
        SettingError: the passphrase is too short.
    """
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    check_passphrase(passphrase)
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    key = _derive(passphrase, salt, _COST)
    return WrappedSecret(salt, nonce, ChaCha20Poly1305(key).encrypt(nonce, secret, project.encode()))


def unwrap_secret(wrapped: WrappedSecret, passphrase: str, *, project: str) -> bytes:
    """Decrypt a secret.

    Raises:
        SettingError: the passphrase is wrong, or the file was changed: which of them cannot be told.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    key = _derive(passphrase, wrapped.salt, wrapped.cost)
    try:
        return ChaCha20Poly1305(key).decrypt(wrapped.nonce, wrapped.sealed, project.encode())
    except InvalidTag:
        raise SettingError(
            "The passphrase does not open the key of this project", do="type it again, or use the recovery code"
        ) from None


def check_passphrase(passphrase: str) -> None:
    """Refuse a passphrase that can be guessed by trying."""
    if len(passphrase) < MIN_PASSPHRASE_CHARACTERS:
        raise SettingError(
            "The passphrase is too short",
            expected=f"at least {MIN_PASSPHRASE_CHARACTERS} characters, such as four words",
        )


def make_recovery_code() -> str:
    """A code of 160 random bits in groups of four characters."""
    characters = "".join(secrets.choice(_RECOVERY_ALPHABET) for _ in range(_RECOVERY_CHARACTERS))
    return "-".join(characters[start : start + 4] for start in range(0, len(characters), 4))


def read_wrapped(path: Path) -> dict[str, WrappedSecret]:
    """The wraps of a key file: "passphrase" and "recovery"."""
    content = read_json(path, max_bytes=_MAX_FILE_BYTES)
    entries = content.get("wraps", {}) if isinstance(content, dict) else {}
    if not isinstance(entries, dict) or "passphrase" not in entries:
        raise DataError("The key of the project is damaged", where=path, do="take it from a backup")
    return {str(name): WrappedSecret.from_json(entry, path) for name, entry in entries.items()}


def _derive(passphrase: str, salt: bytes, cost: int) -> bytes:
    import unicodedata

    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    text = unicodedata.normalize("NFKC", passphrase.strip())
    return Scrypt(salt=salt, length=32, n=cost, r=_BLOCK_SIZE, p=1).derive(text.encode())
