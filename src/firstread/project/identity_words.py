"""Words of identity values in one normal form, to find them in any text at the cost of reading it once.

`value_search` looks for the values of one patient with patterns; over the values of all patients of an archive that
would take hours. Here each value becomes words without accents, case and separators, a text becomes runs of up to four
neighbouring words, and each run is looked up.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from firstread.core.patient_identity import is_placeholder
from firstread.deidentification.value_search import date_notations, name_parts, undisguise

_TOKENS = re.compile(r"[^\W_]+")
_NEIGHBOURS = 4
_MIN_CHARACTERS, _MIN_ID, _MIN_PHONE = 3, 5, 6
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


def value_words(kind: str, value: str) -> set[str]:
    """The words of an identity value, in normal form.

    Example:
        >>> sorted(value_words("name", "Müller^Änne")), sorted(value_words("id", "H-4711"))
        (['aenne', 'anne', 'mueller', 'muller'], ['h4711'])
    """
    if kind == "name":
        texts: Iterable[str] = name_parts(value)
        shortest = _MIN_CHARACTERS
    elif kind == "birth_date":
        texts, shortest = date_notations(value), _MIN_PHONE
    else:
        texts, shortest = [value], _MIN_PHONE if kind == "phone" else _MIN_ID
    forms = {form for text in texts for form in _normal_forms(text)}
    return {form for form in forms if (len(form) >= shortest or _is_ideographic(form)) and not is_placeholder(form)}


def text_words(text: str) -> Iterator[str]:
    """All runs of up to four neighbouring words of a text, in normal form.

    Example:
        >>> set(text_words("H-4711 of Änne")) >= {"h4711", "anne", "aenne"}
        True
    """
    for form in {_fold(undisguise(text)), _fold(undisguise(text).casefold().translate(_UMLAUTS))}:
        tokens = _TOKENS.findall(form)
        for start in range(len(tokens)):
            run = ""
            for token in tokens[start : start + _NEIGHBOURS]:
                run += token
                yield run


def _normal_forms(text: str) -> set[str]:
    folded = {_fold(text), _fold(text.casefold().translate(_UMLAUTS))}
    return {"".join(_TOKENS.findall(form)) for form in folded}


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _is_ideographic(text: str) -> bool:
    return len(text) >= 2 and any(ord(char) > 0x2E7F for char in text)
