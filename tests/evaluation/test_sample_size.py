"""Sample size: published examples, simulated studies of the planned size, monotone, refusals in a sentence."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from firstread.core.errors import SettingError
from firstread.evaluation.intervals import auc_interval, wilson_interval
from firstread.evaluation.sample_size import StudyDesign, sample_size
from firstread.evaluation.sample_size_formulas import fewest

shares = st.floats(0.02, 0.98)


@pytest.mark.parametrize(("sensitivity", "half", "buderer"), [(0.9, 0.05, 139), (0.9, 0.1, 35), (0.8, 0.05, 246)])
def test_sensitivity_as_in_buderer_1996(sensitivity, half, buderer):
    # Buderer 1996, doi 10.1111/j.1553-2712.1996.tb03538.x: z^2 p (1 - p) / half^2 positives, over the prevalence; with
    # Wilson's interval (here) a few more or fewer
    found = sample_size(sensitivity=sensitivity, width=2 * half, prevalence=0.2)
    assert found.positives == pytest.approx(buderer, abs=4)
    assert found.cases == pytest.approx(buderer / 0.2, abs=20)
    assert wilson_interval(round(found.positives * sensitivity), found.positives).value == pytest.approx(0.85, abs=0.06)


def test_the_interval_is_as_wide_as_planned():
    found = sample_size(specificity=0.8, width=0.1, prevalence=0.2)
    interval = wilson_interval(round(0.8 * found.negatives), found.negatives)
    assert interval.high - interval.low == pytest.approx(0.1, abs=0.002)
    assert found.negatives / found.cases == pytest.approx(0.8, abs=0.01)


def test_mcnemar_as_in_connor_1987():
    # Connor 1987, Biometrics 43:207, page 209: discordant shares 0.05 and 0.45, power 0.8: 22.01 pairs
    # (R's pwr.mcnemar of B. Greenwell, which cites it, gives 22.01 rounded)
    found = sample_size(accuracy=0.5, difference=0.4, design=StudyDesign(discordance=0.5))
    assert found.cases == 23


@pytest.mark.parametrize(("first", "second", "each"), [(0.70, 0.75, 652)])
def test_difference_of_two_areas_as_in_the_table_of_hanley_and_mcneil_1982(first, second, each):
    design = StudyDesign(confidence=0.9, paired=False)  # one-sided 5 %
    assert sample_size(AUC=first, difference=second - first, design=design).positives == pytest.approx(each, rel=0.005)


def test_two_test_sets_as_in_fleiss():
    # Fleiss, Levin and Paik 2003, equation 4.14 without the continuity correction: 0.6 against 0.7, 80 %: 356 each
    found = sample_size(accuracy=0.6, difference=0.1, design=StudyDesign(paired=False))
    assert found.cases == 356
    assert found.test_sets == 2


def test_planned_comparisons_have_their_power():
    rng = np.random.default_rng(0)
    design = StudyDesign(discordance=0.15)
    size = sample_size(accuracy=0.8, difference=0.06, design=design).cases
    only_second, only_first = (0.15 + 0.06) / 2, (0.15 - 0.06) / 2
    counts = rng.multinomial(size, [only_second, only_first, 1 - 0.15], 4000)
    z = (counts[:, 0] - counts[:, 1]) / np.sqrt(counts[:, 0] + counts[:, 1])
    assert (np.abs(z) > norm.ppf(0.975)).mean() == pytest.approx(0.8, abs=0.03)


def test_planned_non_inferiority_has_its_power():
    rng = np.random.default_rng(0)
    size = sample_size(accuracy=0.85, margin=0.05, design=StudyDesign(discordance=0.1)).cases
    counts = rng.multinomial(size, [0.05, 0.05, 0.9], 4000)
    difference = (counts[:, 0] - counts[:, 1]) / size
    error = np.sqrt((counts[:, 0] + counts[:, 1]) / size - difference**2) / sqrt(size)
    assert (difference - norm.ppf(0.975) * error > -0.05).mean() == pytest.approx(0.8, abs=0.03)


def test_planned_auc_intervals_have_their_width():
    rng = np.random.default_rng(0)
    found = sample_size(AUC=0.85, width=0.1, prevalence=0.3)
    truth = np.r_[np.ones(found.positives, int), np.zeros(found.negatives, int)]
    distance = np.sqrt(2) * norm.ppf(0.85)
    widths = []
    for _ in range(60):
        interval = auc_interval(truth, rng.normal(distance * truth))
        widths.append(interval.high - interval.low)
    assert 0.08 < np.mean(widths) < 0.101  # the formula is cautious where scores are binormal


def test_several_cases_of_a_patient_need_the_design_effect():
    alone = sample_size(sensitivity=0.9, width=0.1)
    for correlation, times in ((0.0, 1), (0.5, 2), (1.0, 3)):
        design = StudyDesign(cases_per_patient=3, correlation=correlation)
        found = sample_size(sensitivity=0.9, width=0.1, design=design)
        assert found.cases == pytest.approx(times * alone.cases, abs=2)
        assert found.patients == -(-found.cases // 3)


def test_it_reads_as_a_sentence():
    text = str(sample_size(sensitivity=0.9, width=0.1, prevalence=0.2))
    assert text == (
        "705 patients, 141 positive and 564 negative, for a 95% interval of the sensitivity that is 0.1 wide. "
        "Assumed: sensitivity 0.9; one case of each patient; a prevalence of 0.2 in the test set."
    )
    paired = str(sample_size(accuracy=0.8, margin=0.05, design=StudyDesign(cases_per_patient=2, correlation=0.4)))
    assert "as if their errors were independent" in paired
    assert "2 cases of each patient, whose errors have a correlation of 0.4" in paired
    assert "in each of the two test sets" in str(sample_size(AUC=0.8, difference=0.1, design=StudyDesign(paired=False)))


@given(shares, st.floats(0.02, 0.5), st.floats(0.02, 0.5), st.floats(0.05, 0.95))
def test_a_narrower_interval_needs_more_cases(value, first, second, prevalence):
    narrow, wide = sorted((first, second))
    for name in ("sensitivity", "specificity", "accuracy"):
        sizes = [sample_size(**{name: value}, width=width, prevalence=prevalence) for width in (narrow, wide)]
        assert sizes[0].cases >= sizes[1].cases
        assert all(size.positives + size.negatives == size.cases for size in sizes)


@given(st.floats(0.55, 0.9), st.floats(0.01, 0.09), st.floats(0.5, 0.95), st.floats(0.5, 0.95))
def test_more_power_and_a_smaller_difference_need_more_cases(value, difference, first, second):
    for name in ("accuracy", "AUC"):
        low, high = (
            sample_size(**{name: value}, difference=difference, design=StudyDesign(power=power)).cases
            for power in sorted((first, second))
        )
        assert high >= low
        assert (
            sample_size(**{name: value}, difference=difference / 2).cases
            > sample_size(**{name: value}, difference=difference).cases
        )
        assert (
            sample_size(**{name: value}, margin=difference / 2).cases
            > sample_size(**{name: value}, margin=difference).cases
        )


@given(st.integers(2, 5000))
def test_the_fewest_are_found(size):
    assert fewest(lambda n: n >= size) == size


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"width": 0.1}, "0 expected values are given"),
        ({"sensitivity": 0.9, "specificity": 0.9, "width": 0.1}, "2 expected values are given"),
        ({"sensitivty": 0.9, "width": 0.1}, 'no argument "sensitivty". Did you mean "sensitivity"'),
        ({"sensitivity": 1.0, "width": 0.1}, "sensitivity=1 is not possible"),
        ({"AUC": 0.4, "width": 0.1}, r"AUC=0\.4 is not possible"),
        ({"accuracy": 0.9}, "Nothing is to be planned for"),
        ({"accuracy": 0.9, "width": 0.1, "margin": 0.1}, "are two plans"),
        ({"accuracy": 0.9, "width": 0}, "width=0 is not possible"),
        ({"accuracy": 0.9, "margin": -0.1}, r"margin=-0\.1 is not possible"),
        ({"accuracy": 0.9, "difference": 0}, "difference=0 is not possible"),
        ({"accuracy": 0.9, "difference": 0.2}, r"accuracy would be 1\.1"),
        ({"accuracy": 0.9, "margin": 0.05, "difference": -0.05}, "worse by the margin cannot be shown not to be"),
        ({"accuracy": 0.9, "width": 0.1, "prevalence": 0}, "prevalence=0 is not possible"),
        ({"accuracy": 0.9, "difference": 0.05, "design": StudyDesign(discordance=0.9)}, r"discordance=0\.9"),
        ({"sensitivity": 0.5, "width": 0.001}, None),
    ],
)
def test_what_cannot_be_planned_is_refused(arguments, words):
    if words is None:
        assert sample_size(**arguments).cases > 1_000_000
        return
    with pytest.raises(SettingError, match=words):
        sample_size(**arguments)


@pytest.mark.parametrize(
    "values", [{"power": 1}, {"confidence": 0.2}, {"correlation": 2}, {"cases_per_patient": 0}, {"discordance": 0}]
)
def test_a_design_that_cannot_be_is_refused(values):
    with pytest.raises(SettingError, match=f"{next(iter(values))}={next(iter(values.values()))} is not possible"):
        StudyDesign(**values)
