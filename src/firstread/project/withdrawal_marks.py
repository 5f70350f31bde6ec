"""Withdrawal marks: that a patient withdrew, kept without the patient, so that no later run brings them back."""

import hmac
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from firstread.core.errors import DataError
from firstread.core.files import read_json, write_json

_FILE = "withdrawals.json"
_MAX_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class Withdrawals:
    """Keyed hashes of the patients who withdrew; the key lies in the vault beside them.

    Example:
        >>> marks = Withdrawals().marked(["|12"])
        >>> marks.holds("|12", None, None), marks.holds("|13", None, None), marks.holds("", None, None)
        (True, False, False)
    """

    salt: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    marks: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def read(cls, vault: Path) -> "Withdrawals":
        """The marks in a vault.

        Raises:
            DataError: the file is damaged.
        """
        path = vault / _FILE
        if not path.is_file():
            return cls(salt="")
        content = read_json(path, max_bytes=_MAX_BYTES)
        try:
            return cls(str(content["salt"]), frozenset(map(str, content["marks"])))
        except (KeyError, TypeError) as error:
            raise DataError(
                "The marks of patients who withdrew are damaged", where=path, do="take the file from a backup"
            ) from error

    def write(self, vault: Path) -> None:
        """Write the marks into a vault."""
        write_json(vault / _FILE, {"salt": self.salt, "marks": sorted(self.marks)})
        (vault / _FILE).chmod(0o600)

    def marked(self, keys: list[str]) -> "Withdrawals":
        """These marks and those of further patients, by their keys."""
        salt = self.salt or secrets.token_hex(32)
        return Withdrawals(salt, self.marks | {_mark(salt, key) for key in keys})

    def holds(self, key: str, birth_date: str | None, sex: str | None) -> bool:
        """Whether a patient withdrew: all files under an identifier, or those of one person who shares it."""
        if not self.marks or not key:
            return False
        return any(_mark(self.salt, name) in self.marks for name in (key, person_key(key, birth_date, sex)))

    def holds_file(self, digest: str | None) -> bool:
        """Whether a file that states no patient belongs to one who withdrew, by the SHA-256 of its bytes."""
        return bool(self.marks) and _mark(self.salt, file_key(digest)) in self.marks

    @property
    def digest(self) -> str:
        """Digest of all marks."""
        return sha256("\0".join(sorted(self.marks)).encode()).hexdigest()


def person_key(key: str, birth_date: str | None, sex: str | None) -> str:
    """Key of one of several people under one identifier.

    Example:
        >>> person_key("|12", "19700321", "F")
        '|12|19700321|F'
    """
    return f"{key}|{birth_date or ''}|{sex or ''}"


def file_key(digest: str | None) -> str:
    """Key of a file that states no patient, from the SHA-256 of its bytes."""
    return f"sha256|{digest}"


def _mark(salt: str, key: str) -> str:
    return hmac.digest(bytes.fromhex(salt), key.encode("utf-8", "surrogatepass"), "sha256").hex()
