"""Subgroups: each with its size and intervals; numbers are cut into thirds; names are no subgroups."""

import numpy as np
import pytest

from firstread.core.errors import SettingError
from firstread.evaluation.evaluation import evaluate
from firstread.evaluation.subgroups import subgroup_of_cases

from .scored import binary_predictions


def made(**columns):
    rng = np.random.default_rng(0)
    truth = np.arange(60) % 2
    return binary_predictions(truth, np.clip(rng.normal(0.3 + 0.4 * truth, 0.25), 0, 1), **columns)


def test_each_scanner_has_its_row_beside_all():
    scanner = ["A"] * 30 + ["B"] * 28 + [None] * 2
    found = evaluate(made(scanner=scanner), by="scanner")
    table = found.subgroups
    assert list(table["subgroup"]) == ["all", "A", "B", "not stated"]
    assert list(table["cases"]) == [60, 30, 28, 2]
    assert list(table["positive"]) == [30, 15, 14, 1]
    alone = evaluate(made(scanner=scanner))
    assert table["accuracy"][0] == str(alone.metric("accuracy"))
    assert alone.subgroups is None
    assert "Subgroups" in found.tables()
    assert found.to_json()["subgroups"][1]["subgroup"] == "A"
    assert "not stated" in repr(found)


def test_patients_are_the_unit_within_a_subgroup_too():
    patient = [f"p{i // 5}" for i in range(60)]
    table = evaluate(made(site=["x"] * 30 + ["y"] * 30, patient=patient), by="site").subgroups
    assert list(table["patients"]) == [12, 6, 6]


def test_ages_are_cut_into_thirds_in_order():
    groups = subgroup_of_cases(made(age_years=np.arange(60.0) + 20), "age_years")
    assert list(dict.fromkeys(groups)) == ["1: 20 to 39", "2: 40 to 59", "3: 60 to 79"]
    assert groups.value_counts().tolist() == [20, 20, 20]


def test_a_dictionary_of_cases_names_subgroups():
    table = evaluate(made(), by={f"c{i}": "even" if i % 2 == 0 else "odd" for i in range(60)}).subgroups
    assert list(table["subgroup"]) == ["all", "even", "odd"]
    assert table["AUC"][1] == "not defined"


def test_no_such_column_and_names_of_cases_are_refused():
    with pytest.raises(SettingError, match='no column "scaner"'):
        evaluate(made(scanner=["A"] * 60), by="scaner")
    with pytest.raises(SettingError, match='"who" has 60 different values'):
        evaluate(made(who=[f"name {i}" for i in range(60)]), by="who")
