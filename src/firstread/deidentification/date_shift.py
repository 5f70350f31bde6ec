"""Dates, times and ages of DICOM elements: shifted by whole days, times of day kept, ages over 89 made 90.

Values: DA `YYYYMMDD`, TM `HHMMSS.FFFFFF`, DT `YYYYMMDDHHMMSS.FFFFFF&ZZXX`, AS `nnnD`, `nnnW`, `nnnM`, `nnnY`
(DICOM PS3.5 section 6.2).
"""

import re
from datetime import date, timedelta

#: dates before it are placeholders such as 00010101, which say nothing of a patient
EARLIEST = date(1800, 1, 1)
DUMMY_DATE, DUMMY_TIME, DUMMY_DATETIME = "19000101", "000000", "19000101000000"
OLDEST_AGE_YEARS = 89
OLD_AGE = "090Y"
_DATE = re.compile(r"(\d{4})[.\-/]?(\d\d)[.\-/]?(\d\d)")
_TIME = re.compile(r"(?:[01]\d|2[0-3])(?::?[0-5]\d(?::?[0-6]\d(?:\.\d{1,6})?)?)?")
_DATETIME = re.compile(r"(\d{4})(?:(\d\d)(?:(\d\d)(\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?)?)?)?([+-]\d{4})?")
_AGE = re.compile(r"(\d{1,4})([DWMY])")
_DAYS = {"D": 1.0, "W": 7.0, "M": 30.44, "Y": 365.25}


def shift_date(text: str, days: int) -> str | None:
    """Shift a DA value by whole days; None where it is no date. Placeholders before 1800 become 19000101.

    Example:
        >>> shift_date("20240301", -1), shift_date("2024.03.01", -1), shift_date("00010101", -1), shift_date("soon", -1)
        ('20240229', '20240229', '19000101', None)
    """
    match = _DATE.fullmatch(text.strip(" \0"))
    return match and _shift(int(match[1]), int(match[2]), int(match[3]), days)


def shift_datetime(text: str, days: int) -> str | None:
    """Shift a DT value by whole days; its time of day and offset stay, and so does its precision.

    Example:
        >>> shift_datetime("20240331235930.5+0200", -31)
        '20240229235930.5+0200'
        >>> shift_datetime("202403", -31), shift_datetime("tomorrow", -31)
        ('202401', None)
    """
    match = _DATETIME.fullmatch(text.strip(" \0"))
    if match is None:
        return None
    year, month, day, time, offset = match.groups()
    shifted = _shift(int(year), int(month or 1), int(day or 1), days)
    if shifted is None or (time and not is_time(time)):
        return None
    precision = 8 if day else 6 if month else 4
    return shifted[:precision] + (time or "") + (offset or "")


def is_time(text: str) -> bool:
    """Whether a text is a TM value.

    Example:
        >>> is_time("235930.5"), is_time("25"), is_time("12 Oct")
        (True, False, False)
    """
    return _TIME.fullmatch(text.strip(" \0")) is not None


def age_in_years(text: str) -> float | None:
    """Years of an AS value; None where it is none.

    Example:
        >>> age_in_years("093Y"), age_in_years("000D"), age_in_years("old")
        (93.0, 0.0, None)
    """
    match = _AGE.fullmatch(text.strip(" \0"))
    return int(match[1]) * _DAYS[match[2]] / _DAYS["Y"] if match else None


def age_between(birth_date: str, day: str) -> float | None:
    """Years between two DA values; None where one of them is no date."""
    born, then = (_DATE.fullmatch(text.strip(" \0")) for text in (birth_date, day))
    if born is None or then is None:
        return None
    first, second = tuple(map(int, born.groups())), tuple(map(int, then.groups()))
    return second[0] - first[0] - (second[1:] < first[1:])


def _shift(year: int, month: int, day: int, days: int) -> str | None:
    try:
        stated = date(year, month, day)
        moved = DUMMY_DATE if stated < EARLIEST else (stated + timedelta(days)).isoformat().replace("-", "")
    except (ValueError, OverflowError):
        return None
    return moved
