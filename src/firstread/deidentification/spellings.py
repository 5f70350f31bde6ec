"""Spellings of a text: with and without accents, transcribed, and as UTF-8 read as Latin-1; as patterns."""

import re
import unicodedata
from functools import lru_cache

#: a letter, or two that transcribe one
LETTERS = re.compile("ae|oe|ue|ss|.", re.IGNORECASE | re.DOTALL)
_TRANSCRIBED: dict[str, tuple[str, ...]] = {
    "ä": ("ae",),
    "ö": ("oe",),
    "ü": ("ue",),
    "ß": ("ss",),
    "ae": ("ä",),
    "oe": ("ö",),
    "ue": ("ü",),
}
_TRANSCRIBED |= {"ss": ("ß",), "ø": ("oe", "o"), "å": ("aa",), "æ": ("ae",), "ł": ("l",), "đ": ("d",), "ı": ("i",)}
#: letter without accent -> letters of Latin scripts that are it with one
_ACCENTED: dict[str, tuple[str, ...]] = {
    base: tuple(char for char in map(chr, range(0xDF, 0x180)) if unicodedata.normalize("NFD", char)[0] == base)
    for base in "abcdefghijklmnopqrstuvwxyz"
}


def spelling_pattern(text: str) -> str:
    """Pattern of a text in every spelling: with and without accents, transcribed, and as UTF-8 read as Latin-1.

    Example:
        >>> pattern = re.compile(spelling_pattern("Müller"), re.IGNORECASE)
        >>> [bool(pattern.fullmatch(form)) for form in ("MUELLER", "Muller", "MÃ¼ller", "Mu\u0308ller", "Miller")]
        [True, True, True, True, False]
    """
    composed = unicodedata.normalize("NFC", text)
    return "".join(_letter_pattern(part.casefold()) for part in LETTERS.findall(composed))


def plain_spelling_pattern(text: str) -> str:
    """As `spelling_pattern`, for texts of ASCII only."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(_plain_letter_pattern(part.casefold()) for part in LETTERS.findall(composed))


@lru_cache(maxsize=4096)
def letter_forms(letter: str) -> frozenset[str]:
    """Spellings of a letter, or of two that transcribe one."""
    forms = {letter, *_TRANSCRIBED.get(letter, ())}
    for form in tuple(forms):
        folded = "".join(char for char in unicodedata.normalize("NFKD", form) if not unicodedata.combining(char))
        forms |= {folded, *_ACCENTED.get(folded, ())}
    for form in tuple(forms):
        forms |= {unicodedata.normalize("NFD", form)}
        forms |= {case.encode("utf-8", "replace").decode("latin-1") for case in (form, form.upper())}
    return frozenset(forms)


@lru_cache(maxsize=4096)
def _letter_pattern(letter: str) -> str:
    """Pattern of a letter, or of two that transcribe one, in all spellings."""
    forms = letter_forms(letter)
    single = "".join(sorted(form for form in forms if len(form) == 1))
    longer = sorted((form for form in forms if len(form) > 1), key=lambda form: (-len(form), form))
    return "(?:" + "|".join([*map(re.escape, longer), *([f"[{re.escape(single)}]"] if single else [])]) + ")"


@lru_cache(maxsize=4096)
def _plain_letter_pattern(letter: str) -> str:
    forms = sorted((form for form in letter_forms(letter) if form.isascii()), key=lambda form: (-len(form), form))
    return "(?:" + "|".join(map(re.escape, forms)) + ")" if len(forms) > 1 else re.escape(forms[0]) if forms else "(?!)"
