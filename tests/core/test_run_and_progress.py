"""Errors, progress, predictions and runs: what the other rooms lean on."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from firstread.core.errors import DataError, suggest
from firstread.core.predictions import Predictions, stack_predictions
from firstread.core.progress_bar import Progress, track
from firstread.core.run import Run

CASES = pd.DataFrame({"case": ["a", "b", "c"], "label": ["no", "yes", None], "patient": ["1", "2", "3"]})


def test_an_error_says_what_where_expected_and_what_to_do():
    error = DataError("It broke", where="a.png", expected="a whole file", do="copy it again")
    assert str(error) == "It broke. Where: a.png. Expected: a whole file. What to do: copy it again."
    assert suggest("ches", ["abdomen", "chest"]) == ' Did you mean "chest"?'
    assert suggest("zzz", ["abdomen", "chest"]) == " There is: abdomen, chest."


def test_importing_firstread_is_light():
    code = "import sys, firstread; print([m for m in ('torch', 'pandas', 'numpy', 'matplotlib') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


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
    assert len(stack_predictions(parts)) == 3


def test_a_run_comes_back(tmp_path):
    run = Run(folder=tmp_path, model="m", settings={"epochs": 1}, history=[], arms={}, facts={})
    run.save()
    assert Run.load(tmp_path).settings == {"epochs": 1}
    with pytest.raises(DataError, match="missing"):
        Run.load(tmp_path / "nothing")


def test_progress_is_silent_for_quick_work_and_counts(capsys):
    assert list(track([1, 2, 3], "Counting")) == [1, 2, 3]
    with Progress("Counting", 2) as bar:
        bar.step(loss=0.3)
        bar.step()
    assert bar.done == 2
    assert capsys.readouterr().err == ""
