"""Intervals by patient: coverage, clusters, bounds where nothing varies, and no interval from too few."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from firstread.evaluation.patient_intervals import (
    mean_by_patient,
    median_by_patient,
    proportion_by_patient,
    rate_by_patient,
)
from firstread.evaluation.units import independent_units


def each(count):
    return np.array([f"p{i:03d}" for i in range(count)])


@pytest.mark.parametrize(("a", "b", "count"), [(30, 2, 6), (5, 1.5, 10), (5, 1.5, 20), (2, 2, 6)])
def test_the_interval_of_a_mean_of_skewed_values_covers_what_it_says(a, b, count):
    rng = np.random.default_rng(0)
    truth, groups = a / (a + b), each(count)
    found = [mean_by_patient(values, groups) for values in rng.beta(a, b, (600, count))]
    assert np.mean([estimate.low <= truth <= estimate.high for estimate in found]) > 0.92


def test_patients_with_several_scans_count_once():
    rng = np.random.default_rng(1)
    groups = np.repeat(each(10), 10)
    inside = naive = 0
    for _ in range(300):
        values = 0.7 + np.repeat(rng.normal(0, 0.05, 10), 10) + rng.normal(0, 0.02, 100)
        found, alone = mean_by_patient(values, groups), mean_by_patient(values, each(100))
        inside += found.low <= 0.7 <= found.high
        naive += alone.low <= 0.7 <= alone.high
    assert inside / 300 > 0.92
    assert naive / 300 < 0.6


def test_one_row_a_patient_is_students_interval():
    values = np.array([3.0, 5.0, 4.0, 8.0, 1.0])
    found = mean_by_patient(values, each(5), limits=None)
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 4, 4.2, stats.sem(values)))


def test_all_perfect_is_bounded_by_the_number_of_patients():
    found = mean_by_patient(np.ones(40), np.repeat(each(10), 4))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.722, abs=1e-3)  # ten of ten, not forty of forty
    assert mean_by_patient(np.zeros(10), each(10)).high == pytest.approx(1 - 0.722, abs=1e-3)


def test_equal_values_elsewhere_have_no_interval_rather_than_one_of_no_width():
    found = mean_by_patient(np.full(8, 0.4), each(8))
    assert np.isnan(found.low)
    assert "all values are equal" in found.method


def test_too_few_patients_give_no_interval_and_say_how_many():
    found = mean_by_patient(np.array([0.1, 0.5, 0.9, 0.8]), np.array(["a", "a", "b", "c"]), remark="1 of 4 missed")
    assert np.isnan([found.low, found.high]).all()
    assert found.method == "not estimable from 3 patients"
    assert str(found).endswith("1 of 4 missed")
    assert median_by_patient(np.arange(5.0), each(5)).method == "not estimable from 5 patients"
    assert mean_by_patient(np.zeros(0), each(0)).cases == 0


def test_a_median_keeps_infinite_values():
    values = np.array([2.0, 3, 4, 5, 6, 7, 8, np.inf, np.inf, np.inf])
    found = median_by_patient(values, each(10))
    assert (found.value, found.low, found.high) == (6.5, 3.0, np.inf)
    assert found.method == "order statistics"
    most = median_by_patient(np.array([1.0, np.inf, np.inf, np.inf, np.inf, np.inf]), each(6))
    assert (most.value, most.high) == (np.inf, np.inf)
    clustered = median_by_patient(np.repeat(values, 2), np.repeat(each(10), 2))
    assert (clustered.value, clustered.high) == (6.5, np.inf)
    assert clustered.method == "bootstrap by patient"


def test_the_interval_of_a_median_covers_what_it_says():
    rng = np.random.default_rng(3)
    found = [median_by_patient(values, each(12)) for values in rng.lognormal(0, 1, (400, 12))]
    assert np.mean([estimate.low <= 1 <= estimate.high for estimate in found]) > 0.93


def test_proportions_and_rates():
    hits = np.array([True, True, True, False, True, True])
    assert proportion_by_patient(hits, each(6)).method == "Wilson"
    assert "by patient" in proportion_by_patient(np.repeat(hits, 2), np.repeat(each(6), 2)).method
    none = rate_by_patient(np.zeros(10), each(10))
    assert (none.low, none.high) == (0.0, pytest.approx(3.0 / 10, abs=0.001))  # the rule of three
    some = rate_by_patient(np.array([0.0, 0, 0, 0, 0, 4]), each(6))
    assert some.low == 0.0
    assert some.high > 2


def test_the_unit_is_the_component_then_the_patient_then_the_case():
    table = pd.DataFrame(
        {"case": list("abcd"), "patient": ["A1", "a1", "B", None], "component": ["A1", "A1", "B", None]}
    )
    units = independent_units(table)
    assert len(set(units.groups)) == 3
    assert (units.name, units.unstated) == ("patient", 1)
    assert "For 1 case no patient is known" in units.note
    assert len(set(independent_units(table.drop(columns="component")).groups)) == 4
    alone = independent_units(table[["case"]])
    assert alone.name == "case"
    assert "No patient is stated" in alone.note
