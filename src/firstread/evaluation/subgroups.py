"""Metrics by subgroup: scanner, sex, age, site; each with its size and intervals."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.errors import SettingError, suggest
from firstread.core.predictions import Predictions
from firstread.evaluation.scored_cases import ScoredCases
from firstread.evaluation.scorer import Scorer

if TYPE_CHECKING:
    import pandas as pd

#: a column of more different numbers than this is cut into thirds
MAX_NUMBERS = 8
#: more groups than this are not subgroups but names
MAX_GROUPS = 40


def subgroup_of_cases(predictions: Predictions, by: "str | Mapping[str, Any]") -> "pd.Series":
    """Subgroup of each row, as text; missing ones are "not stated".

    Args:
        predictions: with the column `by`, or of a cohort that has it.
        by: name of a column, or case -> subgroup. Numbers such as ages are cut into thirds.

    Raises:
        SettingError: no such column, or as many groups as cases.
    """
    import pandas as pd

    if not isinstance(by, str):
        values = predictions.table["case"].map(dict(by))
    elif by in predictions.table:
        values = predictions.table[by]
    else:
        known = pd.DataFrame() if predictions.cohort is None else predictions.cohort.table
        if by not in known:
            names = [*predictions.table.columns, *known.columns]
            raise SettingError(
                f'There is no column "{by}".{suggest(by, names)}',
                expected="a column of the predictions or of their cohort, or a dictionary of case and subgroup",
            )
        values = predictions.table["case"].map(known.drop_duplicates("case").set_index("case")[by])
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().sum() == values.notna().sum() and numbers.nunique() > MAX_NUMBERS:
        values = _thirds(numbers)
    groups = values.map(lambda value: "not stated" if pd.isna(value) else str(value))
    if groups.nunique() > MAX_GROUPS:
        name = by if isinstance(by, str) else "by"
        raise SettingError(f'"{name}" has {groups.nunique()} different values', expected=f"at most {MAX_GROUPS} groups")
    return groups


def evaluate_subgroups(
    predictions: Predictions, cases: ScoredCases, by: "str | Mapping[str, Any]", *, confidence: float = 0.95
) -> "pd.DataFrame":
    """One row a subgroup, and one of all: size, and each metric with its interval as text.

    Args:
        predictions: that `cases` were made of.
        cases: the rows with a known truth, in the same order.
        by: as in `subgroup_of_cases`.
        confidence: of the intervals.

    Returns:
        Columns `subgroup`, `cases`, `patients`, for two classes `positive`, then the metrics.
    """
    import pandas as pd

    groups = subgroup_of_cases(predictions, by)[predictions.truth >= 0].to_numpy()
    rows = [_subgroup_row("all", cases, confidence)]
    rows += [_subgroup_row(str(name), cases.select(groups == name), confidence) for name in np.unique(groups)]
    return pd.DataFrame(rows)


def _subgroup_row(name: str, cases: ScoredCases, confidence: float) -> dict[str, Any]:
    scorer = Scorer(cases, confidence=confidence)
    row: dict[str, Any] = {"subgroup": name, "cases": cases.units.case_count, "patients": cases.units.count}
    if cases.binary:
        row["positive"] = len(np.unique(cases.units.cases[cases.truth == 1]))
    metrics = {"accuracy": scorer.accuracy()}
    if cases.binary:
        metrics |= {name: scorer.proportion(name) for name in ("sensitivity", "specificity")}
    metrics["AUC" if cases.binary else "macro AUC"] = scorer.auc()
    return row | {metric: str(estimate) for metric, estimate in metrics.items()}


def _thirds(numbers: "pd.Series") -> "pd.Series":
    """Thirds of a column of numbers, named by their limits: "18 to 45", "46 to 61", "62 to 90"."""
    import pandas as pd

    parts = pd.qcut(numbers, 3, duplicates="drop")
    names = {
        part: f"{numbers[parts == part].min():g} to {numbers[parts == part].max():g}" for part in parts.cat.categories
    }
    order = {name: f"{index + 1}: {name}" for index, name in enumerate(names.values())}
    return parts.map(lambda part: order[names[part]]).astype(object)
