"""How a cohort is divided: settings, and the rows of `splits.parquet` that they make; pure, on tables."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

from firstread.core.errors import DataError, SettingError, suggest
from firstread.core.split_assignment import assign_contiguous, assign_folds, assign_groups, validate_fractions
from firstread.core.split_designs import assign_external, assign_nested_folds, assign_temporal
from firstread.core.splits import DEFAULT_FRACTIONS

METHODS = ("holdout", "folds", "nested", "temporal", "site", "contiguous")
#: columns of `splits.parquet`, key first; see docs/reference/tables.md
SPLITS = pa.schema(
    {
        "patient": pa.string(),
        "component": pa.string(),
        "split": pa.string(),
        "fold": pa.int32(),
        "stratum": pa.string(),
        "seed": pa.int64(),
        "rule": pa.string(),
    }
)
#: columns of `nested.parquet`: for each fold that tests, the inner fold of every other patient
NESTED = pa.schema({"patient": pa.string(), "fold": pa.int32(), "inner_fold": pa.int32()})


@dataclass(frozen=True)
class SplitPlan:
    """How a cohort is divided.

    Attributes:
        method: "holdout" (training, validation and test by chance), "folds" (a test set, and folds of the others),
            "nested" (folds that test, each with inner folds), "temporal", "site", or "contiguous" (in the order of the
            files).
        fractions: shares of training, validation and test.
        folds: of "folds" and "nested".
        inner: inner folds of "nested".
        by: column of times for "temporal", such as "clinical.year".
        sites: that are left out for the test, for "site".
        gap: components left out at each cut of "contiguous".
        seed: of chance.
    """

    method: str = "holdout"
    fractions: tuple[float, ...] = DEFAULT_FRACTIONS
    folds: int = 5
    inner: int = 4
    by: str = ""
    sites: tuple[str, ...] = ()
    gap: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise SettingError(f'There is no split called "{self.method}".{suggest(self.method, METHODS)}')
        validate_fractions(self.fractions)
        for name, least in (("folds", 2), ("inner", 2), ("gap", 0), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise SettingError(f"{name}={value!r} is not possible", expected=f"a whole number from {least} on")
        if (self.method == "temporal") != bool(self.by):
            raise SettingError("A temporal split, and no other, has a column of times", do="--by clinical.COLUMN")
        if (self.method == "site") != bool(self.sites):
            raise SettingError("A split by site, and no other, names the sites of the test set", do="--site NAME")

    @property
    def rule(self) -> str:
        """The plan in a few words, as it stands in `splits.parquet`."""
        shares = "/".join(f"{share:g}" for share in validate_fractions(self.fractions))
        return {
            "holdout": f"by component, {shares}",
            "folds": f"by component, {validate_fractions(self.fractions)[2]:g} for the test, {self.folds} folds",
            "nested": f"by component, {self.folds} folds, {self.inner} inner ones",
            "temporal": f"by {self.by}, {shares}",
            "site": f"test at {', '.join(self.sites)}",
            "contiguous": f"in the order of files, {shares}, gap {self.gap}",
        }[self.method]


def make_plan(method: str, settings: Mapping[str, Any]) -> SplitPlan:
    """A plan from the arguments of a call.

    Raises:
        SettingError: there is no such setting, or its value is not possible.
    """
    known = [field.name for field in fields(SplitPlan) if field.name != "method"]
    for name in settings:
        if name not in known:
            raise SettingError(f'A split has no setting "{name}".{suggest(name, known)}')
    listed = {name: tuple(settings[name]) for name in ("fractions", "sites") if name in settings}
    values: dict[str, Any] = {**settings, **listed}
    return SplitPlan(method=method, **values)


def divide(patients: pa.Table, plan: SplitPlan, *, times: np.ndarray | None = None) -> tuple[pa.Table, pa.Table | None]:
    """Divide patients; those who may be one person, and so share a component, stay together.

    Args:
        patients: one row a patient, in the order of their files: `patient`, `component`, `stratum`, `site`; a patient
            without a stratum, where others have one, gets no split.
        plan: how.
        times: (N,) for a temporal split; NaN is not known.

    Returns:
        Rows of `SPLITS`, and rows of `NESTED` for nested folds, else None.

    Raises:
        DataError: there are too few patients, or too few of a stratum.
        SettingError: the plan does not fit.

    Example:
        >>> patients = pa.table({"patient": list("abcdefghij"), "component": list("aacdefghij"),
        ...                      "stratum": ["yes"] * 5 + ["no"] * 5, "site": ["X"] * 10})
        >>> splits, _ = divide(patients, SplitPlan(fractions=(0.6, 0.2, 0.2)))
        >>> splits["split"][0] == splits["split"][1]
        True
    """
    names = patients["stratum"].to_pylist()
    levels = sorted({name for name in names if name is not None})
    labels = np.array([levels.index(name) if name is not None else -1 for name in names])
    used = labels >= 0 if levels else np.ones(len(labels), bool)
    components = np.array(patients["component"].to_pylist(), dtype=object)
    _check_enough(labels[used], components[used], levels, plan)
    part = patients.filter(pa.array(used))
    split, fold, nested = _assign(part, labels[used], components[used], plan, None if times is None else times[used])
    values: dict[str, list[Any]] = {"split": [None] * len(names), "fold": [None] * len(names)}
    for place, one, number in zip(np.flatnonzero(used), split, fold, strict=True):
        values["split"][place], values["fold"][place] = one, None if number < 0 else int(number)
    columns = {name: patients[name].to_pylist() for name in ("patient", "component", "stratum")} | values
    columns |= {"seed": [plan.seed] * len(names), "rule": [plan.rule] * len(names)}
    rows = pa.table(columns, schema=SPLITS).sort_by("patient")
    return rows, None if nested is None else _nested_rows(part["patient"].to_pylist(), nested)


def _assign(
    part: pa.Table, labels: np.ndarray, components: np.ndarray, plan: SplitPlan, times: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Split (N,), fold (N,) with -1 for none, inner folds (folds, N) or None."""
    labels, fold, nested = np.maximum(labels, 0), np.full(len(labels), -1), None
    groups = components.tolist()
    match plan.method:
        case "holdout":
            split = assign_groups(labels, groups, fractions=plan.fractions, seed=plan.seed)
        case "folds":
            split, fold = _folds_beside_test(labels, components, plan)
        case "nested":
            fold, nested = assign_nested_folds(labels, components, folds=plan.folds, inner=plan.inner, seed=plan.seed)
            split = np.full(len(labels), "train", dtype=object)
        case "temporal":
            if times is None:
                raise SettingError("A temporal split needs times")
            split = assign_temporal(times, groups, fractions=plan.fractions)
        case "site":
            split = assign_external(
                part["site"].to_pylist(),
                groups,
                labels=labels,
                test=plan.sites,
                fractions=plan.fractions,
                seed=plan.seed,
            )
        case _:
            split = _in_order(labels, components, plan)
    return split, fold, nested


def _folds_beside_test(labels: np.ndarray, components: np.ndarray, plan: SplitPlan) -> tuple[np.ndarray, np.ndarray]:
    """A test set by chance, and folds of the others, in each of which they validate once."""
    test = validate_fractions(plan.fractions)[2]
    split = np.full(len(labels), "train", dtype=object)
    if test:
        split = assign_groups(labels, components.tolist(), fractions=(1 - test, 0, test), seed=plan.seed)
    rest, fold = split != "test", np.full(len(labels), -1)
    fold[rest] = assign_folds(labels[rest], components[rest], folds=plan.folds, seed=plan.seed)
    return split, fold


def _in_order(labels: np.ndarray, components: np.ndarray, plan: SplitPlan) -> np.ndarray:
    """Components in the order of their first patient, cut within each stratum."""
    first: dict[Any, int] = {}
    for place, component in enumerate(components):
        first.setdefault(component, place)
    stratum = [max(labels[components == component]) for component in first]
    of_component = dict(zip(first, assign_contiguous(stratum, fractions=plan.fractions, gap=plan.gap), strict=True))
    return np.array([of_component[component] for component in components], dtype=object)


def _check_enough(labels: np.ndarray, components: np.ndarray, levels: list[str], plan: SplitPlan) -> None:
    if not len(components):
        raise DataError("Nobody can be divided: the cohort is empty", do="firstread project cohort")
    if plan.method not in ("holdout", "folds", "nested"):
        return
    shares = validate_fractions(plan.fractions)
    parts = plan.folds + (shares[2] > 0) if plan.method == "folds" else sum(share > 0 for share in shares)
    parts = plan.folds if plan.method == "nested" else parts
    for number, level in enumerate(levels or ["the cohort"]):
        count = len(set(components[np.maximum(labels, 0) == number]))
        if count < parts:
            what = f'The class "{level}"' if levels else "The cohort"
            raise DataError(
                f"{what} has {count} patients, too few to be divided into {parts} parts",
                expected=f"at least {parts}" + (" in each class" if levels else ""),
                do="widen the criteria, or choose fewer parts: --fractions 0.8,0.2,0, or fewer folds",
            )


def _nested_rows(patients: list[str], nested: np.ndarray) -> pa.Table:
    rows = [
        {"patient": patient, "fold": fold, "inner_fold": int(nested[fold, place])}
        for fold in range(len(nested))
        for place, patient in enumerate(patients)
        if nested[fold, place] >= 0
    ]
    return pa.Table.from_pylist(rows, NESTED)
