"""Predictions: scores and truth of each case, saved with their baselines, invalid scores refused."""

import numpy as np
import pandas as pd
import pytest

from firstread.core.errors import DataError
from firstread.core.predictions import Predictions, concat_predictions
from firstread.core.tasks import Classification

CASES = pd.DataFrame({"case": ["a", "b", "c"], "label": ["no", "yes", None], "patient": ["1", "2", "3"]})


def test_scores_of_two_classes_and_their_truth():
    predictions = Predictions.from_scores(CASES, np.array([0.2, 0.9, 0.5]), classes=("no", "yes"), model="m")
    assert predictions.truth.tolist() == [0, 1, -1]
    assert predictions.predicted.tolist()[:2] == [0, 1]
    assert np.allclose(predictions.scores.sum(axis=1), 1)
    assert predictions.positive == "yes"
    assert predictions.hardest(1)["case"].tolist() == ["a"]


def test_predictions_and_their_baselines_come_back(tmp_path):
    rule = Predictions.from_scores(CASES, np.array([0.5, 0.5, 0.1]), classes=("no", "yes"), model="size")
    whole = Predictions.from_scores(CASES, np.array([0.2, 0.9, 0.5]), classes=("no", "yes"), model="m").with_baselines(
        [rule]
    )
    whole.save(tmp_path / "p.parquet")
    again = Predictions.load(tmp_path / "p.parquet")
    assert again.model == "m"
    assert np.allclose(again.scores, whole.scores)
    assert [baseline.model for baseline in again.baselines] == ["size"]
    assert again.table["truth"].isna().tolist() == [False, False, True]


def test_scores_that_are_no_probabilities_are_refused():
    with pytest.raises(DataError, match="not between 0 and 1"):
        Predictions.from_scores(CASES, np.array([3.0, 0, 0]), classes=("no", "yes"))
    with pytest.raises(DataError, match="shape"):
        Predictions.from_scores(CASES, np.zeros((3, 3)), classes=("no", "yes"))


def test_folds_are_stacked():
    parts = [
        Predictions.from_scores(CASES.iloc[[i]], np.array([0.5]), classes=("no", "yes"), model="m") for i in range(3)
    ]
    assert len(concat_predictions(parts)) == 3


def test_one_column_of_scores_is_no_classification(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("case,truth,score_pos\na,pos,0.9\nb,neg,0.2\n", encoding="utf-8")
    with pytest.raises(DataError, match="scores of one class only"):
        Predictions.load(path)


def test_a_truth_that_is_no_class_is_an_error_and_not_unknown():
    table = pd.DataFrame({"case": list("abc"), "truth": ["pos", "Pos", None], "score_neg": [0.1] * 3})
    with pytest.raises(DataError, match="truth of 1 cases is none of the classes: Pos"):
        Predictions(table.assign(score_pos=0.9), Classification(("neg", "pos")))


def test_numbers_with_a_gap_are_the_classes_they_were():
    table = pd.DataFrame({"case": list("abc"), "truth": [0, 1, None], "score_0": [0.9, 0.2, 0.5]})
    found = Predictions(table.assign(score_1=1 - table["score_0"]), Classification(("0", "1")))
    assert found.truth.tolist() == [0, 1, -1]


def test_a_tie_is_decided_once():
    table = pd.DataFrame({"case": ["a"], "truth": ["neg"], "score_neg": [0.5], "score_pos": [0.5]})
    assert Predictions(table, Classification(("neg", "pos"))).predicted.tolist() == [1]
