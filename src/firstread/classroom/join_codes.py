"""What people type and read: join codes, resume words, display names."""

import hashlib
import hmac
import secrets
import unicodedata
from pathlib import Path

from firstread.core.errors import SettingError

#: no letter or digit that could be read as another when a code is called through a room
CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 6
NAME_LENGTH = 40
# short, common, harmless words
_NOUNS = (Path(__file__).parent / "nouns.txt").read_text(encoding="ascii").split()


def new_join_code() -> str:
    """Six letters and digits, one of 887 million."""
    return "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))


def new_resume_word() -> str:
    """Two words and three digits, such as "otter-maple-417": easy to write down, one of 54 million."""
    return f"{secrets.choice(_NOUNS)}-{secrets.choice(_NOUNS)}-{100 + secrets.randbelow(900)}"


def as_typed(text: str) -> str:
    """A code or a word without what people add to it: case, spaces, other dashes."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join("-" if unicodedata.category(letter) == "Pd" else letter for letter in plain)
    return "".join(plain.split()).strip("-")


def same(given: str, expected: str) -> bool:
    """True if what was typed is the code; takes as long for a near miss as for a far one."""
    return hmac.compare_digest(as_typed(given).replace("-", "").encode(), as_typed(expected).replace("-", "").encode())


def mark(word: str, *, key: bytes) -> str:
    """What is kept of a secret word: it can be found again with the class's key, and cannot be read without it."""
    return hmac.new(key, as_typed(word).encode(), hashlib.sha256).hexdigest()


def clean_name(text: str) -> str:
    """A display name on one line, without control or direction characters.

    Raises:
        SettingError: nothing is left, or more than 40 characters.
    """
    normal = unicodedata.normalize("NFC", text)
    kept = "".join(" " if letter.isspace() else letter for letter in normal if letter.isspace() or _visible(letter))
    name = " ".join(kept.split())
    if not name:
        raise SettingError("A name is missing", do="type the name that the instructor may call you by")
    if len(name) > NAME_LENGTH:
        raise SettingError(f"The name is longer than {NAME_LENGTH} characters", do="shorten it")
    return name


def _visible(letter: str) -> bool:
    return unicodedata.category(letter)[0] != "C" or letter == "\u200d"
