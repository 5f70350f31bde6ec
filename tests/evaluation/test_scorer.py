"""Intervals of metrics: what a perfect result's bound counts, patients, seeds, prevalence, and no cliffs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstread.evaluation.class_metrics import binary_metrics, multiclass_metrics, outcomes_per_1000, per_class_table
from firstread.evaluation.intervals import Estimate, ratio_interval, wilson_interval
from firstread.evaluation.scored_cases import ScoredCases
from firstread.evaluation.scorer import Scorer

from .scored import answers, binary_predictions, with_seeds

SHARES = ("accuracy", "sensitivity", "specificity", "PPV", "NPV", "F1")


def scorer(predictions, threshold=0.5):
    return Scorer(ScoredCases.of(predictions, threshold=threshold))


def few_positives(patient=None, sure=1.0):
    """36 negatives and 4 positives, all right."""
    truth = np.r_[np.zeros(36, int), np.ones(4, int)]
    columns = {} if patient is None else {"patient": patient}
    return scorer(binary_predictions(truth, np.where(truth, sure, 1 - sure), **columns))


def test_the_bound_of_a_perfect_result_counts_the_patients_of_its_denominator():
    patient = [f"p{i}" for i in range(40)]
    patient[1] = patient[0]  # two negatives are of one patient
    for found in (few_positives(), few_positives(patient)):
        bound = wilson_interval(4, 4).low
        assert found.proportion("sensitivity").low == pytest.approx(bound)
        for name in ("AUC", "partial AUC (specificity >= 0.8)", "average precision"):
            assert binary_metrics(found)[name].low == pytest.approx(bound), name
        assert found.f1_score().low < 0.7


def test_repeated_images_of_five_patients_are_five_patients():
    truth = np.r_[np.zeros(200, int), np.ones(25, int)]
    patient = [f"n{i // 4}" for i in range(200)] + [f"p{i // 5}" for i in range(25)]
    found = scorer(binary_predictions(truth, truth.astype(float), patient=patient))
    assert found.proportion("sensitivity").low == pytest.approx(wilson_interval(5, 5).low)
    assert found.auc().low == pytest.approx(wilson_interval(5, 5).low)


def test_an_error_more_never_makes_a_clustered_result_surer():
    patient = np.repeat([f"p{i}" for i in range(60)], 5)
    lows = []
    for wrong in range(4):
        right = np.arange(300) >= wrong
        lows.append(scorer(answers(right, patient=patient)).accuracy().low)
    assert all(low <= lows[0] + 1e-9 for low in lows)
    assert lows[0] == pytest.approx(wilson_interval(60, 60).low, abs=1e-6)


def test_ppv_at_a_prevalence_carries_the_interval_of_the_specificity():
    found = few_positives().predictive_value("PPV", 0.01)
    assert found.value == 1
    # at the specificity's own bound of .904 the PPV is 5 to 9 %
    assert 0.03 < found.low < 0.10
    assert found.high == 1
    assert "PPV at 0.1%" in binary_metrics(few_positives(), prevalence=0.001)


def test_npv_mirrors_ppv():
    rng = np.random.default_rng(0)
    truth, scores = np.arange(80) % 2, rng.random(80)
    one = scorer(binary_predictions(truth, scores)).predictive_value("PPV", 0.2)
    mirrored = scorer(binary_predictions(1 - truth, np.nextafter(1 - scores, 0))).predictive_value("NPV", 0.8)
    assert [one.value, one.low, one.high] == pytest.approx([mirrored.value, mirrored.low, mirrored.high])


def test_a_hair_of_doubt_does_not_make_the_brier_score_sure():
    sure, nearly = (scorer(binary_predictions(np.arange(40) % 2, s)).brier_score() for s in _almost_perfect())
    assert sure.high == pytest.approx(wilson_interval(0, 40).high)
    assert nearly.high == pytest.approx(sure.high, rel=0.1)


def _almost_perfect():
    truth = np.arange(40) % 2
    return truth.astype(float), np.where(truth, 0.999, 0.001)


def test_one_case_has_no_interval_of_its_scores():
    found = scorer(binary_predictions([1], [0.7])).brier_score()
    assert found.value == pytest.approx(0.09)
    assert not found.high - found.low < 0.5


def test_a_single_case_of_a_class_is_not_estimable():
    truth = np.r_[np.zeros(20, int), 1]
    found = binary_metrics(scorer(binary_predictions(truth, np.linspace(0, 1, 21) * 0.9)))
    for name in ("partial AUC (specificity >= 0.8)", "average precision"):
        assert found[name].method == "not estimable from 1 case of a class"
        assert np.isnan(found[name].low)


def test_every_metric_is_the_mean_over_seeds():
    rng = np.random.default_rng(1)
    truth, scores = (
        np.arange(30) % 2,
        [np.clip(rng.normal(0.35 + 0.3 * (np.arange(30) % 2), s), 0, 1) for s in (0.1, 0.5)],
    )
    alone = [binary_metrics(scorer(binary_predictions(truth, one))) for one in scores]
    both = binary_predictions(
        np.tile(truth, 2), np.concatenate(scores), case=[f"c{i}" for i in range(30)] * 2, seed=np.repeat([0, 1], 30)
    )
    found = binary_metrics(scorer(both))
    for name, estimate in found.items():
        assert estimate.value == pytest.approx(np.mean([one[name].value for one in alone])), name
        assert estimate.low <= estimate.value <= estimate.high, name


def test_three_equal_seeds_have_the_interval_of_one():
    right = np.random.default_rng(2).random(40) < 0.8
    once, thrice = scorer(answers(right)).accuracy(), scorer(with_seeds([right] * 3)).accuracy()
    assert thrice.value == pytest.approx(once.value)
    assert thrice.high - thrice.low == pytest.approx(once.high - once.low, rel=0.08)


def test_costs_and_classes_have_intervals_everywhere():
    rng = np.random.default_rng(3)
    found = scorer(binary_predictions(np.arange(60) % 2, rng.random(60)))
    costs = outcomes_per_1000(found.cases, prevalence=0.1)
    assert all("[" in text for name in costs.columns[1:] for text in costs[name])
    half = costs.set_index("threshold").loc[0.5]
    missed = 100 * (1 - found.proportion("sensitivity").value)
    assert half["missed of 1,000"].startswith(f"{missed:.0f} [")
    table = per_class_table(found)
    assert all(
        "[" in text for name in ("sensitivity", "specificity", "PPV", "NPV", "F1", "AUC") for text in table[name]
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=1, max_size=40),
    st.integers(1, 5),
    st.floats(0.001, 0.999),
)
def test_every_interval_holds_its_value_within_bounds(rows, images, prevalence):
    truth, scores = np.array([t for t, _ in rows]), np.array([s for _, s in rows]) / 20
    patient = [f"p{i // images}" for i in range(len(rows))]
    one = scorer(binary_predictions(truth, scores, patient=patient))
    for name, found in {**binary_metrics(one), **binary_metrics(one, prevalence=prevalence)}.items():
        if np.isfinite([found.low, found.high]).all():
            assert -1e-12 <= found.low <= found.value + 1e-12, name
            assert found.value - 1e-12 <= found.high <= 1 + 1e-12, name
        else:
            assert "not" in found.method, name


def test_more_classes():
    rng = np.random.default_rng(4)
    from firstread.core.columns import make_table
    from firstread.core.predictions import Predictions

    classes, truth = tuple("abc"), np.arange(60) % 3
    scores = rng.dirichlet(np.ones(3), 60) + np.eye(3)[truth]
    table = make_table([{"case": f"c{i}", "file": "x", "label": classes[t]} for i, t in enumerate(truth)])
    found = Predictions.from_scores(table, scores / scores.sum(1, keepdims=True), classes=classes)
    for name, estimate in multiclass_metrics(scorer(found)).items():
        limit = 2 if name.startswith("Brier") else 1
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= limit, name
        assert estimate.high - estimate.low < 0.5, name


def test_a_ratio_has_donner_and_zous_interval():
    # symmetric: the ratio's interval turned over is that of the reciprocal
    first, second = Estimate(0.8, 0.7, 0.87, ""), Estimate(0.3, 0.2, 0.42, "")
    low, high = ratio_interval(first, second)
    other_low, other_high = ratio_interval(second, first)
    assert [1 / high, 1 / low] == pytest.approx([other_low, other_high])
    assert ratio_interval(first, Estimate(0.0, 0.0, 0.1, ""))[1] == np.inf


@pytest.mark.filterwarnings("error")
def test_a_seed_without_a_class_leaves_what_needs_it_undefined():
    # two random splits of few cases, the second of which drew no positive one
    truth = np.array([0, 1, 0, 1, 0, 1, 0, 0, 0, 0])
    seeds = np.repeat([0, 1], [6, 4])
    found = binary_metrics(scorer(binary_predictions(truth, np.linspace(0.1, 0.9, 10), seed=seeds)))
    for name in ("sensitivity", "AUC", "partial AUC (specificity >= 0.8)", "average precision"):
        assert np.isnan(found[name].value), name
        assert found[name].method == "not defined under every seed", name
    assert np.isfinite(found["accuracy"].low)
