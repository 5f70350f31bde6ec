"""Every way of dividing: patients who may be one person are never on two sides, whatever the cohort looks like."""

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.errors import DataError, SettingError
from firstread.project.split_plan import SplitPlan, divide, make_plan

PEOPLE = st.lists(
    st.tuples(
        st.integers(0, 25),
        st.sampled_from(["yes", "no", None]),
        st.sampled_from(["North", "South", None]),
        st.integers(2010, 2020) | st.none(),
    ),
    min_size=6,
    max_size=60,
)
PLANS = (
    SplitPlan(fractions=(0.5, 0.25, 0.25)),
    SplitPlan("folds", fractions=(0.5, 0.25, 0.25), folds=3),
    SplitPlan("nested", folds=3, inner=2),
    SplitPlan("temporal", by="clinical.year", fractions=(0.5, 0.25, 0.25)),
    SplitPlan("site", sites=("South",)),
    SplitPlan("contiguous", fractions=(0.5, 0.25, 0.25), gap=1),
)


@given(PEOPLE, st.sampled_from(PLANS), st.integers(0, 5))
def test_no_component_is_on_two_sides(people, plan, seed):
    patients = pa.table(
        {
            "patient": [f"P{number:02d}" for number in range(len(people))],
            "component": [f"C{component}" for component, *_ in people],
            "stratum": pa.array([stratum for _, stratum, _, _ in people], pa.string()),
            "site": pa.array([site for _, _, site, _ in people], pa.string()),
        }
    )
    times = np.array([np.nan if time is None else time for *_, time in people], float) if plan.by else None
    plan = SplitPlan(plan.method, plan.fractions, plan.folds, plan.inner, plan.by, plan.sites, plan.gap, seed)
    try:
        splits, nested = divide(patients, plan, times=times)
    except (DataError, SettingError):
        return  # too few of a class, or of a site
    rows = splits.to_pylist()
    assert [row["patient"] for row in rows] == patients["patient"].to_pylist()
    for part in ("split", "fold"):
        sides = {}
        for row in rows:
            if row[part] is not None:
                sides.setdefault(row[part], set()).add(row["component"])
        assert all(not first & second for first, second in combinations(sides.values(), 2))
    if any(row["stratum"] for row in rows):
        assert all(row["split"] is None and row["fold"] is None for row in rows if row["stratum"] is None)
    for fold in {row["fold"] for row in nested.to_pylist()} if nested is not None else ():
        component = {row["patient"]: row["component"] for row in rows}
        inner = [row for row in nested.to_pylist() if row["fold"] == fold]
        tested = {row["component"] for row in rows if row["fold"] == fold}
        parts = [{component[row["patient"]] for row in inner if row["inner_fold"] == number} for number in (0, 1)]
        assert not parts[0] & parts[1]
        assert not tested & (parts[0] | parts[1])


def test_a_plan_says_what_it_is():
    assert (
        make_plan("folds", {"fractions": [0.8, 0.0, 0.2], "folds": 4}).rule == "by component, 0.2 for the test, 4 folds"
    )
    assert SplitPlan("site", sites=("A", "B")).rule == "test at A, B"


def test_nobody_cannot_be_divided():
    empty = {name: pa.array([], pa.string()) for name in ("patient", "component", "stratum", "site")}
    with pytest.raises(DataError, match="the cohort is empty"):
        divide(pa.table(empty), SplitPlan())
