"""Names of classes: which spellings are one class, and which cells name several.

"Pneumonia", "pneumonia " and "PNEUMONIA" are one class to a person, and so are "1" and "1.0"; read as they stand they
would be several outputs of a network. Every way into a cohort, folders and tables, asks here.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

_BLANKS = re.compile(r"[\s_]+|(?<=[^\W\d_])-(?=[^\W\d_])")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?|[+-]?\.\d+")
_BRACKETS = re.compile(r"^[\[({]\s*(.*?)\s*[\])}]$")


def normalize_class(name: str) -> str:
    """One form for all spellings of a class: case, blanks, Unicode form, and how a number is written are ignored.

    Example:
        >>> normalize_class(" Pleural_Effusion"), normalize_class("pleural effusion "), normalize_class("1.0")
        ('pleural effusion', 'pleural effusion', '1')
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    text = "".join(char for char in text if unicodedata.category(char) not in ("Cf", "Cc") or char.isspace())
    text = _BLANKS.sub(" ", text).strip()
    return f"{float(text):g}" if _NUMBER.fullmatch(text) and len(text) < 16 else text


def class_spellings(names: Iterable[str]) -> dict[str, str]:
    """Each spelling that occurs -> the one that stands for its class: the most frequent, then the shortest.

    Example:
        >>> class_spellings(["1", "1.0", "1", "a", "A", "a "])
        {'1': '1', '1.0': '1', 'a': 'a', 'A': 'a', 'a ': 'a'}
    """
    counts = Counter(names)
    groups: dict[str, list[str]] = {}
    for name in counts:
        groups.setdefault(normalize_class(name), []).append(name)
    chosen: dict[str, str] = {}
    for group in groups.values():
        best = min(group, key=lambda name: (-counts[name], len(name.strip()), name.strip().swapcase()))
        spelling = unicodedata.normalize("NFC", best.strip())
        chosen |= dict.fromkeys(group, spelling)
    return {name: chosen[name] for name in counts}


def describe_spellings(spellings: Mapping[str, str]) -> str:
    """Which spellings were joined, as a sentence; nothing where every class has one."""
    joined: dict[str, list[str]] = {}
    for name, spelling in spellings.items():
        joined.setdefault(spelling, []).append(name)
    several = {spelling: names for spelling, names in joined.items() if len(names) > 1}
    listed = "; ".join(
        f"{', '.join(map(repr, names))} are {spelling!r}" for spelling, names in list(several.items())[:5]
    )
    more = "; ..." if len(several) > 5 else ""
    return f"Spellings of one class were joined: {listed}{more}." if several else ""


def find_several_classes(names: Iterable[str]) -> tuple[str, str] | None:
    """The first label that names several classes, and the character between them; None where each names one.

    A "|" always divides. A ";" or "," divides where each part is also a label by itself, because a class may be called
    "mass, left".

    Example:
        >>> find_several_classes(["Effusion", "Effusion|Mass"]), find_several_classes(["mass, left", "mass, right"])
        (('Effusion|Mass', '|'), None)
    """
    unique = list(dict.fromkeys(names))
    keys = {normalize_class(name) for name in unique}
    for name in unique:
        content = _BRACKETS.sub(r"\1", name.strip())
        for separator in ("|", ";", ","):
            parts = [normalize_class(part.strip(" '\"")) for part in content.split(separator) if part.strip(" '\"")]
            if len(parts) > 1 and (separator == "|" or content != name.strip() or keys.issuperset(parts)):
                return name, separator
    return None
