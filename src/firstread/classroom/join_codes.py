"""Join codes, resume words and display names: generated, normalized, compared and hashed."""

import hashlib
import hmac
import secrets
import unicodedata
from pathlib import Path

from firstread.classroom.plain_text import clean_line
from firstread.core.errors import SettingError

#: letters and digits that are not easily mistaken for one another
CODE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 6
MAX_NAME_LENGTH = 40
# short, common, harmless nouns
_RESUME_WORDS = (Path(__file__).parent / "resume_words.txt").read_text(encoding="ascii").split()


def generate_join_code() -> str:
    """Draw a join code of six letters and digits, one of 887 million."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))


def generate_resume_word() -> str:
    """Draw a resume word of three nouns and three digits, such as "otter-maple-cloud-417", one of 13 billion.

    Right words are let in however many wrong ones came before. At 200 guesses a second, about the most that a hub
    answers, one of a hundred participants' words is found after a week on average.
    """
    nouns = (secrets.choice(_RESUME_WORDS) for _ in range(3))
    return "-".join([*nouns, str(100 + secrets.randbelow(900))])


def normalize_code(text: str) -> str:
    """Normalize a typed code or resume word: lower case, without spaces, with plain hyphens."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join("-" if unicodedata.category(letter) == "Pd" else letter for letter in plain)
    return "".join(plain.split()).strip("-")


def codes_equal(typed: str, expected: str) -> bool:
    """Compare two codes as normalized, in constant time."""
    first, second = (normalize_code(code).replace("-", "").encode() for code in (typed, expected))
    return hmac.compare_digest(first, second)


def hash_word(word: str, *, key: bytes) -> str:
    """HMAC of a resume word, under which the class database stores it."""
    return hmac.new(key, normalize_code(word).encode(), hashlib.sha256).hexdigest()


def clean_name(text: str) -> str:
    """Clean a display name: one line, without control or text direction characters.

    Raises:
        SettingError: nothing is left, or more than 40 characters.
    """
    name = clean_line(text)
    if not name:
        raise SettingError("A name is missing", do="type the name that the instructor may call you by")
    if len(name) > MAX_NAME_LENGTH:
        raise SettingError(f"The name is longer than {MAX_NAME_LENGTH} characters", do="shorten it")
    return name
