"""Units of analysis: which rows of predictions are independent, and which are seeds of the same case.

The only place that decides it; `evaluate`, `compare`, subgroups and reports ask here. A patient is the unit, where one
is known; the rows of several seeds (of a cross-validation, of repeated trainings) never count as further cases.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Units:
    """What counts as independent in a table of predictions.

    Attributes:
        groups: (N,) text; rows with the same one are of one patient.
        name: of a unit in messages: "patient" or "case".
        cases: (N,) text; rows with the same one are of one case.
        seeds: (N,) index of the seed (of the training) that a row is of; 0 throughout where there is one.
    """

    groups: np.ndarray
    name: str
    cases: np.ndarray
    seeds: np.ndarray

    @property
    def unstated(self) -> int:
        """Number of cases whose patient is not stated; each is a unit of its own."""
        return sum(name.startswith("case ") for name in np.unique(self.groups))

    @property
    def count(self) -> int:
        """Number of independent units."""
        return len(np.unique(self.groups))

    @property
    def case_count(self) -> int:
        """Number of cases, however many seeds they have."""
        return len(np.unique(self.cases))

    @property
    def seed_count(self) -> int:
        """Number of seeds."""
        return len(np.unique(self.seeds))

    @property
    def independent(self) -> bool:
        """Whether every row is a unit of its own."""
        return self.count == len(self.groups)

    @property
    def note(self) -> str:
        """What a reader must know of the units, or nothing."""
        if self.name == "case" and self.unstated:
            return (
                "No patient is stated: intervals take every case for independent, which several of a patient are not."
            )
        if self.unstated:
            return f"{count_of(self.unstated, 'case')} without a stated patient: each counts as a patient of its own."
        return ""

    def describe(self) -> str:
        """Size in words: "40 cases of 12 patients, 3 seeds"."""
        text = count_of(self.case_count, "case")
        if self.name == "patient":
            text += f" of {count_of(self.count, 'patient')}"
        return text if self.seed_count < 2 else f"{text}, {self.seed_count} seeds"

    def select(self, rows: np.ndarray) -> "Units":
        """The units of some rows, by position or as a mask."""
        return Units(self.groups[rows], self.name, self.cases[rows], self.seeds[rows])


def independent_units(table: "pd.DataFrame") -> Units:
    """Units of a table of predictions: `component` where a cohort joined spellings, else `patient`, else the case.

    Args:
        table: with `case`, and where known `component` or `patient`, and `seed`.
    """
    cases = np.array([f"case {case}" for case in table["case"]], dtype=str)
    seeds = np.zeros(len(table), np.int64)
    if "seed" in table and len(table):
        seeds = np.unique(table["seed"].astype(str), return_inverse=True)[1].astype(np.int64)
    for column in ("component", "patient"):
        if column in table and table[column].notna().any():
            stated = table[column].notna().to_numpy()
            patients = np.array([f"patient {name}" for name in table[column]], dtype=str)
            return Units(np.where(stated, patients, cases), "patient", cases, seeds)
    return Units(cases, "case", cases, seeds)


def count_of(count: int, noun: str) -> str:
    """ "1 case", "2 cases"."""
    return f"{count} {noun}" + ("" if count == 1 else "s")
