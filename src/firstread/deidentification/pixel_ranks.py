"""Ranks of text that was read in pixels: the patient's own values, other words, marks that radiographs carry.

Reading only ranks: whatever is text is blacked, except marks. A reading may be off by letters, so own values are
compared with what looks alike written alike (0 and O, 1 and I) and a quarter of the letters wrong.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from firstread.deidentification.value_search import date_notations, name_parts, undisguise, value_patterns

RED, AMBER, MARK = RANKS = ("red", "amber", "mark")
#: sides, projections, positions and circumstances that a radiograph is marked with
_MARK_TEXT = """
l r lt rt li re left right links rechts dx sx der izq droite gauche ap pa lat lateral oblique obl lpo rpo lao rao axial
portable mobile bedside supine prone erect upright semi semierect semiupright standing sitting decubitus decub
stehend liegend sitzend insp inspiration exp expiration grid internal external rotation neutral weight bearing
cc mlo ml lm xcc xccl rcc lcc rmlo lmlo rml lml
"""
_MARKS = frozenset(_MARK_TEXT.split())
#: letters and digits that recognition confuses
_ALIKE = str.maketrans("oqdilzsbg", "000112589")
_SHORTEST_NAME, _SHORTEST_NUMBER, _WRONG_SHARE = 4, 5, 0.25
_LONGEST_READ = 400
_NUMBERS = frozenset({"id", "accession", "study_id", "phone"})


def rank_text(text: str, values: frozenset[tuple[str, str]]) -> str:
    """Rank of a text that was read in pixels: "red", "amber" or "mark".

    Args:
        values: (kind, text) of the identity values of the patient.

    Example:
        >>> values = frozenset({("name", "Doe-Miller^Jane"), ("birth_date", "19700321")})
        >>> [rank_text(text, values) for text in ("M1LLER, JANF", "21.O3.1970", "Liver", "PORTABLE AP", "R")]
        ['red', 'red', 'amber', 'mark', 'mark']
    """
    text = undisguise(text[:_LONGEST_READ])
    if any(pattern.search(text) for _, pattern in value_patterns(values)) or _is_like_own(text, values):
        return RED
    words = [word for word in re.split(r"[\W_]+", text.casefold()) if word]
    own = {part.casefold() for kind, value in values if kind == "name" for part in re.split(r"[\W_]+", value)}
    return MARK if words and all(word in _MARKS and word not in own for word in words) else AMBER


def _is_like_own(text: str, values: frozenset[tuple[str, str]]) -> bool:
    read = _alike(text)
    return any(_is_within(form, read) for form in _forms(values))


@lru_cache(maxsize=256)
def _forms(values: frozenset[tuple[str, str]]) -> frozenset[str]:
    """Values as recognition may read them, long enough to be told from others."""
    found: set[str] = set()
    for kind, value in values:
        texts: Iterable[str] = (value,)
        if kind == "birth_date":
            texts = date_notations(value)
        elif kind == "name":
            texts = name_parts(value)
        shortest = _SHORTEST_NUMBER if kind in _NUMBERS | {"birth_date"} else _SHORTEST_NAME
        found |= {form for item in texts if len(form := _alike(item)) >= shortest}
    return frozenset(found)


def _alike(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in plain if char.isalnum()).translate(_ALIKE)


def _is_within(form: str, read: str) -> bool:
    """Whether a text is somewhere in another one with at most a quarter of its letters wrong, missing or added."""
    allowed = int(len(form) * _WRONG_SHARE)
    if form in read:
        return True
    if not allowed or len(form) > len(read) + allowed:
        return False
    row = [0] * (len(read) + 1)  # edits from the first letters of `form` to what ends at each letter of `read`
    for number, letter in enumerate(form, start=1):
        above, row = row, [number] + row[1:]
        for place, other in enumerate(read, start=1):
            row[place] = min(above[place - 1] + (letter != other), above[place] + 1, row[place - 1] + 1)
    return min(row) <= allowed
