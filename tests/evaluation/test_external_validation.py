"""External validation: the drop with its interval, and never the same patients."""

import numpy as np
import pytest

from firstread.core.errors import DataError
from firstread.evaluation.evaluation import evaluate
from firstread.evaluation.intervals import joined_difference, wilson_interval

from .scored import answers


def test_the_drop_stands_beside_both_cohorts():
    inside = answers([True] * 95 + [False] * 5)
    outside = answers([True] * 70 + [False] * 30, case=[f"x{i}" for i in range(100)])
    table = evaluate(inside, external=outside).external.set_index("metric")
    assert table.loc["accuracy", "internal"] == "0.950 [0.888, 0.978]"
    assert table.loc["accuracy", "difference"] == pytest.approx(-0.25)
    assert table.loc["accuracy", "high"] < -0.1
    assert {"sensitivity", "AUC"} <= set(table.index)


def test_a_difference_of_proportions_is_newcombes():
    # Newcombe 1998, Stat Med 17:873, table II, method 10: 56/70 - 48/80 is 0.2 [0.0524, 0.3339]
    found = joined_difference(wilson_interval(56, 70), wilson_interval(48, 80))
    assert [found.value, found.low, found.high] == pytest.approx([0.2, 0.0524, 0.3339], abs=5e-5)


def test_shared_patients_are_refused():
    inside = answers([True] * 10)
    with pytest.raises(DataError, match="10 patients or cases are in both cohorts"):
        evaluate(inside, external=answers([True] * 10))
    with pytest.raises(DataError, match="1 patients or cases are in both"):
        evaluate(
            answers([True] * 4, patient=list("pqrs")),
            external=answers([True] * 4, case=list("wxyz"), patient=list("abcp")),
        )


def test_the_interval_of_a_drop_is_as_wide_as_the_smaller_cohort_makes_it():
    inside, outside = answers([True] * 400), answers([True] * 9 + [False], case=[f"x{i}" for i in range(10)])
    row = evaluate(inside, external=outside).external.set_index("metric").loc["accuracy"]
    assert row["low"] < -0.25
    assert np.isclose(row["difference"], -0.1)
