"""Table 1: medians, shares, missing values, differences; what a data protection officer must see."""

import numpy as np
import pyarrow as pa
import pytest

from firstread.curation.table_one import table_one


def rows_of(columns, **groups):
    found = table_one(pa.table(columns), {name: np.array(mask, bool) for name, mask in groups.items()})
    return found, {(row["variable"], row["value"]): row for row in found.rows.to_dict("records")}


def test_numbers_have_median_quartiles_and_missing():
    _, rows = rows_of({"days": [1.0, 2.0, 3.0, 4.0, 9.0, None, np.nan]}, all=[1] * 7)
    assert rows["days", "median (quartiles)"]["all"] == "3 (2 to 4)"
    assert rows["days", "missing"]["all"] == "2*"


def test_ages_from_ninety_on_are_one_and_years_have_no_commas():
    _, rows = rows_of({"age_years": [90] * 6, "year": [2021] * 6}, all=[1] * 6)
    assert rows["age_years", "median (quartiles)"]["all"] == ">= 90 (>= 90 to >= 90)"
    assert rows["year", "median (quartiles)"]["all"] == "2021 (2021 to 2021)"


def test_categories_have_number_and_share_of_what_is_stated():
    found, rows = rows_of({"sex": ["F"] * 15 + ["M"] * 4 + [None]}, all=[1] * 20)
    assert rows["sex", "F"]["all"] == "15 (79%)"
    assert rows["sex", "M"]["all"] == "4 (21%)*"
    assert rows["sex", "M"]["small_cells"] == "all"
    assert found.small_cells == 2
    assert "data protection officer" in found.remark


def test_a_table_without_small_cells_says_nothing():
    found, _ = rows_of({"sex": ["F"] * 10 + ["M"] * 10, "operated": [True] * 10 + [False] * 10}, all=[1] * 20)
    assert found.remark == ""


def test_differences_are_standardized():
    first, second = [1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 3.0, 4.0, 5.0, 6.0]
    _, rows = rows_of({"x": first + second}, a=[1] * 5 + [0] * 5, b=[0] * 5 + [1] * 5)
    assert float(rows["x", "median (quartiles)"]["largest_difference"]) == pytest.approx(
        1 / np.std(first, ddof=1), abs=0.005
    )
    # of a share, as in Austin 2009, doi 10.1080/03610910902859574: (p - q) / sqrt((p (1 - p) + q (1 - q)) / 2)
    words = ["y"] * 5 + ["n"] * 5 + ["y"] * 8 + ["n"] * 2
    _, rows = rows_of({"x": words}, a=[1] * 10 + [0] * 10, b=[0] * 10 + [1] * 10)
    assert float(rows["x", "n"]["largest_difference"]) == pytest.approx(0.3 / np.sqrt((0.25 + 0.16) / 2), abs=0.005)


def test_groups_that_share_no_value_differ_without_limit():
    _, rows = rows_of({"x": ["y"] * 5 + ["n"] * 5}, a=[1] * 5 + [0] * 5, b=[0] * 5 + [1] * 5)
    assert rows["x", "n"]["largest_difference"] == "inf"
    _, rows = rows_of({"x": [1] * 5 + [2] * 5}, a=[1] * 5 + [0] * 5, b=[0] * 5 + [1] * 5)
    assert rows["x", "median (quartiles)"]["largest_difference"] == "inf"


def test_free_text_and_empty_columns_are_left_out():
    _, rows = rows_of({"note": [f"text {n}" for n in range(20)], "none": pa.nulls(20)}, all=[1] * 20)
    assert {variable for variable, _ in rows} == {"patients"}


def test_an_empty_group_is_no_error():
    _, rows = rows_of({"x": [1, 2], "sex": ["F", "M"]}, a=[1, 1], b=[0, 0])
    assert rows["x", "median (quartiles)"]["b"] == "-"
    assert rows["sex", "F"]["b"] == "-"
