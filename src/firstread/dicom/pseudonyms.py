"""Pseudonyms of patients: keyed hashes (HMAC-SHA256, RFC 2104) of identifiers.

A plain hash of a short number can be reversed by hashing every number. So the hash is keyed with 32 random bytes that
stay in the firstread folder of this computer. A patient has the same pseudonym in every data set opened on this
computer, and another one on other computers.
"""

import hashlib
import hmac
import secrets
from pathlib import Path

from firstread.core.files import write_bytes
from firstread.core.paths import home_folder
from firstread.core.patient_identity import normalize_patient

_KEY_BYTES = 32
_DIGEST_CHARACTERS = 12


def make_pseudonym(identifier: str, *, prefix: str = "P") -> str:
    """Make a short pseudonym of an identifier, stable on this computer."""
    digest = hmac.new(_load_key(home_folder() / "pseudonym.key"), identifier.encode("utf-8", "replace"), hashlib.sha256)
    return prefix + digest.hexdigest()[:_DIGEST_CHARACTERS]


def component_pseudonym(patient: str | None) -> str | None:
    """Pseudonym that all spellings of a patient's identifier share; None where no patient is stated."""
    return None if not patient else make_pseudonym(f"component:{normalize_patient(patient)}")


_KEY_CACHE: dict[Path, bytes] = {}


def _load_key(path: Path) -> bytes:
    if path not in _KEY_CACHE:
        if not path.is_file() or path.stat().st_size != _KEY_BYTES:
            write_bytes(path, secrets.token_bytes(_KEY_BYTES))
            path.chmod(0o600)
        _KEY_CACHE[path] = path.read_bytes()
    return _KEY_CACHE[path]
