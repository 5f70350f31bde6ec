"""compare: paired differences by patient, seeds never as cases, no winner without a shown difference, margins."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstread.core.errors import DataError, SettingError
from firstread.evaluation.comparison import compare
from firstread.evaluation.evaluation import evaluate

from .scored import answers, binary_predictions, with_seeds


def test_interval_is_wilsons():
    # Newcombe 1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I: 15/148
    table = compare({"a": answers([True] * 15 + [False] * 133)}).table
    assert table["low"][0] == pytest.approx(0.0624, abs=5e-5)
    assert table["high"][0] == pytest.approx(0.1605, abs=5e-5)


def test_a_clear_difference_is_named_with_its_size():
    result = compare({"good": answers([True] * 40), "bad": answers([False] * 20 + [True] * 20)})
    assert "good is better than bad" in result.conclusion
    assert "higher by 0.500 [" in result.conclusion
    pair = result.difference("good", "bad")
    assert pair.p_value == pytest.approx(2 * 0.5**20)
    assert pair.test == "exact McNemar test"
    assert pair.estimate.low > 0.3


def test_a_small_difference_names_no_winner_and_is_no_proof_of_equality():
    result = compare({"one": answers([True] * 38 + [False] * 2), "two": answers([True] * 40)})
    assert "cannot be told apart" in result.conclusion
    assert "two minus one, is 0.050 [" in result.conclusion
    assert "no proof that they are equal" in result.conclusion


def test_seeds_never_multiply_cases():
    # 2 wrong rows of 30: 10 cases, 3 seeds
    perfect, nearly = [[True] * 10] * 3, [[True] * 10, [True] * 10, [True] * 8 + [False] * 2]
    result = compare({"a": with_seeds(perfect), "b": with_seeds(nearly)})
    assert list(result.table["cases"]) == [10, 10]
    assert list(result.table["seeds"]) == [3, 3]
    assert result.difference("a", "b").p_value >= 0.5
    assert "better" not in result.conclusion


def test_the_same_answers_under_three_seeds_say_what_one_says():
    rng = np.random.default_rng(0)
    first, second = rng.random(20) < 0.95, rng.random(20) < 0.7
    once = compare({"a": answers(first), "b": answers(second)}).difference("a", "b")
    thrice = compare({"a": with_seeds([first] * 3), "b": with_seeds([second] * 3)}).difference("a", "b")
    assert thrice.p_value == pytest.approx(once.p_value)
    assert thrice.estimate.value == pytest.approx(once.estimate.value)
    assert [thrice.estimate.low, thrice.estimate.high] == pytest.approx([once.estimate.low, once.estimate.high])


def test_images_of_a_patient_are_no_further_patients():
    rng = np.random.default_rng(1)
    patient = [f"p{i // 20}" for i in range(240)]
    first, second = np.repeat(rng.random(12) < 0.95, 20), np.repeat(rng.random(12) < 0.7, 20)
    by_image = compare({"a": answers(first), "b": answers(second)})
    by_patient = compare({"a": answers(first, patient=patient), "b": answers(second, patient=patient)})
    assert "better" in by_image.conclusion
    assert "cannot be told apart on 240 cases of 12 patients" in by_patient.conclusion
    assert by_patient.difference("a", "b").test == "permutation test by patient"
    known = evaluate(answers(first, patient=patient)).metric("accuracy")
    assert (by_patient.table["low"][0], by_patient.table["high"][0]) == (known.low, known.high)


def test_a_score_of_exactly_half_is_decided_as_evaluate_decides_it():
    truth, scores = np.arange(20) % 2, np.full(20, 0.5)
    one = binary_predictions(truth, scores)
    assert compare({"a": one}).table["accuracy"][0] == evaluate(one).metric("accuracy").value == 0.5
    assert list(one.table["prediction"]) == ["disease"] * 20


def test_one_result_is_compared_with_nothing():
    result = compare({"my run": answers([True] * 38 + [False] * 2)})
    assert result.conclusion.startswith("There is one result, and nothing to compare it with: my run, accuracy 0.950")
    assert "chance" not in result.conclusion
    assert result.differences.empty


def test_three_pairs_are_corrected_and_said():
    results = {"a": answers([True] * 30), "b": answers([True] * 23 + [False] * 7), "c": answers([True] * 29 + [False])}
    found = compare(results)
    raw = found.difference("a", "b").p_value
    assert found.difference("a", "b").p_corrected == pytest.approx(3 * raw)
    assert any("3 pairs (Holm)" in note for note in found.notes)
    beside = compare(results, reference="a")
    assert beside.difference("b", "a").p_corrected == pytest.approx(2 * raw)


def test_a_margin_shows_equality_non_inferiority_or_neither():
    equal = compare({"a": answers([True] * 400), "b": answers([True] * 399 + [False])}, margin=0.05)
    assert "equal within 0.05" in equal.conclusion
    behind = answers([True] * 370 + [False] * 30)
    ahead = answers([False] * 20 + [True] * 360 + [False] * 20)
    assert "is not worse than" in compare({"new": ahead, "old": behind}, margin=0.05).conclusion
    few = compare({"a": answers([True] * 10), "b": answers([True] * 9 + [False])}, margin=0.02)
    assert "neither a difference nor equality within 0.02" in few.conclusion


def test_different_cases_truths_or_classes_are_refused():
    with pytest.raises(DataError, match="not of the same cases"):
        compare({"a": answers([True] * 4), "b": answers([True] * 5)})
    with pytest.raises(DataError, match="truth of a case differs"):
        compare({"a": answers([True] * 4), "b": answers([True] * 4, truth=[1, 1, 0, 1])})


def test_bad_arguments_are_refused():
    with pytest.raises(DataError, match="nothing to compare"):
        compare({})
    one = {"a": answers([True] * 4), "b": answers([True] * 4)}
    with pytest.raises(SettingError, match='metric="acuracy" cannot be compared'):
        compare(one, metric="acuracy")
    with pytest.raises(SettingError, match=r"margin=-0\.1"):
        compare(one, margin=-0.1)
    with pytest.raises(SettingError, match='no result "c"'):
        compare(one, reference="c")
    with pytest.raises(SettingError, match='no difference of "a" and "c"'):
        compare(one).difference("a", "c")


def test_names_are_escaped_in_a_notebook_and_json_is_valid():
    result = compare({"<script>": answers([True] * 6), "b": answers([False] * 6)})
    assert "<script>" not in result._repr_html_()
    assert json.loads(json.dumps(result.to_json(), allow_nan=False))["metric"] == "accuracy"
    assert "cannot be told apart" in repr(result) or "better" in repr(result)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_bounded_and_symmetric(pairs):
    a, b = answers([x for x, _ in pairs]), answers([y for _, y in pairs])
    one, two = compare({"a": a, "b": b}), compare({"b": b, "a": a})
    assert ((one.table["low"] <= one.table["accuracy"]) & (one.table["accuracy"] <= one.table["high"])).all()
    first, second = one.difference("a", "b"), two.difference("a", "b")
    assert first.p_value == pytest.approx(second.p_value)
    assert first.estimate.low == pytest.approx(second.estimate.low)
    assert 0 <= first.p_value <= 1


def test_equal_recipes_are_seldom_called_different():
    rng, better = np.random.default_rng(3), 0
    for _ in range(150):
        skill = np.clip(rng.normal(0.8, 0.15, 40), 0, 1)
        rights = [rng.random((3, 40)) < skill for _ in range(2)]
        better += "better" in compare({"a": with_seeds(rights[0]), "b": with_seeds(rights[1])}).conclusion
    assert better <= 15


def test_the_auc_is_compared_as_by_proc():
    # R pROC 1.18.0, roc.test(method = "delong"), of these numbers: AUC 0.753056 and 0.670556, Z = 1.30973537,
    # p = 0.190285, interval -0.0409578 to 0.2059578 (normal quantile; Student's is a little wider)
    rng = np.random.RandomState(7)
    truth, latent = (rng.rand(90) < 0.4).astype(int), rng.randn(90)
    first = np.round(latent + 1.2 * truth + rng.randn(90), 3)
    second = np.round(0.8 * latent + 0.7 * truth + rng.randn(90), 3)
    results = {name: binary_predictions(truth, 1 / (1 + np.exp(-v))) for name, v in (("a", first), ("b", second))}
    pair = compare(results, metric="AUC").difference("a", "b")
    assert pair.estimate.value == pytest.approx(0.753056 - 0.670556, abs=1e-6)
    width = 0.2059577856 + 0.0409577856
    assert width <= pair.estimate.high - pair.estimate.low <= 1.03 * width
    assert 0.190285 <= pair.p_value <= 0.20
