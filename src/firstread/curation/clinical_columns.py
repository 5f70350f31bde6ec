"""Columns of a department's clinical table: which may stay, and what becomes of their values.

A column is dropped where its name or its values say that it identifies people. What stays is numbers, yes or no, words
of a few kinds, and dates as days since the patient's first study; ages over 89 are 90 (HIPAA Safe Harbor, 45 CFR
164.514(b)(2)).
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from firstread.core.errors import SettingError, suggest

if TYPE_CHECKING:
    import pandas as pd

#: what becomes of a column
KINDS = ("number", "age", "truth", "category", "date", "dropped")
OLDEST_AGE = 90
MOST_CATEGORIES = 20
_IDENTIFYING = re.compile(
    r"(?:^|_)(?:name|names|vorname|nachname|surname|firstname|lastname|initials|birth\w*|born|dob|geb|geburt\w*|"
    r"naissance|nacimiento|address|adresse|street|strasse|zip|plz|postcode|postal|city|town|village|phone\w*|tel\w*|mobile|"
    r"fax|e?mail|insurance|versicher\w*|ssn|nhs|mrn|pid|kis|ids?|identifier|accession|physician|doctor|arzt|"
    r"referr\w*|surgeon|radiologist|hospital|ward|employer|photo|url|ip|comments?|notes?|remarks?|text|free|report)(?:_|$)"
)
_AGE = re.compile(r"(?:^|_)(?:age|alter|edad)(?:_|$)")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?")
_TRUE, _FALSE = frozenset(("yes", "true", "ja", "oui", "si", "y", "j")), frozenset(("no", "false", "nein", "non", "n"))
_ISO = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ][\d:.]+)?")
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?: [\d:.]+)?")
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: [\d:.]+)?")
#: share of the values of a column that must be dates
_DATES = 0.9
_LONG_NUMBER, _FEW_ROWS = 6, 5
_BIRTH_YEARS, _DAYS_A_YEAR = 40, 365.25


@dataclass(frozen=True)
class ClinicalColumn:
    """What becomes of one column.

    Attributes:
        source: its name in the department's table; "column 7" where the name itself would identify somebody.
        place: its position, from 0.
        name: in the project.
        kind: one of `KINDS`.
        reason: why it is dropped.
    """

    source: str
    place: int
    name: str
    kind: str
    reason: str = ""


def check_columns(table: "pd.DataFrame", *, key: str, keep: Sequence[str] = ()) -> None:
    """Refuse columns that are not there, or a key that stands twice.

    Raises:
        SettingError: names the nearest column.
    """
    for name in (key, *keep):
        if name not in list(table.columns):
            raise SettingError(f'The table has no column "{name}".{suggest(name, list(map(str, table.columns)))}')
    if list(table.columns).count(key) > 1:
        raise SettingError(f'The table has the column "{key}" twice', do="rename one of them")


def decide_columns(
    table: "pd.DataFrame",
    *,
    key: str,
    keep: Sequence[str] = (),
    names_somebody: Callable[[str], bool],
    birth_dates: Sequence[frozenset[str]] = (),
) -> list[ClinicalColumn]:
    """Decide about each column of a table but its key.

    Args:
        table: values as text, as `datasets.table_text.read_table` gives them.
        key: column of the patients' identifiers.
        keep: columns that stay although their name or their values look identifying; the search of values holds.
        names_somebody: whether a text holds an identity value, or looks like one.
        birth_dates: (N,) what is known of each row's patient, as YYYYMMDD.

    Raises:
        SettingError: there is no such column.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"mrn": ["1", "2"], "surname": ["A", "B"], "op_date": ["2024-03-01", None]})
        >>> found = decide_columns(table, key="mrn", names_somebody=lambda text: False)
        >>> [(column.name, column.kind) for column in found]
        [('surname', 'dropped'), ('op_day', 'date')]
    """
    check_columns(table, key=key, keep=keep)
    found: list[ClinicalColumn] = []
    for place, source in enumerate(table.columns):
        if source == key:
            continue
        values = [value if isinstance(value, str) else None for value in table.iloc[:, place]]
        kind, reason = _decide(str(source), values, source in keep, names_somebody, birth_dates)
        shown = f"column {place + 1}" if names_somebody(str(source)) else str(source)
        name = _name(shown, kind, {column.name for column in found})
        found.append(ClinicalColumn(shown, place, name, kind, reason))
    return found


def convert_values(values: Sequence[str | None], kind: str, first_days: Sequence[date | None]) -> list[object]:
    """The values of a column as the project keeps them; None for what cannot be read.

    Args:
        values: (N,) texts.
        kind: of `decide_columns`.
        first_days: (N,) day of the first study of each row's patient, for dates.

    Example:
        >>> convert_values(["2024-03-11", None], "date", [date(2024, 3, 1), None])
        [10, None]
        >>> convert_values(["93"], "age", [None])
        [90.0]
    """
    if kind == "date":
        order = _day_first([value for value in values if value])
        days = [_date(value, day_first=order is not False) if value else None for value in values]
        return [(day - first).days if day and first else None for day, first in zip(days, first_days, strict=True)]
    if kind in ("number", "age"):
        numbers = [_number(value) for value in values]
        if kind == "age":
            numbers = [number if number is None else min(number, float(OLDEST_AGE)) for number in numbers]
        return list(numbers)
    if kind == "truth":
        return [None if value is None else value.casefold() in _TRUE for value in values]
    return list(values)


def _decide(
    source: str,
    values: list[str | None],
    is_kept: bool,
    names_somebody: Callable[[str], bool],
    birth_dates: Sequence[frozenset[str]],
) -> tuple[str, str]:
    """Kind and reason of a column."""
    stated = [value for value in values if value]
    if not stated:
        return "dropped", "it holds no values"
    if not is_kept and _IDENTIFYING.search(_plain(source)):
        return "dropped", "its name says that it identifies people, or holds free text"
    kind = _kind(stated)
    if kind == "date":
        return _decide_date(values, birth_dates)
    if kind == "number" and _AGE.search(_plain(source)):
        kind = "age"
    reason = _why_identifying(kind, stated, is_kept, names_somebody)
    return ("dropped", reason) if reason else (kind, "")


def _why_identifying(kind: str, stated: list[str], is_kept: bool, names_somebody: Callable[[str], bool]) -> str:
    """Why values that are no dates identify people; "" where they do not."""
    distinct = set(stated)
    long_numbers = {value for value in distinct if value.isdigit() and len(value) >= _LONG_NUMBER}
    if any(names_somebody(value) for value in (distinct if kind == "category" else long_numbers)):
        return "values in it name somebody, or look as if they did"
    is_unique = len(distinct) == len(stated) >= _FEW_ROWS
    if is_unique and len(long_numbers) == len(distinct) and not is_kept:
        return "its numbers are long and all different, as identifiers are"
    if kind == "category" and not is_kept and (is_unique or len(distinct) > MOST_CATEGORIES):
        return "its texts are as good as all different: free text, or identifiers"
    return ""


def _decide_date(values: list[str | None], birth_dates: Sequence[frozenset[str]]) -> tuple[str, str]:
    stated = [value for value in values if value]
    order = _day_first(stated)
    if order is None:
        return "dropped", "days and months cannot be told apart; write dates as 2024-03-31"
    days = [_date(value, day_first=order) if value else None for value in values]
    own = sum(
        day is not None and day.strftime("%Y%m%d") in known for day, known in zip(days, birth_dates, strict=False)
    )
    known_days = [day for day in days if day]
    if own and own >= len(known_days) / 2:
        return "dropped", "it holds birth dates"
    if (max(known_days) - min(known_days)).days > _BIRTH_YEARS * _DAYS_A_YEAR:
        return "dropped", f"its dates span more than {_BIRTH_YEARS} years, as birth dates do"
    return "date", ""


def _kind(stated: list[str]) -> str:
    if sum(_is_date(value) for value in stated) >= _DATES * len(stated):
        return "date"
    if all(_NUMBER.fullmatch(value) for value in stated):
        return "number"
    return "truth" if all(value.casefold() in _TRUE | _FALSE for value in stated) else "category"


def _is_date(value: str) -> bool:
    return any(_date(value, day_first=order) is not None for order in (True, False))


def _date(value: str, *, day_first: bool) -> date | None:
    if match := _ISO.fullmatch(value):
        year, month, day = match.groups()
    elif match := _DOTTED.fullmatch(value):
        day, month, year = match.groups()
    elif match := _SLASHED.fullmatch(value):
        first, second, year = match.groups()
        day, month = (first, second) if day_first else (second, first)
    else:
        return None
    try:
        found = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return found if 1850 <= found.year <= 2200 else None


def _day_first(stated: list[str]) -> bool | None:
    """Whether days stand before months in dates with slashes; None where both could be."""
    slashed = [match for value in stated if (match := _SLASHED.fullmatch(value))]
    if not slashed:
        return True
    is_day_first = any(int(match[1]) > 12 for match in slashed)
    is_month_first = any(int(match[2]) > 12 for match in slashed)
    return None if is_day_first == is_month_first else is_day_first


def _number(value: str | None) -> float | None:
    if value is None or not _NUMBER.fullmatch(value):
        return None
    return float(value.replace(",", "."))


def _plain(source: str) -> str:
    """A name in small letters, without accents, words joined by "_"."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", source)
    folded = unicodedata.normalize("NFKD", split.casefold().replace("ß", "ss"))
    return re.sub(r"[^a-z0-9]+", "_", "".join(c for c in folded if not unicodedata.combining(c))).strip("_")


def _name(source: str, kind: str, taken: set[str]) -> str:
    """A name that criteria can ask, and that no other column has."""
    name = _plain(source) or "column"
    if kind == "date":
        name = re.sub(r"_?(?:date|datum|day)$", "", name) or "date"
        name = f"{name}_day"
    if not name[0].isalpha() or name == "patient":
        name = f"column_{name}"
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique
