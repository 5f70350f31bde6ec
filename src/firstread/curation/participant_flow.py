"""Who is in: the criteria of an eligibility, one after the other, and the flow of participants that they make."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from firstread.core.errors import SettingError
from firstread.curation.criterion_syntax import Column, columns_of
from firstread.curation.criterion_values import check_criterion, column_kind, evaluate_criterion
from firstread.curation.eligibility import Criterion, Eligibility, Target
from firstread.curation.eligibility_tables import ArchiveTables

#: columns of `flow.parquet`, see docs/reference/tables.md
FLOW = pa.schema(
    {
        "step": pa.int32(),
        "criterion": pa.string(),
        "side": pa.string(),
        "needs": pa.string(),
        "unit": pa.string(),
        "before": pa.int64(),
        "left": pa.int64(),
        "after": pa.int64(),
        "patients_after": pa.int64(),
        "studies_after": pa.int64(),
        "series_after": pa.int64(),
        "undecided": pa.int64(),
    }
)
#: what a unit is called, one and several
UNIT_WORDS = {"patient": ("patient", "patients"), "study": ("study", "studies"), "series": ("series", "series")}
_MOST_CLASSES = 50


@dataclass(frozen=True, eq=False)
class Participants:
    """Who is in, and how it came to that.

    Attributes:
        tables: all rows that were assessed.
        included: (N,) whether a row is in.
        flow: one row a step, with the columns of `FLOW`; `side` is "start", "curation", "include", "exclude", "missing"
            (left because the criterion before it cannot be answered) or "included".
        remarks: what a reader must know, in sentences.
        targets: (N,) class of each row, null where it is not known; None without a target.
    """

    tables: ArchiveTables
    included: np.ndarray
    flow: pa.Table
    remarks: tuple[str, ...]
    targets: pa.Array | None = None


def select_participants(eligibility: Eligibility, tables: ArchiveTables) -> Participants:
    """Apply the criteria in their order.

    A row is a series (or a stack of one). A criterion is asked of each row that is left, so criteria about series hold
    together for the same series, and a study or a patient is in when a series of it is left.

    Raises:
        SettingError: a criterion asks for a column that is not there, or compares what cannot be compared.

    Example:
        >>> from firstread.curation.eligibility import parse_eligibility
        >>> series = pa.table({"series": ["S1", "S2"], "study": ["T1", "T2"], "patient": ["P1", "P2"],
        ...                    "plane": ["axial", "unknown"]})
        >>> study = pa.table({"study": ["T1", "T2"], "patient": ["P1", "P2"]})
        >>> asked = parse_eligibility("[[include]]\\nname = 'Axial'\\nwhere = \\"series.plane == 'axial'\\"")
        >>> found = select_participants(asked, ArchiveTables.join(series=series, study=study))
        >>> found.flow.select(["side", "before", "left", "after"]).to_pylist()[-2]
        {'side': 'missing', 'before': 2, 'left': 1, 'after': 1}
        >>> print(found.remarks[0])
        "Axial" cannot be answered for 1 patient, because series.plane is not stated: not included.
    """
    warnings = [
        f'"{criterion.name}": {sentence}'
        for criterion in eligibility.criteria
        for sentence in _checked(criterion, tables)
    ]
    steps = _Steps(eligibility.unit, tables)
    steps.start()
    for criterion in eligibility.criteria:
        steps.apply(criterion)
    targets = None
    if eligibility.target is not None:
        targets = target_classes(eligibility.target, tables)
        steps.say_unlabeled(targets)
    return Participants(tables, steps.alive, steps.table(), tuple(warnings + steps.remarks), targets)


def target_classes(target: Target, tables: ArchiveTables) -> pa.Array:
    """Class of each row, (N,) text; null where it cannot be told.

    Raises:
        SettingError: it asks for what is not there, or for a column of numbers.
    """
    if target.column is not None:
        values = tables.column(target.column).combine_chunks()
        if column_kind(values.type) not in ("texts", "true or false", "nothing"):
            raise SettingError(
                f"The classes of {target.column} would be numbers",
                where="target",
                do=f'ask a question instead: where = "{target.column} > 0"',
            )
        if len(pc.unique(values)) > _MOST_CLASSES:
            raise SettingError(
                f"{target.column} has more than {_MOST_CLASSES} values", where="target", expected="a few classes"
            )
        return values.cast(pa.string())
    if target.where is None:
        raise SettingError("The target has neither a question nor a column", where="target")
    answers = evaluate_criterion(target.where, tables)
    named = pc.if_else(answers, pa.scalar(target.name), pa.scalar(target.otherwise))
    return named.combine_chunks() if isinstance(named, pa.ChunkedArray) else named


def _checked(criterion: Criterion, tables: ArchiveTables) -> list[str]:
    try:
        return check_criterion(criterion.where, tables)
    except SettingError as error:
        where = f'criterion "{criterion.name}"' + (f", {error.where}" if error.where else "")
        raise SettingError(error.what, where=where, expected=error.expected, do=error.do) from None


class _Steps:
    """The rows that are left, and the flow so far."""

    def __init__(self, unit: str, tables: ArchiveTables) -> None:
        self._unit, self._tables = unit, tables
        self._codes = {name: _codes(tables, name) for name in UNIT_WORDS}
        self.alive = np.ones(len(tables), bool)
        self.remarks: list[str] = []
        self._flow: list[dict[str, object]] = []

    def start(self) -> None:
        """What was assessed, and what curation has taken out."""
        self._add("Assessed for eligibility", "start", self.alive)
        if "selected" in self._tables.columns("series"):
            is_out = pc.equal(self._tables.column(Column("series", "selected")).cast(pa.bool_()), False)
            kept = self.alive & ~pc.fill_null(is_out, False).to_numpy()
            if not kept.all():
                self._add("Excluded by curation", "curation", kept)
                self.alive = kept

    def apply(self, criterion: Criterion) -> None:
        """Apply a criterion to the rows that are left."""
        yes, unknown = self._answers(criterion)
        stays, undecided = self.alive & yes, self.alive & unknown
        open_units = int((self._units(undecided) & ~self._units(stays)).sum())
        keeps = criterion.missing == "include"
        if undecided.any():
            self.remarks.append(self._sentence(criterion, undecided, open_units))
        before = self._count(self.alive)
        self._add(
            criterion.name, criterion.side, stays | undecided, criterion.needs, undecided=open_units if keeps else 0
        )
        if not keeps and open_units:
            self._add(f"{criterion.name}: cannot be answered", "missing", stays, criterion.needs)
        self.alive = stays | undecided if keeps else stays
        if before and not self.alive.any():
            self.remarks.append(f'"{criterion.name}" leaves nobody.')
        elif criterion.side == "exclude" and before == self._count(self.alive):
            self.remarks.append(f'"{criterion.name}" excludes no {UNIT_WORDS[self._unit][0]}.')

    def say_unlabeled(self, targets: pa.Array) -> None:
        """Say for how many of those who are in the target is not known."""
        count = self._count(self.alive & pc.is_null(targets).to_numpy(zero_copy_only=False))
        if count:
            self.remarks.append(
                f"The target is not stated for {counted(count, self._unit)} who are in: they get no class."
            )

    def table(self) -> pa.Table:
        """The flow, with who is in as its last row."""
        self._add("Included", "included", self.alive)
        return pa.Table.from_pylist([{"step": step, **row} for step, row in enumerate(self._flow)], FLOW)

    def _answers(self, criterion: Criterion) -> tuple[np.ndarray, np.ndarray]:
        """(N,) whether a row stays, and whether that cannot be told."""
        answers = evaluate_criterion(criterion.where, self._tables)
        yes = pc.fill_null(answers, False).to_numpy(zero_copy_only=False)
        unknown = pc.is_null(answers).to_numpy(zero_copy_only=False)
        if criterion.applies_to != "row":
            codes = self._codes[criterion.applies_to]
            yes = self._anywhere(yes, codes)
            unknown = self._anywhere(unknown, codes) & ~yes
        return (yes, unknown) if criterion.side == "include" else (~yes & ~unknown, unknown)

    def _anywhere(self, mask: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """(N,) whether `mask` is true for any row left with the same code; a row without a code stands for itself."""
        mask = mask & self.alive
        return np.where(codes >= 0, _units_of(codes, mask)[codes], mask)

    def _sentence(self, criterion: Criterion, undecided: np.ndarray, open_units: int) -> str:
        part = self._tables.filter(undecided)
        silent = [str(column) for column in columns_of(criterion.where) if part.column(column).null_count]
        because = f", because {' or '.join(silent)} is not stated" if silent else ""
        if not open_units:
            count = counted(int(_units_of(self._codes["series"], undecided).sum()), "series")
            unit = UNIT_WORDS[self._unit][0]
            return f'"{criterion.name}" cannot be answered for {count} of a {unit} that others keep in{because}.'
        kept = "included all the same" if criterion.missing == "include" else "not included"
        return f'"{criterion.name}" cannot be answered for {counted(open_units, self._unit)}{because}: {kept}.'

    def _add(self, criterion: str, side: str, kept: np.ndarray, needs: str = "", *, undecided: int = 0) -> None:
        after = self._count(kept)
        before = int(str(self._flow[-1]["after"])) if self._flow else after
        row: dict[str, object] = {"criterion": criterion, "side": side, "needs": needs, "unit": self._unit}
        row |= {"before": before, "left": before - after, "after": after, "undecided": undecided}
        for name, (_, several) in UNIT_WORDS.items():
            row[f"{several}_after"] = int(_units_of(self._codes[name], kept).sum())
        self._flow.append(row)

    def _count(self, mask: np.ndarray) -> int:
        return int(self._units(mask).sum())

    def _units(self, mask: np.ndarray) -> np.ndarray:
        return _units_of(self._codes[self._unit], mask)


def counted(count: int, unit: str) -> str:
    """A number of units in words.

    Example:
        >>> counted(1, "patient"), counted(1200, "study")
        ('1 patient', '1,200 studies')
    """
    return f"{count:,} {UNIT_WORDS[unit][count != 1]}"


def _units_of(codes: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(K,) whether any row for which `mask` (N,) is true is of a unit, by its number."""
    found = np.zeros(int(codes.max(initial=-1)) + 2, bool)  # the last one is of rows without a unit, and stays false
    found[codes[mask & (codes >= 0)]] = True
    return found


def _codes(tables: ArchiveTables, unit: str) -> np.ndarray:
    """(N,) number of the unit of each row; -1 where there is none. Stacks of one series are one."""
    column = tables.rows[f"{unit}.{unit}"].combine_chunks().dictionary_encode()
    codes: np.ndarray = pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int64)
