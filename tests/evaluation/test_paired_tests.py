"""Paired tests: McNemar where patients have one case, permutations by patient else; Bonett and Price."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from firstread.evaluation.influence import Sample, mean_influence
from firstread.evaluation.paired_tests import (
    mean_difference_interval,
    sign_flip_test,
    student_test,
)


def sample_of(groups):
    return Sample.of(np.asarray(groups))


def interval(differences, groups=None):
    sample = sample_of(np.arange(len(differences)) if groups is None else groups)
    differences = np.asarray(differences, float)
    return mean_difference_interval(differences, sample, mean_influence(differences, sample))


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 20))
def test_one_case_a_patient_is_the_exact_mcnemar_test(first, second, equal):
    differences = np.r_[np.ones(first), -np.ones(second), np.zeros(equal + 1)]
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert sign_flip_test(differences, sample_of(np.arange(len(differences)))) == pytest.approx(expected)


def test_copies_of_a_patient_are_no_further_evidence():
    differences = np.r_[np.ones(5), np.zeros(15)]
    alone = sign_flip_test(differences, sample_of(np.arange(20)))
    copied = sign_flip_test(np.repeat(differences, 10), sample_of(np.repeat(np.arange(20), 10)))
    assert copied == pytest.approx(alone)


def test_few_patients_are_enumerated_and_many_drawn():
    totals = np.array([3.0, 2, 1, 1, -1, 2])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1)
    expected = (np.abs(totals @ signs) >= totals.sum() - 1e-9).mean()
    assert sign_flip_test(totals, sample_of(np.arange(6))) == pytest.approx(expected)
    rng = np.random.default_rng(0)
    many = rng.choice([-2.0, -1, 1, 2], 40)
    assert sign_flip_test(many, sample_of(np.arange(40))) == sign_flip_test(many, sample_of(np.arange(40)))
    assert sign_flip_test(np.abs(many), sample_of(np.arange(40))) < 0.001


def test_bonett_price_worked_example():
    # Bonett and Price 2012, J Educ Behav Stat 37:479: f12 = 5, f21 = 20 of n = 100 (their adjusted Wald interval)
    found = interval(np.r_[np.ones(5), -np.ones(20), np.zeros(75)])
    p12, p21 = 6 / 102, 21 / 102
    half = 1.959964 * np.sqrt((p12 + p21 - (p12 - p21) ** 2) / 102)
    assert [found.low, found.high] == pytest.approx([p12 - p21 - half, p12 - p21 + half], abs=1e-6)
    assert found.value == pytest.approx(-0.15)


def test_no_difference_seen_is_not_none_possible():
    found = interval(np.zeros(20))
    assert found.value == 0
    assert found.low < -0.1
    assert found.high > 0.1


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=60), st.integers(1, 6))
def test_the_interval_holds_its_estimate_and_turns_with_it(differences, images):
    groups = np.arange(len(differences)) // images
    found, turned = interval(differences, groups), interval([-d for d in differences], groups)
    if np.isfinite(found.low):
        assert -1 <= found.low <= found.value <= found.high <= 1
        assert [turned.low, turned.high] == pytest.approx([-found.high, -found.low])


def test_few_patients_of_several_cases_have_no_interval():
    found = interval([1.0, 0, 0, 1, 0, 0, 0, 0], np.arange(8) // 2)
    assert np.isnan(found.low)
    assert found.method == "not estimable from 4 patients"


def test_nothing_that_varies_has_no_test():
    one = mean_influence(np.full(6, 0.5), sample_of(np.arange(6)))
    assert student_test(one.minus(one)) == 1.0
    shifted = mean_influence(np.full(6, 0.7), sample_of(np.arange(6)))
    assert np.isnan(student_test(one.minus(shifted)))
