"""Re-identification table: pseudonym and identity, one encrypted record each, in one append-only file of the vault.

A record is a length, a nonce and a sealed JSON object; the number of the record and the project are associated data, so
that records cannot be moved, swapped or taken into another project unnoticed. What is asked for is printed, and never
written to a file.
"""

import json
import os
import secrets
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from firstread.core.errors import DataError
from firstread.core.files import translate_os_errors, write_bytes
from firstread.project.locks import file_lock

_LENGTH = struct.Struct(">I")
_NONCE_BYTES = 12
_MAX_RECORD_BYTES = 1 << 20


class IdentityRecords:
    """The encrypted records of one project.

    Args:
        path: of the file.
        key: 32 bytes, derived from the project's secret.
        project: identifier, bound to every record.
    """

    def __init__(self, path: Path, key: bytes, *, project: str) -> None:
        self._path, self._key, self._project = path, key, project

    def add(self, records: Mapping[str, Mapping[str, str]]) -> int:
        """Append records (pseudonym -> identity) that are not there yet; returns how many."""
        with file_lock(self._path.with_suffix(".lock")), translate_os_errors(self._path):
            known = dict(self.records())
            new = {name: dict(values) for name, values in records.items() if known.get(name) != dict(values)}
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "ab") as file:
                for number, (name, values) in enumerate(new.items(), start=self._count()):
                    file.write(self._seal(number, {"pseudonym": name, "identity": values}))
                file.flush()
                os.fsync(file.fileno())
        return len(new)

    def remove(self, pseudonym: str) -> int:
        """Write the file again without a pseudonym; returns how many records went."""
        with file_lock(self._path.with_suffix(".lock")):
            everything = list(self.records())
            kept = [(name, values) for name, values in everything if name != pseudonym]
            if len(kept) == len(everything):
                return 0
            sealed = (
                self._seal(number, {"pseudonym": name, "identity": values})
                for number, (name, values) in enumerate(kept)
            )
            write_bytes(self._path, b"".join(sealed))
            self._path.chmod(0o600)
        return len(everything) - len(kept)

    def find(self, pseudonym: str) -> dict[str, str] | None:
        """The newest identity of a pseudonym, or None."""
        found = None
        for name, values in self.records():
            found = values if name == pseudonym else found
        return found

    def records(self) -> Iterator[tuple[str, dict[str, str]]]:
        """All records, oldest first.

        Raises:
            DataError: a record was changed or moved, or the end of the file is missing.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        cipher = ChaCha20Poly1305(self._key)
        for number, sealed in enumerate(self._sealed()):
            try:
                plain = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._associated(number))
            except InvalidTag:
                raise self._damaged(number) from None
            content = json.loads(plain)
            yield str(content["pseudonym"]), dict(content["identity"])

    def _sealed(self) -> Iterator[bytes]:
        if not self._path.is_file():
            return
        with open(self._path, "rb") as file:
            number = 0
            while header := file.read(_LENGTH.size):
                length = _LENGTH.unpack(header)[0] if len(header) == _LENGTH.size else 0
                sealed = file.read(length) if 0 < length <= _MAX_RECORD_BYTES else b""
                if len(sealed) != length or length <= _NONCE_BYTES:
                    raise self._damaged(number)
                yield sealed
                number += 1

    def _count(self) -> int:
        return sum(1 for _ in self._sealed())

    def _seal(self, number: int, content: Mapping[str, object]) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        nonce = secrets.token_bytes(_NONCE_BYTES)
        plain = json.dumps(content, ensure_ascii=False).encode()
        sealed = nonce + ChaCha20Poly1305(self._key).encrypt(nonce, plain, self._associated(number))
        return _LENGTH.pack(len(sealed)) + sealed

    def _associated(self, number: int) -> bytes:
        return f"{self._project}:{number}".encode()

    def _damaged(self, number: int) -> DataError:
        return DataError(
            f"Record {number + 1} of the identities is damaged, or does not belong to this project or this key",
            where=self._path,
            do="take the file from a backup",
        )
