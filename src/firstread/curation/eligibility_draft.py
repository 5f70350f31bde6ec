"""An eligibility file drawn from what an archive has: a posteriori, to be read and changed by a person."""

import json
from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc

from firstread.core.errors import DataError
from firstread.curation.criterion_syntax import Column, Comparison, Literal
from firstread.curation.criterion_values import column_kind
from firstread.curation.eligibility_tables import ArchiveTables

_HEAD = """\
# Who is in, in the order of the flow diagram. Drawn by firstread from what the archive has: change it, and say in a few
# words why. "planned" stays "a posteriori" unless the criteria were written down before anybody looked at the archive.
planned = "a posteriori"
unit = "patient"
"""
_TARGET = """
# What is to be predicted: a question, or a column whose values are the classes.
# [target]
# name = "metastasis"
# where = "clinical.metastases > 0"
"""
_ADULT_YEARS = 18
_SHOWN_COLUMNS = 30


def draft_eligibility(tables: ArchiveTables) -> str:
    """An eligibility file for the series that most patients have.

    Args:
        tables: of the archive.

    Returns:
        TOML: the commonest modality, then of its series the commonest phase and plane, volumes only, adults only where
        there are children; and as comments the columns that other criteria can ask.

    Raises:
        DataError: there is no series.

    Example:
        >>> import pyarrow as pa
        >>> series = pa.table({"series": ["S1"], "study": ["T1"], "patient": ["P1"], "modality": ["CT"]})
        >>> tables = ArchiveTables.join(series=series, study=pa.table({"study": ["T1"], "patient": ["P1"]}))
        >>> "where = \\"series.modality == 'CT'\\"" in draft_eligibility(tables)
        True
    """
    left = tables.filter(tables.present["series"] & _selected(tables))
    if not len(left):
        raise DataError("There is no series to draw criteria from", do="curate an archive that holds images")
    parts = [_HEAD]
    for name, label in (("modality", "Modality"), ("phase", "Contrast phase"), ("plane", "Plane")):
        found = _commonest(left, Column("series", name))
        if found is not None:
            word, count = found
            question = str(Comparison(Column("series", name), "==", Literal(word)))
            parts.append(_entry("include", f"{label}: {word}", "imaging", question, f"{count} patients have it"))
            left = left.filter(pc.fill_null(pc.equal(left.column(Column("series", name)), word), False).to_numpy())
    if "is_volume" in tables.columns("series"):
        parts.append(_entry("include", "A complete volume", "imaging", "series.is_volume", "no slice is missing"))
    if _has_children(tables):
        question = f"study.age_years < {_ADULT_YEARS}"
        parts.append(_entry("exclude", f"Under {_ADULT_YEARS} years", "clinical", question, "adults only"))
    return "\n".join([*parts, _TARGET, *_columns(tables)]) + "\n"


def _selected(tables: ArchiveTables) -> np.ndarray:
    """(N,) whether curation left a row in."""
    if "selected" not in tables.columns("series"):
        return np.ones(len(tables), bool)
    selected: np.ndarray = pc.fill_null(tables.column(Column("series", "selected")), True).to_numpy()
    return selected


def _entry(side: str, name: str, needs: str, where: str, why: str) -> str:
    values = {"name": name, "needs": needs, "where": where, "why": why}
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join([f"[[{side}]]", *lines]) + "\n"


def _commonest(tables: ArchiveTables, column: Column) -> tuple[str, int] | None:
    """The word that most patients have, and how many; None where nothing is stated, or nothing applies."""
    if column.name not in tables.columns(column.table) or column_kind(tables.column(column).type) != "texts":
        return None
    pairs = zip(tables.column(column).to_pylist(), tables.rows["patient.patient"].to_pylist(), strict=True)
    patients: dict[str, set[str]] = {}
    for word, patient in pairs:
        if word is not None and word != "none":
            patients.setdefault(word, set()).add(patient)
    if not patients:
        return None
    word = max(sorted(patients), key=lambda one: len(patients[one]))
    return word, len(patients[word])


def _has_children(tables: ArchiveTables) -> bool:
    column = Column("study", "age_years")
    if "age_years" not in tables.columns("study") or column_kind(tables.column(column).type) != "numbers":
        return False
    ages = tables.column(column).drop_null().to_numpy()
    return bool(np.any(ages < _ADULT_YEARS))


def _columns(tables: ArchiveTables) -> Iterator[str]:
    """Comments that name the columns of each table."""
    for table in tables.tables:
        names = tables.columns(table)
        more = ", ..." if len(names) > _SHOWN_COLUMNS else ""
        yield f"# {table}: {', '.join(names[:_SHOWN_COLUMNS])}{more}"
