"""Patients: which identifiers may be one person, and which state nobody.

Two spellings of one identifier ("P-007", "p-7 ", "7.0" after Excel) in two splits are a leak that nobody sees. So an
identifier keeps its exact text in `patient`, and spellings that may be one person share a `component`, the unit that
splits keep together and intervals resample. Joining two people costs a little power; dividing one person costs the
truth. How it is known whose an image is, where no patient is stated: `firstread.core.patient_sources`.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

_SPREADSHEET_DECIMALS = re.compile(r"^(\d+)[.,]0+$")
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_SEPARATORS = re.compile(r"[\s_\-./:^,;'\"()\[\]]+")
_BETWEEN_NUMBERS = re.compile(r"(?<=\d)[\s_\-./:^,;()\[\]]+(?=\d)")
#: texts, normalized, that stand where an identifier was taken out or never known
_PLACEHOLDERS = frozenset(
    (
        *("anon", "anonym", "anonyma", "anonyme", "anonymized", "anonymised", "anonymous", "anonymouspatient"),
        *("blank", "confidential", "deid", "deidentified", "deleted", "dummy", "empty", "hidden", "missing", "na"),
        *("nan", "nil", "noid", "noname", "none", "notapplicable", "notavailable", "notknown", "notprovided"),
        *("null", "patient", "patientid", "patientname", "pseudonym", "redacted", "removed", "undefined"),
        *("unknown", "unknownpatient", "unspecified"),
    )
)


def normalize_patient(identifier: str) -> str:
    """One form for all spellings of an identifier that may mean one person.

    Ignored are upper and lower case, accents, spaces, separators and quotation marks (but for a separator between two
    numbers), leading zeros of each number, and the ".0" that a spreadsheet adds to a number.

    Example:
        >>> {normalize_patient(text) for text in ("P 007", "p-7", "P7", "p_07", "'P7")}
        {'p7'}
        >>> normalize_patient("7.0"), normalize_patient("70"), normalize_patient("MÜLLER^Änne")
        ('7', '70', 'mulleranne')
    """
    text = unicodedata.normalize("NFKD", identifier)
    text = "".join(char for char in text if unicodedata.category(char) not in ("Mn", "Cf", "Cc")).strip().casefold()
    text = _SPREADSHEET_DECIMALS.sub(r"\1", text)
    text = _LEADING_ZEROS.sub("", text)
    parts = _BETWEEN_NUMBERS.sub("~", text)  # "1-10" is not "11-0"
    return _SEPARATORS.sub("", parts) or identifier


def is_placeholder(identifier: str) -> bool:
    """Whether a text stands where a patient's identifier was taken out: "ANONYMOUS", "unknown", "XXXX", "-".

    Example:
        >>> is_placeholder("Anonymous"), is_placeholder("***"), is_placeholder("ANON-0012"), is_placeholder("0")
        (True, True, False, False)
    """
    normalized = normalize_patient(identifier)
    is_filler = len(normalized) > 2 and set(normalized) == {"x"}
    return not any(map(str.isalnum, normalized)) or normalized in _PLACEHOLDERS or is_filler


def patient_components(patients: Sequence[str | None]) -> list[str | None]:
    """The component of each case: spellings that may be one person share it; None where no patient is known.

    Example:
        >>> patient_components(["A1", "a1", "B2", None])
        ['A1', 'A1', 'B2', None]
    """
    first: dict[str, str] = {}
    return [None if text is None else first.setdefault(normalize_patient(text), text) for text in patients]


def patient_digest(patient: str) -> str:
    """Short digest of a patient's text in a cohort, by which a run notes whom it saw.

    Example:
        >>> patient_digest("P-07")
        '9d4583bdef369bea'
    """
    return hashlib.sha256(f"patient:{patient}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
