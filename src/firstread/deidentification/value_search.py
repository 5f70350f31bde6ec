"""Search for identity values in text: names and their parts, identifiers, telephone numbers, dates in many notations.

What is found is cut out; the words around it stay. A part of a name shorter than three letters, and a part that is a
common word of radiology ("Head", "Long"), is searched as part of the whole name only, because cutting it would destroy
descriptions and identifies nobody. Where it is all that is left of a description, it goes too.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from itertools import permutations

from firstread.deidentification.spellings import LETTERS, letter_forms, plain_spelling_pattern, spelling_pattern

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:jan(?:uar[yi]?|vier)?|f[eé][bv](?:ruar[yi]?|rier)?|m[aä]r(?:ch|z|s)?|apr(?:il)?|avril|ma[iy]|june?|juni|juin|"
    r"jul[yi]?|juillet|aug(?:ust)?|ao[uû]t|sep(?:t(?:ember|embre)?)?|o[ck]t(?:ober|obre)?|nov(?:ember|embre)?|"
    r"de[cz](?:ember)?|d[eé]cembre)\.?"
)
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|mo|di|mi|do|fr|sa|so)\b[.,]?\s*"
_DAY, _MONTH_NUMBER, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)\d\d"
_TWO_DAY, _TWO_MONTH = r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])"
_DATE_LIKE = (
    rf"(?<![\d.])(?:{_WEEKDAY})?(?:"
    rf"{_YEAR}{_TWO_MONTH}{_TWO_DAY}(?:[0-2]\d[0-5]\d(?:[0-5]\d)?)?"
    rf"|{_YEAR}([-./]){_MONTH_NUMBER}\1{_DAY}|{_DAY}([-./]){_MONTH_NUMBER}\2{_YEAR}|{_MONTH_NUMBER}([-/]){_DAY}\3{_YEAR}"
    rf"|{_TWO_DAY}([./]){_TWO_MONTH}\4\d\d"
    rf"|{_DAY}\.?[\s-]?{_MONTH}[\s-]?,?\s?{_YEAR}|{_MONTH}\s?{_DAY}(?:st|nd|rd|th)?,?\s?{_YEAR}"
    rf")(?![\d]|\.\d)"
)
_UID = r"(?<![\d.])[0-2](?:\.\d{1,39}){5,}(?!\d)"
_OLD_AGE = r"(?<!\d)(?:0?9\d|1[0-2]\d)\s?-?(?:y(?:ears?)?(?:[\s-]?old|/?o)?|jahre?|j|ans)(?![^\W_])"
#: a title and a name; DR and MR without a full stop are modalities
_TITLED = r"\b(?-i:(?:Dr|Prof|Mr|Mrs|Ms|Herr|Frau|Mme)\b\.?|(?:DR|PROF|MR|MRS|MS)\.)[ ]*(?-i:[A-ZÀ-Þ])[\w'’-]+"
_MAIL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_BORN = r"\b(?:born|birth\s?date|date of birth|d\.?o\.?b\.?|geb(?:oren)?\.?(?:\s?am)?|n[ée]e? le)[\s:]*[\d./-]*\d"
_PHONE = r"\b(?:tel(?:efon|ephone)?|phone|fax|mobil\w*|call)[\s.:]*[+(]?\d[\d\s()/.-]{4,}\d"
_GENERIC_PARTS = (_UID, _BORN, _DATE_LIKE, _OLD_AGE, _TITLED, _MAIL, _PHONE)
_GENERIC = re.compile("|".join(f"(?:{part})" for part in _GENERIC_PARTS), re.IGNORECASE)
_NUMBERED = frozenset({"id", "accession", "study_id"})
#: texts that repeat from file to file are cleaned once
_LONGEST_CACHED = 256
_LETTER, _MAX_PARTS = r"[^\W\d_]", 3
_MIN_NAME, _MIN_ID, _MIN_GLUED_ID, _MIN_PHONE_DIGITS, _MIN_BYTES = 3, 4, 6, 6, 5
#: encodings of DICOM PS3.3 C.12.1.1.2 as Python names them, and UTF-16, in which programs write private data
_CHARACTER_SET_NAMES = """
utf-8 latin-1 iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_15 tis-620
shift_jis iso2022_jp iso2022_jp_2 euc_jp euc_kr iso2022_kr gb18030 gb2312 utf-16-le
"""
_CHARACTER_SETS = tuple(_CHARACTER_SET_NAMES.split())
#: words of radiology and of DICOM that are family names too
_COMMON_TEXT = """
abdomen arm axial axis back black blood body bone bones brain breast chest child contrast coronal derived doctor
early elbow face female field foot gray hand hands head heart hip image kidney knee late left leg legs light
liver localizer long low lung lungs male man march may mean med medical middle mode neck new nose number old
original other part pelvis phase plane post pre primary ray right screen secondary series short shoulder skull
small soft spine stand standard stone study the thin thorax tissue unit venous view volume wall water white wide
with woman wrist hospital clinic center centre university department radiology institute general city saint
"""
_COMMON = frozenset(_COMMON_TEXT.split())
_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(94)}
#: runs of digits, of letters, of other characters that are no separators
_RUNS = re.compile(r"\d+|[^\W\d_]+|[^\w\s./-]+")
_SEPARATORS = re.compile(r"[\s^=,;/\\_.()'’\"-]+")


def clean_text(text: str, values: frozenset[tuple[str, str]], *, descriptions: bool) -> str:
    """Cut identity values out of a text.

    Args:
        values: (kind, text) of the identity values.
        descriptions: also cut dates, ages over 89, titles with names and mail addresses, whoever they belong to.

    Example:
        >>> values = frozenset({("name", "Doe^Jane"), ("birth_date", "19700321")})
        >>> clean_text("CT abdomen DOE 21.03.1970 portal venous", values, descriptions=True)
        'CT abdomen portal venous'
        >>> clean_text("Liver 3 mm 26.05.2010 post op", frozenset(), descriptions=True)
        'Liver 3 mm post op'
    """
    clean = _clean if len(text) <= _LONGEST_CACHED else _clean.__wrapped__
    return clean(text, values, descriptions)


@lru_cache(maxsize=1 << 14)
def _clean(text: str, values: frozenset[tuple[str, str]], descriptions: bool) -> str:
    plain = undisguise(text)
    found = plain
    for kind, value in _possible_values(plain, values):
        if (pattern := _value_pattern(kind, value, plain.isascii())) is not None:
            found = pattern.sub(" ", found)
    if descriptions:
        found = _GENERIC.sub(" ", found)
    if found == plain:
        return text
    tidy = _tidy(found)
    return "" if descriptions and _is_name(tidy, values) else tidy


def _is_name(text: str, values: frozenset[tuple[str, str]]) -> bool:
    """Whether what is left of a text is nothing but parts of a name, such as "Long" of "Long 21.03.1970"."""
    words = {word.casefold() for word in _SEPARATORS.split(text) if word}
    return bool(words) and any(
        words <= {part.casefold() for part in _SEPARATORS.split(value)} for kind, value in values if kind == "name"
    )


def _possible_values(text: str, values: frozenset[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Values that a text may hold, in order: the patterns of all others need not be compiled and tried."""
    if not text.isascii():
        yield from sorted(values)
        return
    lowered = text.lower()
    for kind, value, pieces in _ordered_pieces(values):
        if any(piece in lowered for piece in pieces):
            yield kind, value


@lru_cache(maxsize=4096)
def _ordered_pieces(values: frozenset[tuple[str, str]]) -> tuple[tuple[str, str, frozenset[str]], ...]:
    return tuple((kind, value, necessary_pieces(kind, value)) for kind, value in sorted(values))


@lru_cache(maxsize=1 << 14)
def necessary_pieces(kind: str, value: str) -> frozenset[str]:
    """Pieces, in small letters, of which each ASCII text that an identity value's pattern matches holds at least one.

    Example:
        >>> sorted(necessary_pieces("name", "Doe^Müller")), sorted(necessary_pieces("birth_date", "19700321"))
        (['d', 'ller'], ['70'])
    """
    if kind == "birth_date":
        return frozenset({value[2:4]} if date_notations(value) else ())
    if kind == "phone":
        digits = re.sub(r"\D", "", value)
        return frozenset({digits[:1]} if len(digits) >= _MIN_PHONE_DIGITS else ())
    groups = value.split("=") if kind == "name" else [value]
    pieces = (piece for group in groups for piece in _pieces_of_group(kind, group))
    return frozenset(piece for piece in pieces if piece is not None)


def _pieces_of_group(kind: str, group: str) -> Iterator[str | None]:
    """Pieces of a name's parts, or the one piece that all spellings of a number hold."""
    if kind == "name" and not any(map(str.isdigit, group)):
        parts = [part for part in _SEPARATORS.split(group) if part]
        yield from (_longest_plain_piece(part) for part in parts if _is_rare(part))
        common = [_longest_plain_piece(part) for part in parts[:_MAX_PARTS] if not _is_rare(part)]
        # searched in pairs, so that one of them need not be asked for
        yield from sorted(common, key=lambda piece: len(piece or ""))[1:]
    elif len(group) >= _MIN_ID:
        parts = _RUNS.findall(group)
        digits = [part for part in parts if part.isdigit()]
        searched_alone = kind in {"name", *_NUMBERED} and sum(map(len, digits)) >= _MIN_GLUED_ID
        pieces = [_longest_plain_piece(part) for part in (digits if searched_alone else parts)]
        yield max((piece for piece in pieces if piece is not None), key=len) if pieces and None not in pieces else None


def _longest_plain_piece(part: str) -> str | None:
    """Longest run of letters with one spelling in ASCII, "" where there is none; None where one has none at all."""
    run, longest = "", ""
    for letter in LETTERS.findall(unicodedata.normalize("NFC", part)):
        spellings = {form.casefold() for form in letter_forms(letter.casefold()) if form.isascii()}
        if not spellings:
            return None
        run = run + spellings.pop() if len(spellings) == 1 else ""
        longest = max(longest, run, key=len)
    return longest


def undisguise(text: str) -> str:
    """A text without invisible characters, full-width letters as plain ones.

    Example:
        >>> undisguise("D\u200boe \uff24\uff2f\uff25")
        'Doe DOE'
    """
    if text.isascii():
        return text
    return "".join(char for char in text if unicodedata.category(char) != "Cf").translate(_FULL_WIDTH)


@lru_cache(maxsize=4096)
def value_patterns(values: frozenset[tuple[str, str]]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """(kind, pattern) of each identity value that is long and rare enough to be searched for.

    Example:
        >>> [kind for kind, _ in value_patterns(frozenset({("name", "Doe^Jane"), ("id", "12")}))]
        ['name']
    """
    found = [(kind, _value_pattern(kind, value, False)) for kind, value in sorted(values)]
    return tuple((kind, pattern) for kind, pattern in found if pattern is not None)


@lru_cache(maxsize=1 << 14)
def _value_pattern(kind: str, value: str, ascii_only: bool) -> re.Pattern[str] | None:
    """Pattern of a value; for texts of ASCII one that matches the same there and is compiled sooner."""
    full = list(_patterns(kind, value, spelling_pattern))
    searched = list(_patterns(kind, value, plain_spelling_pattern)) if ascii_only else full
    ordered = sorted(set(zip(full, searched, strict=True)), key=lambda pair: (-len(pair[0]), pair[0]))
    return re.compile("|".join(pattern for _, pattern in ordered), re.IGNORECASE) if ordered else None


@lru_cache(maxsize=256)
def encoded_values(values: frozenset[tuple[str, str]]) -> tuple[bytes, ...]:
    """Identity values of five bytes and more as bytes in the character sets that DICOM files are written in.

    Example:
        >>> encoded_values(frozenset({("id", "A-4711")}))
        (b'A\\x00-\\x004\\x007\\x001\\x001\\x00', b'A-4711')
    """
    found = {form for kind, value in values for text in _written(kind, value) for form in encodings(text)}
    return tuple(sorted(form for form in found if len(form) >= _MIN_BYTES))


def encodings(text: str) -> set[bytes]:
    """A text in each character set that can write it."""
    found = set()
    for name in _CHARACTER_SETS:
        try:
            found.add(text.encode(name))
        except UnicodeEncodeError:
            continue
    return found


def _written(kind: str, value: str) -> tuple[str, ...]:
    if kind == "birth_date":
        return date_notations(value)
    return (value, *name_parts(value)) if kind == "name" else (value,)


def date_notations(text: str) -> tuple[str, ...]:
    """Notations of a DA value that people write.

    Example:
        >>> date_notations("19700321")[:4]
        ('19700321', '1970-03-21', '21.03.1970', '21/03/1970')
    """
    try:
        day = date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return ()
    y, m, d, month = f"{day.year:04d}", f"{day.month:02d}", f"{day.day:02d}", _MONTHS[day.month - 1].capitalize()
    german, american = f"{day.day}.{day.month}.", f"{day.month}/{day.day}/"
    short = {german + y, german + y[2:], f"{d}.{m}.{y[2:]}", american + y}
    by_month = f"{d} {month} {y}", f"{d}-{month}-{y}", f"{month} {d}, {y}"
    numbers = f"{y}{m}{d}", f"{y}-{m}-{d}", f"{d}.{m}.{y}", f"{d}/{m}/{y}", f"{m}/{d}/{y}", f"{d}{m}{y}", f"{y}/{m}/{d}"
    return (*numbers, *by_month, f"{y}.{m}.{d}", *sorted(short))


def name_parts(name: str) -> list[str]:
    """Parts of a person name long and rare enough to be searched alone.

    Example:
        >>> name_parts("Doe-Miller^Jane^Q"), name_parts("Head^Al")
        (['Doe', 'Miller', 'Jane'], [])
    """
    groups = (group for group in name.split("=") if not any(map(str.isdigit, group)))
    return [part for group in groups for part in _SEPARATORS.split(group) if _is_rare(part)]


def _patterns(kind: str, value: str, spell: Callable[[str], str]) -> Iterator[str]:
    if kind == "birth_date":
        yield from _date_patterns(value)
    elif kind == "phone":
        digits = re.sub(r"\D", "", value)
        if len(digits) >= _MIN_PHONE_DIGITS:
            yield _bounded(r"[\s()/.+-]{0,3}".join(digits), r"\d")
    elif kind == "name":
        yield from _name_patterns(value, spell)
    else:
        yield from _identifier_patterns(kind, value, spell)


def _date_patterns(text: str) -> Iterator[str]:
    """Patterns of a birth date in any order and with any separator, years of two and of four digits."""
    notations = date_notations(text)
    if not notations:
        return
    year, month, day = text[:4], text[4:6], text[6:8]
    years, name = f"(?:{year}|{year[2:]})", f"{_MONTHS[int(month) - 1]}[a-zé]{{0,7}}\\.?"
    days, months = (f"0?{number.lstrip('0')}" for number in (day, month))
    for order in ((days, months, years), (months, days, years), (years, months, days)):
        yield _bounded(r"[\s./,-]{1,2}".join(order), r"\d")
    for order in ((days, name, years), (name, days, years)):
        yield _bounded(r"[\s./,-]{0,2}".join(order), r"\d")
    for digits in (day + month, month + day):
        yield from (_bounded(digits + written, r"\d") for written in (year, year[2:]))
    yield from (_bounded(written + month + day, r"\d") for written in (year, year[2:]))
    yield from (_bounded(re.escape(form), r"\d") for form in notations)


def _name_patterns(name: str, spell: Callable[[str], str]) -> Iterator[str]:
    for group in name.split("="):
        if any(map(str.isdigit, group)):  # a number in the place of a name
            yield from _identifier_patterns("id", group, spell)
            continue
        parts = [part for part in _SEPARATORS.split(group) if part]
        for part in parts:
            if _is_rare(part):
                yield _bounded(spell(part), _LETTER, ending="(?:['’]?s)?")
        for pair in permutations(parts[:_MAX_PARTS], 2):
            if sum(map(len, pair)) > _MIN_NAME:
                yield _bounded(r"[\s^=,;._-]{0,3}".join(map(spell, pair)), _LETTER)


def _identifier_patterns(kind: str, value: str, spell: Callable[[str], str]) -> Iterator[str]:
    if len(value) < _MIN_ID or value.casefold() in _COMMON:
        return
    parts = _RUNS.findall(value)
    if not parts:  # separators alone, such as "----"
        return
    pattern = r"[\s_./-]{0,3}".join(map(spell, parts))
    glued = kind in _NUMBERED and len(value) >= _MIN_GLUED_ID and any(map(str.isdigit, value))
    yield pattern if glued else _bounded(pattern, r"[^\W_]")
    digits = [part for part in parts if part.isdigit()]
    if glued and sum(map(len, digits)) >= _MIN_GLUED_ID and len(digits) < len(parts):
        yield _bounded(r"[\s_./-]{0,3}".join(digits), r"\d")


def _bounded(pattern: str, inside: str, ending: str = "") -> str:
    return f"(?<!{inside}){pattern}{ending}(?!{inside})"


def _is_rare(part: str) -> bool:
    shortest = 2 if any(ord(char) > 0x2E7F for char in part) else _MIN_NAME
    return len(part) >= shortest and part.casefold() not in _COMMON


def _tidy(text: str) -> str:
    """Close the gaps that cutting leaves, line by line."""
    lines = (re.sub(r"[ \t]{2,}", " ", line).strip(" ,;:/^=_-") for line in text.split("\n"))
    return "\n".join(lines).strip()
