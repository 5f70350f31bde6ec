"""Eligibility: who is in a study, as a file that people read; the order of its criteria is the flow diagram.

```toml
title = "Liver metastases on portal venous CT"
planned = "a priori"
unit = "patient"

[[include]]
name = "Portal venous CT"
needs = "imaging"
where = "series.modality == 'CT' and series.phase == 'venous'"
why = "index test"

[[exclude]]
name = "Under 18 years"
needs = "clinical"
where = "study.age_years < 18"

[window]
within_days = 42
of = "clinical.surgery_day"

[target]
name = "metastasis"
where = "clinical.metastases > 0"
```
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firstread.core.errors import DataError, FirstreadError, SettingError, suggest
from firstread.curation.criterion_parser import parse_column, parse_criterion
from firstread.curation.criterion_syntax import Between, Column, Expression, Literal, Sum

UNITS = ("patient", "study", "series")
NEEDS = ("clinical", "imaging", "pathology")
PLANNED = ("a priori", "a posteriori")
MAX_BYTES = 100_000
MAX_CRITERIA = 50
#: lines that look like headings of criteria, those within texts among them
_MOST_HEADINGS = 4 * MAX_CRITERIA
_MAX_TEXT = 500
_HEADING = re.compile(r"^[ \t]*(?:\[\[[ \t]*(include|exclude)[ \t]*\]\]|\[[ \t]*(window)[ \t]*\])[ \t]*(?:#.*)?$", re.M)
_KEYS = {
    "file": ("title", "planned", "unit", "include", "exclude", "window", "target"),
    "include": ("name", "where", "needs", "why", "missing", "applies_to"),
    "window": ("name", "within_days", "of", "side", "needs", "why", "missing"),
    "target": ("name", "where", "column", "otherwise"),
}
_SIDES = ("around", "before", "after")


@dataclass(frozen=True)
class Criterion:
    """One criterion.

    Attributes:
        name: as it stands in the flow diagram.
        side: "include" or "exclude".
        where: what must hold (include) or must not (exclude).
        needs: "clinical", "imaging" or "pathology": what somebody must have had for it to be known.
        why: in words.
        missing: "exclude" or "include" whoever it cannot be answered for.
        applies_to: "row" (the series, study or patient that it asks about), or "study" or "patient": all series of a
            study or patient of which one answers yes.
    """

    name: str
    side: str
    where: Expression
    needs: str = "imaging"
    why: str = ""
    missing: str = "exclude"
    applies_to: str = "row"


@dataclass(frozen=True)
class Target:
    """What is to be predicted.

    Attributes:
        name: of the class for which `where` holds, or of the finding.
        where: a question; None where the classes are the values of `column`.
        column: whose values are the classes.
        otherwise: class for which `where` does not hold.
    """

    name: str
    where: Expression | None = None
    column: Column | None = None
    otherwise: str = ""


@dataclass(frozen=True)
class Eligibility:
    """Who is in.

    Attributes:
        criteria: in the order of the flow diagram.
        unit: what is counted: "patient", "study" or "series".
        planned: "a priori" (before anybody looked), or "a posteriori" (drawn from what is there).
        title: of the study.
        target: what is to be predicted, or None.
    """

    criteria: tuple[Criterion, ...]
    unit: str = "patient"
    planned: str = "a priori"
    title: str = ""
    target: Target | None = field(default=None)


def read_eligibility(path: str | Path) -> Eligibility:
    """Read an eligibility file.

    Raises:
        DataError: the file is not there, too large, or no TOML.
        SettingError: a key, a word or a criterion in it is wrong; the message says which and where.
    """
    return parse_eligibility(read_eligibility_text(path), where=Path(path).name)


def read_eligibility_text(path: str | Path) -> str:
    """The text of an eligibility file, not yet understood.

    Raises:
        DataError: the file is not there, too large, or no text.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError("The eligibility file is too large", where=path, expected=f"at most {MAX_BYTES:,} bytes")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataError(
            "There is no eligibility file",
            where=path,
            do="write one, or have it drawn from the archive: firstread project cohort --draw",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("The eligibility file cannot be read", where=path, expected="text in UTF-8") from error


def parse_eligibility(text: str, *, where: str = "eligibility.toml") -> Eligibility:
    """The eligibility that a text in TOML states.

    Raises:
        DataError: the text is no TOML.
        SettingError: a key, a word or a criterion in it is wrong.

    Example:
        >>> found = parse_eligibility('''
        ... [[include]]
        ... name = "CT"
        ... where = "series.modality == 'CT'"
        ... ''')
        >>> found.criteria[0].name, found.unit, str(found.criteria[0].where)
        ('CT', 'patient', "series.modality == 'CT'")
    """
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(
            f"The eligibility file is no TOML: {error}", where=where, do="compare it with the one in the documentation"
        ) from error
    _check_keys(values, "file", where)
    order = _order(text, values, where)
    if len(order) > MAX_CRITERIA:
        raise SettingError(f"{len(order)} criteria are too many", where=where, expected=f"at most {MAX_CRITERIA}")
    criteria = tuple(_criterion(side, entry, where) for side, entry in order)
    names = [criterion.name for criterion in criteria]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise SettingError(f'Two criteria are called "{repeated}"', where=where, do="give each a name of its own")
    target = values.get("target")
    return Eligibility(
        criteria,
        _word(values, "unit", UNITS, where, default="patient"),
        _word(values, "planned", PLANNED, where, default="a priori"),
        _text(values, "title", where, default=""),
        None if target is None else _target(target, where),
    )


def _order(text: str, values: Mapping[str, Any], where: str) -> list[tuple[str, dict[str, Any]]]:
    """The criteria in the order of the file, which tomllib does not keep between tables of two names."""
    entries = {side: _entries(values, side, where) for side in ("include", "exclude")}
    entries["window"] = [_table(values["window"], "window", where)] if "window" in values else []
    headings = list(_HEADING.finditer(text))
    if len(headings) > _MOST_HEADINGS:
        raise SettingError(f"{len(headings)} criteria are too many", where=where, expected=f"at most {MAX_CRITERIA}")
    found = [
        match[1] or match[2] for match in headings if _is_toml(text[: match.start()])
    ]  # a heading within a text of several lines has an unfinished text before it
    if any(found.count(side) != len(entries[side]) for side in entries):
        raise SettingError(
            "The order of the criteria cannot be told",
            where=where,
            expected="headings [[include]], [[exclude]], [window]",
        )
    queues = {side: iter(listed) for side, listed in entries.items()}
    return [(side, next(queues[side])) for side in found]


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _entries(values: Mapping[str, Any], side: str, where: str) -> list[dict[str, Any]]:
    listed = values.get(side, [])
    if not isinstance(listed, list):
        raise SettingError(f"[{side}] has one pair of brackets", where=where, do=f"write [[{side}]], once a criterion")
    return [_table(entry, side, where) for entry in listed]


def _table(entry: Any, name: str, where: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise SettingError(f'"{name}" is no table', where=where, expected=f"a heading [{name}] and lines below it")
    return entry


def _criterion(side: str, entry: Mapping[str, Any], where: str) -> Criterion:
    if side == "window":
        return _window(entry, where)
    name = _text(entry, "name", where)
    place = f'{where}, {side} "{name}"'
    _check_keys(entry, "include", place)
    return Criterion(
        name,
        side,
        _within(place, lambda: parse_criterion(_text(entry, "where", place, most=10_000))),
        _word(entry, "needs", NEEDS, place, default="imaging"),
        _text(entry, "why", place, default=""),
        _word(entry, "missing", ("exclude", "include"), place, default="exclude"),
        _word(entry, "applies_to", ("row", "study", "patient"), place, default="row"),
    )


def _window(entry: Mapping[str, Any], where: str) -> Criterion:
    """The criterion that a window of days is."""
    place = f"{where}, window"
    _check_keys(entry, "window", place)
    days = entry.get("within_days")
    if not isinstance(days, int) or isinstance(days, bool) or not 0 <= days <= 36_525:
        raise SettingError("A window has no number of days", where=place, expected="within_days = 42, say")
    reference = _within(place, lambda: parse_column(_text(entry, "of", place)))
    side = _word(entry, "side", _SIDES, place, default="around")
    low, high = (0 if side == "after" else -days), (0 if side == "before" else days)
    words = {"around": "of", "before": "before", "after": "after"}[side]
    return Criterion(
        _text(entry, "name", place, default=f"Study within {days} days {words} {reference}"),
        "include",
        Between(Sum(Column("study", "day"), "-", reference), Literal(low), Literal(high)),
        _word(entry, "needs", NEEDS, place, default="clinical"),
        _text(entry, "why", place, default=""),
        _word(entry, "missing", ("exclude", "include"), place, default="exclude"),
    )


def _target(entry: Any, where: str) -> Target:
    place = f"{where}, target"
    entry = _table(entry, "target", place)
    _check_keys(entry, "target", place)
    name = _text(entry, "name", place)
    if ("where" in entry) == ("column" in entry):
        raise SettingError(
            "A target has a question or a column",
            where=place,
            expected='where = "clinical.metastases > 0", or column = "clinical.response"',
        )
    if "column" in entry:
        return Target(name, column=_within(place, lambda: parse_column(_text(entry, "column", place))))
    question = _within(place, lambda: parse_criterion(_text(entry, "where", place, most=10_000)))
    otherwise = _text(entry, "otherwise", place, default=f"no {name}")
    if otherwise == name:
        raise SettingError(
            "Both classes of the target have one name", where=place, do="choose another word for otherwise"
        )
    return Target(name, question, otherwise=otherwise)


def _within(place: str, make: Callable[[], Any]) -> Any:
    """Say in which criterion something is wrong."""
    try:
        return make()
    except FirstreadError as error:
        inner = f"{place}, {error.where}" if error.where else place
        raise SettingError(error.what, where=inner, expected=error.expected, do=error.do) from None


def _check_keys(entry: Mapping[str, Any], name: str, where: str) -> None:
    known = _KEYS[name]
    for key in entry:
        if key not in known:
            raise SettingError(f'"{key}" has no meaning here.{suggest(key, known)}', where=where)


def _word(entry: Mapping[str, Any], key: str, known: tuple[str, ...], where: str, *, default: str) -> str:
    value = _text(entry, key, where, default=default)
    if value not in known:
        raise SettingError(f'{key} = "{value}" is not possible.{suggest(value, known)}', where=where)
    return value


def _text(entry: Mapping[str, Any], key: str, where: str, *, default: str | None = None, most: int = _MAX_TEXT) -> str:
    value = entry.get(key, default)
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise SettingError(f'"{key}" is missing, or no text', where=where, expected=f'{key} = "..."')
    if len(value) > most:
        raise SettingError(f'"{key}" is too long', where=where, expected=f"at most {most} characters")
    return " ".join(value.split()) if key != "where" else value
