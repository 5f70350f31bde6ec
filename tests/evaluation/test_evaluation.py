"""evaluate: metrics with intervals, trivial baselines, notes on what is missing or undefined."""

import json

import numpy as np
import pytest

from firstread.core.columns import make_table
from firstread.core.errors import DataError, MissingDependencyError, SettingError
from firstread.core.predictions import Predictions, concat_predictions
from firstread.core.registry import registered
from firstread.core.tasks import Classification
from firstread.evaluation.classification import ClassificationEvaluation
from firstread.evaluation.evaluation import Evaluation, evaluate
from firstread.evaluation.segmentation import SegmentationEvaluation

from .mask_files import BOX, predictions

BINARY = ("abdomen", "chest")


def binary(count=40, seed=0, model="net", **columns):
    rng = np.random.default_rng(seed)
    truth = np.arange(count) % 2
    scores = np.clip(0.5 + 0.3 * (truth * 2 - 1) + rng.normal(0, 0.3, count), 0, 1)
    table = make_table([{"case": f"c{i}", "file": "x", "label": BINARY[t]} for i, t in enumerate(truth)]).assign(
        **columns
    )
    return Predictions.from_scores(table, scores, classes=BINARY, model=model)


def six(count=120):
    rng = np.random.default_rng(1)
    classes = tuple("abcdef")
    truth = np.arange(count) % 6
    scores = rng.dirichlet(np.ones(6), count) + 1.2 * np.eye(6)[truth] * rng.random((count, 1))
    table = make_table([{"case": f"c{i}", "file": "x", "label": classes[t]} for i, t in enumerate(truth)])
    return Predictions.from_scores(table, scores / scores.sum(1, keepdims=True), classes=classes)


@pytest.mark.parametrize("make", [binary, six])
def test_every_metric_lies_in_its_interval(make):
    table = evaluate(make()).table.set_index("metric")
    assert (table["method"] != "").all()
    if "calibration error (lower is better)" in table.index:
        assert table["method"].loc["calibration error (lower is better)"] == "no interval: biased upwards"
        table = table.drop("calibration error (lower is better)")
    assert (table["low"] <= table["value"] + 1e-9).all()
    assert (table["value"] <= table["high"] + 1e-9).all()
    shares = [name for name in table.index if name.split()[0] not in ("calibration", "observed")]
    assert table["low"].loc[shares].between(0, 1).all()
    assert (table["high"] > table["low"]).all()


def test_the_trivial_rules_are_always_there_and_are_named_when_they_win():
    rule = binary(seed=0, model="rule: image size")
    table = make_table([{"case": f"c{i}", "file": "x", "label": BINARY[i % 2]} for i in range(40)])
    scores = (np.arange(40) % 2).astype(float)
    perfect = Predictions.from_scores(table, scores, classes=BINARY, model="rule: border")
    found = evaluate(binary().with_baselines([rule, perfect]))
    assert list(found.comparison["name"]) == ["net", "rule: image size", "rule: border"]
    assert any("rule: border (1.000)" in note for note in found.notes)
    assert any("No trivial rule" in note for note in evaluate(binary()).notes)


def test_the_positive_class_is_said():
    assert '"chest" is the positive class' in evaluate(binary()).notes[0]


def test_the_threshold_moves_cases_and_the_prevalence_moves_ppv():
    strict, lax = evaluate(binary(), threshold=0.9), evaluate(binary(), threshold=0.1)
    assert strict.metric("specificity").value > lax.metric("specificity").value
    assert strict.metric("sensitivity").value < lax.metric("sensitivity").value
    rare, common = (evaluate(binary(), prevalence=p).metric(f"PPV at {p:.0%}").value for p in (0.05, 0.5))
    assert rare < common


def test_cases_without_a_truth_are_left_out_and_counted():
    predictions = binary()
    table = predictions.table.copy()
    table.loc[:4, "truth"] = None
    found = evaluate(Predictions(table, Classification(BINARY), "net"))
    assert any("5 cases have no known truth" in note for note in found.notes)
    assert found.confusion.to_numpy().sum() == 35


def test_one_class_only_says_what_is_not_defined():
    predictions = binary()
    only = Predictions(predictions.table[predictions.truth == 1], Classification(BINARY), "net")
    found = evaluate(only)
    assert np.isnan(found.metric("AUC").value)
    assert any("No case of abdomen" in note for note in found.notes)
    assert json.dumps(found.to_json(), allow_nan=False)


def test_no_truth_at_all_is_refused():
    predictions = binary()
    with pytest.raises(DataError, match="No case has a truth"):
        evaluate(Predictions(predictions.table.assign(truth=None), Classification(BINARY), "net"))


def test_impossible_arguments_are_refused():
    with pytest.raises(SettingError, match="threshold=2"):
        evaluate(binary(), threshold=2)
    with pytest.raises(DataError, match=r"confidence=0\.1"):
        evaluate(binary(), confidence=0.1)
    with pytest.raises(SettingError, match="no metric"):
        evaluate(binary()).metric("accurracy")


def test_seeds_are_averaged_and_cases_not_counted_twice():
    one = evaluate(binary(seed=0))
    both = evaluate(
        concat_predictions(
            [Predictions(binary(seed=s).table.assign(seed=s), Classification(BINARY), "net") for s in (0, 0 + 1)]
        )
    )
    assert any("Mean over 2 seeds" in note for note in both.notes)
    accuracies = [evaluate(binary(seed=s)).metric("accuracy").value for s in (0, 1)]
    assert both.metric("accuracy").value == pytest.approx(np.mean(accuracies))
    width = both.metric("accuracy").high - both.metric("accuracy").low
    assert width > 0.5 * (one.metric("accuracy").high - one.metric("accuracy").low)


def test_patients_with_several_images_widen_the_interval():
    alone = evaluate(binary())
    grouped = evaluate(binary(patient=[f"P{i // 8}" for i in range(40)]))
    assert "by patient" in grouped.metric("accuracy").method
    assert alone.metric("accuracy").method == "Wilson"


def test_it_shows_itself():
    found = evaluate(binary())
    assert "accuracy" in repr(found)
    assert "data:image/png;base64," in found._repr_html_()
    assert len(found.details().axes) == 3
    assert evaluate(six()).figure() is not None


def test_same_seed_same_bootstrap():
    assert evaluate(binary()).table.equals(evaluate(binary()).table)


def test_the_metrics_are_those_of_the_task(tmp_path):
    assert isinstance(evaluate(binary()), ClassificationEvaluation)
    found = evaluate(predictions(tmp_path, [(BOX, BOX)] * 6), tolerance_mm=3)
    assert isinstance(found, SegmentationEvaluation)
    assert "lesion: surface Dice at 3 mm" in found.summary


@pytest.mark.parametrize("kind", sorted(registered("metrics")))
def test_every_registered_kind_returns_what_all_evaluations_have(kind, tmp_path):
    made = {"classification": binary(), "segmentation": predictions(tmp_path, [(BOX, BOX)] * 6)}[kind]
    found = evaluate(made)
    assert isinstance(found, Evaluation)
    assert found.show() is found
    assert found.predictions is made
    assert list(found.table["metric"]) == list(found.summary)
    assert {"metric", "value", "low", "high", "method"} <= set(found.table)
    assert {"name", "role"} <= set(found.comparison)
    assert found.comparison["role"].iloc[0] == "network"
    assert all(isinstance(note, str) for note in found.notes)
    assert found.figure() is not None
    assert found.headline().endswith(".")
    assert all(len(table.columns) for table in found.tables().values())
    shown, _, folded = found._repr_html_().partition("<details>")
    assert shown.count("<table") == 1 + (not folded)
    assert 'alt="chart' in found._repr_html_()
    assert {"model", "cases", "metrics", "comparison", "notes"} <= set(json.loads(json.dumps(found.to_json())))


def test_an_option_of_another_kind_is_refused_with_the_options_there_are():
    with pytest.raises(SettingError, match=r'classification has no option "tolerance_mm".*threshold'):
        evaluate(binary(), tolerance_mm=2)
    with pytest.raises(SettingError, match='Did you mean "threshold"'):
        evaluate(binary(), treshold=0.4)


def test_a_kind_without_metrics_says_so():
    class Unknown:
        kind = "divination"

    class Answers:
        task = Unknown()

    with pytest.raises(MissingDependencyError, match=r'Nothing in "firstread\.metrics" is called "divination"'):
        evaluate(Answers())


def test_a_patient_who_is_not_stated_counts_as_one_of_his_own_and_is_mentioned():
    patients = [f"P{i // 8}" for i in range(40)]
    grouped = evaluate(binary(patient=patients))
    one_missing = evaluate(binary(patient=[None, *patients[1:]]))
    assert "by patient" in one_missing.metric("accuracy").method
    assert any("For 1 case no patient is known" in note for note in one_missing.notes)
    assert not any("no stated patient" in note for note in grouped.notes)
