"""The vault of a project: what leads back to people, outside the project folder, for its owner alone (mode 0700).

```
vault/<project>/
  key.json           the secret, wrapped by the passphrase and by the recovery code
  identities.bin     pseudonym -> identity, one encrypted record each (firstread.project.identity_records)
  index/             the identified index of the archive
  audit-head.json    where the audit log ended
```
"""

import os
import secrets
import stat
from dataclasses import asdict
from pathlib import Path

from firstread.core.errors import DataError, SettingError, StorageError
from firstread.core.files import read_json, translate_os_errors, write_json
from firstread.core.paths import home_folder
from firstread.project.audit_log import ChainHead
from firstread.project.secret_wrap import (
    SECRET_BYTES,
    make_recovery_code,
    read_wrapped,
    unwrap_secret,
    wrap_secret,
)

_MAX_HEAD_BYTES = 10_000
#: names of folders that a program copies to other computers
_SYNCHRONIZED = ("dropbox", "onedrive", "google drive", "googledrive", "icloud", "nextcloud", "owncloud", "box sync")


class Vault:
    """The vault of one project.

    Attributes:
        folder: of the vault.
        project: identifier of the project.
    """

    def __init__(self, project: str, folder: Path | None = None) -> None:
        self.project = project
        self.folder = Path(folder) if folder is not None else home_folder() / "vault" / project

    @property
    def index_folder(self) -> Path:
        """The identified index."""
        return self.folder / "index"

    @property
    def exists(self) -> bool:
        """Whether the vault holds a key."""
        return (self.folder / "key.json").is_file()

    @property
    def is_keyless(self) -> bool:
        """Whether the vault was made without a secret: nothing in it leads back to anybody."""
        content = read_json(self.folder / "key.json", max_bytes=_MAX_HEAD_BYTES)
        return isinstance(content, dict) and content.get("wraps") == {}

    def create(self, passphrase: str | None) -> str:
        """Make the vault and the secret of a new project.

        Args:
            passphrase: that opens the secret; None makes a vault without one, for an archive that is de-identified.

        Returns:
            The recovery code, which is written nowhere; "" for a vault without a secret.

        Raises:
            StorageError: there is a vault already; it is never replaced.
            SettingError: the passphrase is too short, or the folder lies where others get it: in a git tree or a
                folder that is synchronized.
        """
        self._check_place()
        if self.exists:
            raise StorageError("This project has a vault already", where=self.folder, do="open the project instead")
        with translate_os_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.folder.chmod(0o700)
        if passphrase is None:
            self._write_new("key.json", {"project": self.project, "wraps": {}})
            return ""
        secret, code = secrets.token_bytes(SECRET_BYTES), make_recovery_code()
        wraps = {
            "passphrase": wrap_secret(secret, passphrase, project=self.project).to_json(),
            "recovery": wrap_secret(secret, code, project=self.project).to_json(),
        }
        self._write_new("key.json", {"project": self.project, "wraps": wraps})
        return code

    def open(self, passphrase: str) -> bytes:
        """The secret of the project, by its passphrase or its recovery code.

        Raises:
            DataError: there is no key, or it is damaged, or others may read it.
            SettingError: the passphrase does not open it.
        """
        self.check()
        if self.is_keyless:
            raise SettingError("This project has no key: its archive was de-identified by somebody else")
        wraps = read_wrapped(self.folder / "key.json")
        is_code = len(passphrase.replace("-", "").strip()) == 32 and "recovery" in wraps and passphrase.count("-") == 7
        return unwrap_secret(wraps["recovery" if is_code else "passphrase"], passphrase, project=self.project)

    def check(self) -> None:
        """Refuse a vault that is not there, belongs to another project, or that others may open.

        Raises:
            DataError: says which of them.
        """
        path = self.folder / "key.json"
        if not path.is_file():
            raise DataError("The vault of this project is not here", where=self.folder, do="copy it from its backup")
        self._check_mode()
        content = read_json(path, max_bytes=_MAX_HEAD_BYTES)
        if not isinstance(content, dict) or content.get("project") != self.project:
            raise DataError(
                "This vault belongs to another project",
                where=self.folder,
                do="put the path of this project's own vault into project.toml",
            )

    def remember(self, head: ChainHead) -> None:
        """Keep where the audit log ended."""
        if self.exists:
            write_json(self.folder / "audit-head.json", asdict(head))

    def remembered(self) -> ChainHead | None:
        """Where the audit log ended when it was last written; None where the vault is not here."""
        path = self.folder / "audit-head.json"
        if not path.is_file():
            return None
        values = read_json(path, max_bytes=_MAX_HEAD_BYTES)
        return ChainHead(int(values["lines"]), str(values["sha256"]))

    def _write_new(self, name: str, content: object) -> None:
        """Write a file that is not there yet, for the owner alone."""
        import json

        path = self.folder / name
        with translate_os_errors(path):
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            except FileExistsError:
                raise StorageError(
                    "This project has a key already", where=path, do="open the project instead"
                ) from None
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=2)
                file.flush()
                os.fsync(file.fileno())

    def _check_mode(self) -> None:
        mode = stat.S_IMODE(self.folder.stat().st_mode)
        if mode & 0o077:
            raise DataError(
                f"Others may open the vault (mode {mode:04o})", where=self.folder, do=f"chmod 700 '{self.folder}'"
            )

    def _check_place(self) -> None:
        for folder in (self.folder, *self.folder.resolve().parents):
            if (folder / ".git").exists():
                raise SettingError(
                    "The vault would lie in a git tree, and be committed one day",
                    where=self.folder,
                    do="choose a folder outside of it, with --vault",
                )
            if any(word in folder.name.casefold() for word in _SYNCHRONIZED):
                raise SettingError(
                    "The vault would lie in a folder that is copied to other computers",
                    where=self.folder,
                    do="choose a folder on this computer alone, with --vault",
                )


def derive_key(secret: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose, from the secret of a project (HKDF-SHA256, RFC 5869)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), SECRET_BYTES, salt=None, info=f"firstread vault {purpose}".encode()).derive(secret)
