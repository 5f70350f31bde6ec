"""Units of analysis: which rows of predictions are independent, and which are seeds of the same case.

The only place that decides it; `evaluate`, `compare`, subgroups and reports ask here. A patient is the unit, where one
is known, else what counts as one (`firstread.core.patient_sources`); the rows of several seeds (of a cross-validation,
of repeated trainings) never count as further cases.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.patient_sources import count_patient_sources, describe_patient_sources, patient_unit

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Units:
    """What counts as independent in a table of predictions.

    Attributes:
        groups: (N,) text; rows with the same one are of one patient.
        cases: (N,) text; rows with the same one are of one case.
        seeds: (N,) index of the seed (of the training) that a row is of; 0 throughout where there is one.
        sources: how it is known which cases are of one patient -> number of cases.
    """

    groups: np.ndarray
    cases: np.ndarray
    seeds: np.ndarray
    sources: Mapping[str, int]

    @property
    def name(self) -> str:
        """Name of a unit in messages: "patient", "study", ..., "group" of several kinds, or "case"."""
        return patient_unit(self.sources, 1)

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
        return describe_patient_sources(self.sources)

    def describe(self) -> str:
        """Size in words: "40 cases of 12 patients, 3 seeds"."""
        text = count_of(self.case_count, "case")
        if self.name != "case":
            text += f" of {self.count} {patient_unit(self.sources, self.count)}"
        return text if self.seed_count < 2 else f"{text}, {self.seed_count} seeds"

    def select(self, rows: np.ndarray) -> "Units":
        """The units of some rows, by position or as a mask."""
        return Units(self.groups[rows], self.cases[rows], self.seeds[rows], self.sources)


def independent_units(table: "pd.DataFrame") -> Units:
    """Units of a table of predictions: `component` where a cohort joined spellings, else `patient`, else the case.

    Args:
        table: with `case`, and where known `component` or `patient`, `patient_source`, and `seed`. A patient without a
            source is stated.
    """
    cases = np.array([f"case {case}" for case in table["case"]], dtype=str)
    seeds = np.zeros(len(table), np.int64)
    if "seed" in table and len(table):
        seeds = np.unique(table["seed"].astype(str), return_inverse=True)[1].astype(np.int64)
    groups = cases
    for column in ("component", "patient"):
        if column in table and table[column].notna().any():
            patients = np.array([f"patient {name}" for name in table[column]], dtype=str)
            groups = np.where(table[column].notna(), patients, cases)
            break
    return Units(groups, cases, seeds, _count_sources(table, groups))


def _count_sources(table: "pd.DataFrame", groups: np.ndarray) -> dict[str, int]:
    """Number of cases of each source; rows of several seeds or structures are of one case."""
    sources = np.where(np.char.startswith(groups, "patient "), "stated", "none").astype(object)
    if "patient_source" in table:
        stated = table["patient_source"].to_numpy()
        sources = np.where(table["patient_source"].notna(), stated, sources)
    return count_patient_sources(dict(zip(table["case"], sources, strict=True)).values())


def count_of(count: int, noun: str) -> str:
    """ "1 case", "2 cases"."""
    return f"{count} {noun}" + ("" if count == 1 else "s")
