"""Names for patients that cannot be turned back into the patients.

A plain hash of a short number can be undone by hashing every number. So the hash is keyed (HMAC-SHA256, RFC 2104)
with 32 random bytes that stay in the firstread folder of this computer. The same patient has the same pseudonym in
every data set opened here, and another one elsewhere.
"""

import hashlib
import hmac
import secrets
from pathlib import Path

from firstread.core.files import write_bytes
from firstread.core.paths import home

_KEY_BYTES = 32
_LETTERS = 12


def pseudonym(identifier: str, *, prefix: str = "P") -> str:
    """A short pseudonym, always the same for the same identifier on this computer."""
    digest = hmac.new(_key(home() / "pseudonym.key"), identifier.encode("utf-8", "replace"), hashlib.sha256)
    return prefix + digest.hexdigest()[:_LETTERS]


_KEYS: dict[Path, bytes] = {}


def _key(path: Path) -> bytes:
    if path not in _KEYS:
        if not path.is_file() or path.stat().st_size != _KEY_BYTES:
            write_bytes(path, secrets.token_bytes(_KEY_BYTES))
            path.chmod(0o600)
        _KEYS[path] = path.read_bytes()
    return _KEYS[path]
