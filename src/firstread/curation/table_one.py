"""Table 1: what patients of each group are like; with standardized differences, and small cells flagged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from firstread.curation.criterion_values import column_kind

if TYPE_CHECKING:
    import pandas as pd

#: a cell of fewer people than this may single somebody out
SMALL_CELL = 5
#: an age of 90 stands for 90 and more
OLDEST_AGE = 90
#: texts with more values than this are no categories
MOST_CATEGORIES = 12
_NUMBERS = "median (quartiles)"


@dataclass(frozen=True)
class TableOne:
    """Table 1.

    Attributes:
        rows: one row a line: `variable`, `value`, one column a group (text), `largest_difference` (standardized, over
            all pairs of groups; empty with one group), `small_cells` (groups with one to four people in this line).
        sizes: group -> number of patients.
        small_cells: number of lines with a small cell.
    """

    rows: "pd.DataFrame"
    sizes: Mapping[str, int]
    small_cells: int

    @property
    def remark(self) -> str:
        """What a data protection officer must know; nothing where no cell is small."""
        if not self.small_cells:
            return ""
        lines = "1 line has" if self.small_cells == 1 else f"{self.small_cells} lines have"
        return (
            f"{lines} a cell of fewer than {SMALL_CELL} people, marked with *: show this table to your data protection "
            "officer before it leaves the department."
        )

    @property
    def page_rows(self) -> "pd.DataFrame":
        """The rows for a page: variable and value in one column, small cells by their mark only."""
        labels = [
            variable if value in (_NUMBERS, "n") else f"{variable}: {value}"
            for variable, value in zip(self.rows["variable"], self.rows["value"], strict=True)
        ]
        shown = self.rows.drop(columns=["small_cells", "value"]).assign(variable=labels)
        return shown.rename(columns={"largest_difference": "difference"})


def table_one(patients: pa.Table, groups: Mapping[str, np.ndarray], *, skip: Sequence[str] = ()) -> TableOne:
    """Describe groups of patients.

    Numbers: median and quartiles, and how many are missing. Texts and true or false: number and share of each value, of
    those where it is stated. Standardized differences: of means by the pooled standard deviation, of several categories
    as in Yang and Dalton 2012 (SAS Global Forum, paper 335).

    Args:
        patients: one row a patient; the columns that are described, in their order.
        groups: name -> (N,) mask.
        skip: columns that are not described, such as keys.

    Example:
        >>> patients = pa.table({"age_years": [50, 55, 60, 90, 90, None]})
        >>> found = table_one(patients, {"all": np.ones(6, bool)})
        >>> found.rows[["variable", "value", "all"]].to_numpy().tolist()[1]
        ['age_years', 'median (quartiles)', '60 (55 to >= 90)']
    """
    import pandas as pd

    sizes = {name: int(mask.sum()) for name, mask in groups.items()}
    lines: list[dict[str, object]] = [{"variable": "patients", "value": "n", **{g: f"{n:,}" for g, n in sizes.items()}}]
    for name in patients.column_names:
        column = patients[name].combine_chunks()
        kind = column_kind(column.type)
        if name in skip or kind in ("nothing", "something else"):
            continue
        parts = {group: column.filter(pa.array(mask)) for group, mask in groups.items()}
        if kind == "numbers":
            lines += _number_lines(name, parts)
        elif len(pc.unique(column.drop_null())) <= MOST_CATEGORIES:
            lines += _category_lines(name, parts)
    for line in lines:
        small = [group for group, cell in line.items() if group in groups and str(cell).endswith("*")]
        line["small_cells"] = ", ".join(small)
    columns = ["variable", "value", *groups, "largest_difference", "small_cells"]
    table = pd.DataFrame(lines, columns=columns)
    return TableOne(table, sizes, sum(bool(line["small_cells"]) for line in lines))


def _number_lines(name: str, parts: Mapping[str, pa.Array]) -> list[dict[str, object]]:
    values = {group: _numbers(part) for group, part in parts.items()}
    line: dict[str, object] = {"variable": name, "value": _NUMBERS}
    line |= {group: _quartiles(numbers, is_age=name.startswith("age")) for group, numbers in values.items()}
    line["largest_difference"] = _largest([_mean_difference(a, b) for a, b in _pairs(values)])
    return [line, *_missing_line(name, parts)]


def _category_lines(name: str, parts: Mapping[str, pa.Array]) -> list[dict[str, object]]:
    texts = {
        group: pc.if_else(part, "yes", "no") if pa.types.is_boolean(part.type) else part.cast(pa.string())
        for group, part in parts.items()
    }
    stated = {group: [value for value in part.to_pylist() if value is not None] for group, part in texts.items()}
    levels = sorted({value for values in stated.values() for value in values})
    shares = {
        group: np.array([values.count(level) / len(values) if values else np.nan for level in levels])
        for group, values in stated.items()
    }
    difference = _largest([_share_difference(a, b) for a, b in _pairs(shares)])
    lines: list[dict[str, object]] = []
    for number, level in enumerate(levels):
        line: dict[str, object] = {"variable": name, "value": level}
        line |= {group: _share(values.count(level), len(values)) for group, values in stated.items()}
        lines.append(line | {"largest_difference": difference if number == 0 else ""})
    return lines + _missing_line(name, parts)


def _missing_line(name: str, parts: Mapping[str, pa.Array]) -> list[dict[str, object]]:
    missing = {group: len(part) - len(_stated(part)) for group, part in parts.items()}
    if not any(missing.values()):
        return []
    return [{"variable": name, "value": "missing", **{group: _flag(n) for group, n in missing.items()}}]


def _stated(part: pa.Array) -> pa.Array:
    part = part.drop_null()
    return part.filter(pc.invert(pc.is_nan(part))) if pa.types.is_floating(part.type) else part


def _numbers(part: pa.Array) -> np.ndarray:
    numbers: np.ndarray = _stated(part).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def _quartiles(numbers: np.ndarray, *, is_age: bool) -> str:
    if not len(numbers):
        return "-"
    middle, low, high = (_number(value, is_age=is_age) for value in np.quantile(numbers, [0.5, 0.25, 0.75]))
    star = "*" if len(numbers) < SMALL_CELL else ""
    return f"{middle} ({low} to {high}){star}"


def _number(value: float, *, is_age: bool) -> str:
    if is_age and value >= OLDEST_AGE:
        return f">= {OLDEST_AGE}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _share(count: int, total: int) -> str:
    return f"{_flag(count, f' ({count / total:.0%})')}" if total else "-"


def _flag(count: int, more: str = "") -> str:
    return f"{count:,}{more}" + ("*" if 0 < count < SMALL_CELL else "")


def _pairs(values: Mapping[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    listed = list(values.values())
    return [(a, b) for number, a in enumerate(listed) for b in listed[number + 1 :]]


def _mean_difference(first: np.ndarray, second: np.ndarray) -> float:
    """Standardized difference of two means; nan where there is too little to tell, infinite without any spread."""
    if min(len(first), len(second)) < 2:
        return np.nan
    spread = np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    difference = abs(first.mean() - second.mean())
    return float(difference / spread) if spread > 0 else 0.0 if difference == 0 else np.inf


def _share_difference(first: np.ndarray, second: np.ndarray) -> float:
    """Standardized difference of two sets of shares (K,), as a Mahalanobis distance over all values but one."""
    if np.isnan(first).any() or np.isnan(second).any():
        return np.nan
    a, b = first[1:], second[1:]
    covariance = (np.diag(a) - np.outer(a, a) + np.diag(b) - np.outer(b, b)) / 2
    inverse, difference = np.linalg.pinv(covariance, rcond=1e-9, hermitian=True), a - b
    if not np.allclose(covariance @ inverse @ difference, difference, atol=1e-9):
        return np.inf  # a value that all of one group have and nobody of the other
    return float(np.sqrt(max(difference @ inverse @ difference, 0.0)))


def _largest(differences: Sequence[float]) -> str:
    known = [value for value in differences if not np.isnan(value)]
    return f"{max(known):.2f}" if known else ""
