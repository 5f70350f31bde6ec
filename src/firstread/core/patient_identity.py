"""Patients: which identifiers may be one person, and how it is known whose an image is.

Two spellings of one identifier ("P-007", "p-7 ", "7.0" after Excel) in two splits are a leak that nobody sees. So an
identifier keeps its exact text in `patient`, and spellings that may be one person share a `component`, the unit that
splits keep together and intervals resample. Joining two people costs a little power; dividing one person costs the
truth.
"""

import re
import unicodedata
from collections.abc import Sequence

_EXCEL_DECIMALS = re.compile(r"^(\d+)\.0+$")
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_SEPARATORS = re.compile(r"[\s_\-./:]+")
_BETWEEN_NUMBERS = re.compile(r"(?<=\d)[\s_\-./:]+(?=\d)")


def normalize_patient(identifier: str) -> str:
    """One form for all spellings of an identifier that may mean one person.

    Ignored are upper and lower case, spaces and separators (but for one between two numbers), leading zeros of each
    number, and the ".0" that a spreadsheet adds to a number.

    Example:
        >>> {normalize_patient(text) for text in ("P 007", "p-7", "P7", "p_07")}
        {'p7'}
        >>> normalize_patient("7.0"), normalize_patient("70")
        ('7', '70')
    """
    text = unicodedata.normalize("NFKC", identifier).strip().casefold()
    text = _EXCEL_DECIMALS.sub(r"\1", text)
    text = _LEADING_ZEROS.sub("", text)
    parts = _BETWEEN_NUMBERS.sub("~", text)  # "1-10" is not "11-0"
    return _SEPARATORS.sub("", parts) or identifier


def patient_components(patients: Sequence[str | None]) -> list[str | None]:
    """The component of each case: spellings that may be one person share it; None where no patient is known.

    Example:
        >>> patient_components(["A1", "a1", "B2", None])
        ['A1', 'A1', 'B2', None]
    """
    first: dict[str, str] = {}
    return [None if text is None else first.setdefault(normalize_patient(text), text) for text in patients]
