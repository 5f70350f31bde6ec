"""Units of analysis: patients where known, cases else, and seeds never count as cases."""

import pandas as pd
import pytest

from firstread.evaluation.units import independent_units


def table(**columns):
    return pd.DataFrame({"case": ["a", "b", "c", "a", "b", "c"], **columns})


def test_seeds_of_a_case_are_no_further_cases():
    units = independent_units(table(seed=[0, 0, 0, 1, 1, 1]))
    assert (units.count, units.case_count, units.seed_count) == (3, 3, 2)
    assert not units.independent
    assert units.describe() == "3 cases, 2 seeds"


def test_the_component_counts_before_the_patient():
    units = independent_units(table(patient=list("pqrpqr"), component=["x", "x", "y"] * 2))
    assert (units.name, units.count) == ("patient", 2)
    assert units.describe() == "3 cases of 2 patients"


def test_one_missing_patient_is_a_patient_of_its_own_and_said():
    units = independent_units(table(patient=["p", "p", None] * 2))
    assert (units.name, units.count, units.unstated) == ("patient", 2, 1)
    assert "For 1 case no patient is known" in units.note


def test_a_patient_called_as_a_case_is_not_that_case():
    units = independent_units(table(patient=["a", None, "c"] * 2))
    assert units.count == 3


def test_selected_rows_keep_what_is_not_stated():
    units = independent_units(table(patient=["p", "p", None] * 2)).select([0, 1])
    assert (units.count, units.case_count, units.unstated) == (1, 2, 0)


@pytest.mark.parametrize(("source", "name"), [("study", "study"), ("folder", "folder"), ("stated", "patient")])
def test_a_unit_is_called_what_it_is(source, name):
    units = independent_units(table(component=["u", "u", "v"] * 2, patient_source=[source] * 6))
    assert (units.name, units.count) == (name, 2)
    assert bool(units.note) == (source != "stated")


def test_a_case_counts_once_among_the_sources_however_many_seeds_it_has():
    units = independent_units(table(component=["u", "v", None] * 2, patient_source=["stated", "study", "none"] * 2))
    assert units.sources == {"stated": 1, "study": 1, "none": 1}
    assert units.describe() == "3 cases of 3 groups"
