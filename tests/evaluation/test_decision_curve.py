"""Decision curve: the definition, reference values, bounds, intervals by patient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.errors import SettingError
from firstread.core.figures import new_figure
from firstread.evaluation.decision_curve import decision_curve, plot_decision_curve

rows = st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1), st.integers(0, 20)), min_size=1, max_size=60)


def example():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    return truth, np.clip(0.5 + 0.3 * (truth - 0.5) + rng.normal(0, 0.2, 200), 0.001, 0.999)


def test_net_benefit_as_in_dcurves():
    # dcurves 1.1.7: dca(data, "truth", ["score"], thresholds=[0.1, 0.3, 0.5, 0.7], prevalence=None, then 0.1)
    i = np.arange(60)
    truth = (i * 7 % 10 < 4).astype(int)
    scores = np.round((i * 37 % 61 + 1 + 14 * truth) / 78, 4)
    thresholds = [0.1, 0.3, 0.5, 0.7]
    own = decision_curve(truth, scores, thresholds=thresholds)
    assert own["net_benefit"].tolist() == pytest.approx([0.338889, 0.159524, 0.066667, 0.066667], abs=1e-6)
    assert own["treat_all"].tolist() == pytest.approx([0.333333, 0.142857, -0.2, -1.0], abs=1e-6)
    rare = decision_curve(truth, scores, prevalence=0.1, thresholds=thresholds)
    assert rare["net_benefit"].tolist() == pytest.approx([0.008333, -0.156548, -0.2125, -0.129167], abs=1e-6)
    assert rare["treat_all"].tolist() == pytest.approx([0.0, -0.285714, -0.8, -2.0], abs=1e-6)


@given(rows, st.floats(0.01, 0.99))
def test_net_benefit_has_its_bounds_and_its_interval(data, threshold):
    truth, scores, groups = (np.array(column) for column in zip(*data, strict=True))
    found = decision_curve(truth, scores.astype(float), groups, thresholds=[threshold]).iloc[0]
    odds, share = threshold / (1 - threshold), truth.mean()
    assert -odds * (1 - share) - 1e-9 <= found["net_benefit"] <= share + 1e-9
    assert found["treat_all"] == pytest.approx(share - (1 - share) * odds)
    assert found["over_treat_all"] == pytest.approx(found["net_benefit"] - found["treat_all"], abs=1e-9 * (1 + odds))
    for name in ("net_benefit", "over_treat_all"):
        low, high = (
            (found["low"], found["high"]) if name == "net_benefit" else (found[f"{name}_low"], found[f"{name}_high"])
        )
        assert np.isnan([low, high]).any() or low <= found[name] <= high


def test_the_prevalence_of_the_data_changes_nothing():
    truth, scores = example()
    own = decision_curve(truth, scores, thresholds=[0.2, 0.5])
    given_ = decision_curve(truth, scores, prevalence=truth.mean(), thresholds=[0.2, 0.5])
    for name in ("net_benefit", "treat_all", "over_treat_all"):
        assert own[name].to_numpy() == pytest.approx(given_[name].to_numpy())


def test_a_perfect_network_gains_the_prevalence():
    truth = np.array([0, 1] * 20)
    found = decision_curve(truth, truth * 0.98 + 0.01, prevalence=0.1, thresholds=[0.3]).iloc[0]
    assert found["net_benefit"] == pytest.approx(0.1)
    assert found["low"] < 0.1  # 20 of 20 and 0 of 20 are no certainty
    assert found["high"] == pytest.approx(0.1)


def test_repeated_cases_of_patients_do_not_narrow_the_interval():
    truth, scores = example()
    alone = decision_curve(truth, scores, thresholds=[0.4]).iloc[0]
    found = decision_curve(np.tile(truth, 5), np.tile(scores, 5), np.tile(np.arange(200), 5), thresholds=[0.4]).iloc[0]
    assert found["net_benefit"] == pytest.approx(alone["net_benefit"])
    assert found["high"] - found["low"] == pytest.approx(alone["high"] - alone["low"], rel=0.1)


@pytest.mark.parametrize("truth", [np.zeros(20, int), np.ones(20, int), np.array([1]), np.zeros(0, int)])
@pytest.mark.parametrize("prevalence", [None, 0.2])
def test_one_class_one_case_or_none_is_survived(truth, prevalence):
    scores = np.full(len(truth), 0.4)
    assert len(decision_curve(truth, scores, prevalence=prevalence, thresholds=[0.3, 0.4, 0.5])) == 3


def test_nonsense_is_refused():
    truth, scores = example()
    with pytest.raises(SettingError, match=r"A threshold of 1\.0 is not possible"):
        decision_curve(truth, scores, thresholds=[1.0])
    with pytest.raises(SettingError, match="prevalence=0 is not possible"):
        decision_curve(truth, scores, prevalence=0)


def test_the_plot_shows_the_three_choices():
    _, axes = new_figure()
    plot_decision_curve(axes[0, 0], decision_curve(*example()), name="resnet18")
    assert [text.get_text() for text in axes[0, 0].get_legend().get_texts()] == ["resnet18", "treat all", "treat none"]
