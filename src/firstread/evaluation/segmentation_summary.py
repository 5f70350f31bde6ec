"""Summary of a segmentation's measures with intervals by patient: by case, by lesion, and beside the trivial rules."""

from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.errors import DataError
from firstread.core.predictions import Predictions
from firstread.evaluation.case_measures import MeasureSettings, check_table, measure_cases
from firstread.evaluation.intervals import Estimate
from firstread.evaluation.lesion_matches import SIZE_CLASSES, LesionRule
from firstread.evaluation.patient_intervals import (
    mean_by_patient,
    median_by_patient,
    proportion_by_patient,
    rate_by_patient,
)
from firstread.evaluation.units import independent_units

if TYPE_CHECKING:
    import pandas as pd

#: a structure that is one piece in fewer of the cases than this is counted by piece
_ONE_PIECE_SHARE = 0.9


def measure_models(predictions: Predictions, settings: MeasureSettings) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Measures of the network and of each trivial rule: (cases, pieces), with the columns `name` and `role`.

    Raises:
        DataError: no case has a truth, or a rule was not run on the cases of the network.
    """
    import pandas as pd

    cases, pieces = [], []
    for role, one in (("network", predictions), *(("trivial rule", rule) for rule in predictions.baselines)):
        check_table(one.table, settings)
        measured, found = measure_cases(one.table, settings)
        if measured.empty:
            raise DataError("No case has a true mask to compare with", where=one.model, do="predict cases with masks")
        cases.append(measured.assign(name=one.model, role=role))
        pieces.append(found.assign(name=one.model, role=role))
        if set(_keys(cases[-1])) != set(_keys(cases[0])):
            raise DataError(
                "The trivial rule was not run on the cases of the network", where=one.model, do="run it on the same"
            )
    return pd.concat(cases, ignore_index=True), pd.concat(pieces, ignore_index=True)


def lesion_structures(cases: "pd.DataFrame", rule: LesionRule) -> tuple[str, ...]:
    """Structures that are counted by piece: those of the rule, or those that are rarely one piece in the truth."""
    if rule.structures is not None:
        return rule.structures
    one_piece = (cases["pieces"] == 1).groupby(cases["structure"], sort=False).mean()
    return tuple(one_piece.index[one_piece < _ONE_PIECE_SHARE])


def summarize_cases(
    cases: "pd.DataFrame", settings: MeasureSettings, *, confidence: float = 0.95, seed: int = 0
) -> dict[str, Estimate]:
    """Estimates of one structure by case, by name of the metric.

    Args:
        cases: rows of `measure_cases` for one structure and model.
    """
    present = cases[cases["truth_ml"] > 0]
    groups = independent_units(present).groups
    missed = f"{_count_of((present['outcome'] == 'missed').sum(), len(present))} missed"

    def mean(column: str, limits: tuple[float, float] | None = (0.0, 1.0)) -> Estimate:
        return mean_by_patient(present[column].to_numpy(), groups, limits=limits, confidence=confidence, remark=missed)

    def median(values: "pd.Series") -> Estimate:
        return median_by_patient(values.to_numpy(), groups, confidence=confidence, seed=seed, remark=missed)

    summary = {
        "Dice": mean("dice"),
        "Jaccard": mean("jaccard"),
        f"surface Dice at {settings.tolerance_mm:g} mm": mean("surface_dice"),
        "HD95 in mm, median (lower is better)": median(present["hd95_mm"]),
        "HD in mm, median (lower is better)": median(present["hd_mm"]),
        "volume error in ml (0 is best)": mean("volume_error_ml", None),
        "volume error in % (0 is best)": mean("volume_error_percent", None),
        "volume error in %, without sign, median (lower is better)": median(present["volume_error_percent"].abs()),
    }
    if settings.organ and settings.organ != cases["structure"].iloc[0]:
        summary[f"share of {settings.organ}, error in percentage points (0 is best)"] = _share_error(cases, confidence)
    absent = cases[cases["truth_ml"] == 0]
    if len(absent):
        wrong = (absent["outcome"] == "false positive").to_numpy()
        name = "false positives in cases without it (lower is better)"
        summary[name] = proportion_by_patient(
            wrong, independent_units(absent).groups, confidence=confidence, remark=_count_of(wrong.sum(), len(absent))
        )
    return summary


def summarize_lesions(
    pieces: "pd.DataFrame", cases: "pd.DataFrame", *, confidence: float = 0.95
) -> dict[str, Estimate]:
    """Estimates of one structure by lesion, by name of the metric.

    Args:
        pieces: rows of `match_lesions` for one structure and model, with `case`.
        cases: rows of `measure_cases` for the same; a case without any piece counts for the false positives.
    """
    truth, predicted = (pieces[pieces["mask"] == mask] for mask in ("truth", "predicted"))

    def share(rows: "pd.DataFrame", words: str) -> Estimate:
        matched = rows["matched"].to_numpy(bool)
        groups = independent_units(rows).groups if len(rows) else np.zeros(0, str)
        remark = f"{_count_of(matched.sum(), len(rows))} {words}"
        return proportion_by_patient(matched, groups, confidence=confidence, remark=remark)

    def mean_dice(rows: "pd.DataFrame") -> Estimate:
        groups = independent_units(rows).groups if len(rows) else np.zeros(0, str)
        return mean_by_patient(rows["dice"].to_numpy(float), groups, confidence=confidence)

    sizes = {f"sensitivity by lesion, {size}": share(truth[truth["size"] == size], "found") for size in SIZE_CLASSES}
    keys = _scan_keys(cases)
    alarms = predicted[~predicted["matched"].astype(bool)].groupby(keys).size().rename("alarms").reset_index()
    counts = cases[keys].merge(alarms, on=keys, how="left")["alarms"].fillna(0).to_numpy(float)
    return {
        "sensitivity by lesion": share(truth, "found"),
        **{name: estimate for name, estimate in sizes.items() if estimate.cases},
        "precision by piece": share(predicted, "are lesions"),
        "false positives a scan (lower is better)": rate_by_patient(
            counts, independent_units(cases).groups, confidence=confidence
        ),
        "Dice by lesion, missed ones 0": mean_dice(truth),
        "Dice of found lesions": mean_dice(truth[truth["matched"].astype(bool)]),
    }


def compare_with_rules(cases: "pd.DataFrame", *, confidence: float = 0.95, seed: int = 0) -> "pd.DataFrame":
    """The network and each rule by structure, with the difference in Dice on the same cases.

    Returns:
        Columns `name`, `role`, `structure`, `Dice`, `low`, `high`, `missed`, `HD95 in mm`, `difference`,
        `difference low`, `difference high`: network minus rule, above 0 where the network is better.
    """
    import pandas as pd

    rows = []
    for structure in dict.fromkeys(cases["structure"]):
        present = cases[(cases["structure"] == structure) & (cases["truth_ml"] > 0)]
        network = present[present["role"] == "network"]
        for (name, role), mine in present.groupby(["name", "role"], sort=False):
            groups = independent_units(mine).groups
            dice = mean_by_patient(mine["dice"].to_numpy(), groups, confidence=confidence)
            distance = median_by_patient(mine["hd95_mm"].to_numpy(), groups, confidence=confidence, seed=seed)
            missed = _count_of((mine["outcome"] == "missed").sum(), len(mine))
            row = [name, role, structure, dice.value, dice.low, dice.high, missed, distance.value]
            gain = dice_difference(network, mine, confidence=confidence) if role != "network" else None
            rows.append([*row, *((gain.value, gain.low, gain.high) if gain else [np.nan] * 3)])
    names = ["name", "role", "structure", "Dice", "low", "high", "missed", "HD95 in mm"]
    return pd.DataFrame(rows, columns=[*names, "difference", "difference low", "difference high"])


def dice_difference(first: "pd.DataFrame", second: "pd.DataFrame", *, confidence: float = 0.95) -> Estimate:
    """Mean difference of the Dice of two models on the same cases, paired, with its interval by patient."""
    units = independent_units(first)
    group_of_case = dict(zip(first["case"], units.groups, strict=True))
    means = [rows.groupby("case", sort=True)["dice"].mean() for rows in (first, second)]  # over seeds
    differences = (means[0] - means[1]).dropna()
    groups = np.array([group_of_case[case] for case in differences.index])
    return mean_by_patient(differences.to_numpy(float), groups, limits=None, confidence=confidence)


def count_lesions(pieces: "pd.DataFrame") -> dict[str, Any]:
    """Counts of one structure and model: lesions, found, false positives, merged and split."""
    truth, predicted = (pieces[pieces["mask"] == mask] for mask in ("truth", "predicted"))
    return {
        "lesions": len(truth),
        "found": int(truth["matched"].sum()),
        "touched": int((truth["touches"] > 0).sum()),
        "false positives": int((~predicted["matched"].astype(bool)).sum()),
        "false positives that touch no lesion": int((predicted["touches"] == 0).sum()),
        "merged": int((predicted["touches"] > 1).sum()),
        "split": int((truth["touches"] > 1).sum()),
    }


def _share_error(cases: "pd.DataFrame", confidence: float) -> Estimate:
    """Mean error of the share of the organ, over cases in which the organ is in both masks."""
    error = cases["predicted_share_percent"] - cases["truth_share_percent"]
    known = error.notna().to_numpy()
    groups = independent_units(cases).groups
    return mean_by_patient(error.to_numpy(float)[known], groups[known], limits=None, confidence=confidence)


def _scan_keys(rows: "pd.DataFrame") -> list[str]:
    return ["case", *[name for name in ("seed", "fold") if name in rows]]


def _keys(cases: "pd.DataFrame") -> list[tuple[str, str]]:
    return list(zip(cases["case"], cases["structure"], strict=True))


def _count_of(count: int, total: int) -> str:
    """ "2 of 10", or "none of 10"."""
    return f"{count or 'none'} of {total}"
