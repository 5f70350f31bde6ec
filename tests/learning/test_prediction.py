"""Predictions: a score for every class, trivial rules beside them, one case as well as many."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from firstread.core.case import Case
from firstread.core.errors import DataError
from firstread.core.tables import Tables
from firstread.core.tasks import Classification
from firstread.learning.cross_validation import cross_validate, repeat_split
from firstread.learning.models import build_model
from firstread.learning.prediction import predict

RECIPE = {"backbone": "resnet18", "size": 32, "batch_size": 8, "phases": [{"epochs": 1, "schedule": "one-cycle"}]}


@pytest.fixture
def model():
    return build_model("resnet18", classes=("dark", "bright"), size=32)


def test_trivial_rules_come_along(model, tiny_cohort):
    predictions = predict(model, tiny_cohort.test)
    assert np.allclose(predictions.scores.sum(1), 1)
    names = [b.model for b in predictions.baselines]
    assert "rule: mean brightness" in names
    bright = next(b for b in predictions.baselines if b.model == "rule: mean brightness")
    assert (bright.predicted == bright.truth).all()
    assert all(list(b.table["case"]) == list(predictions.table["case"]) for b in predictions.baselines)


def test_the_truth_is_the_word_of_the_tasks_reader_and_the_rules_stand_beside(model, tiny_cohort):
    own = tiny_cohort.tables.targets.to_pylist()
    other = {"dark": "bright", "bright": "dark"}
    targets = [{**row, "reader": "A"} for row in own] + [
        {**row, "reader": "B", "value": other[row["value"]]} for row in own
    ]
    tables = Tables(tiny_cohort.tables.cases, tiny_cohort.tables.images, pa.Table.from_pylist(targets))
    cohort = replace(tiny_cohort, tables=tables, task=Classification(tiny_cohort.classes, reader="B"))
    predictions = predict(model, cohort.test)
    assert predictions.task == cohort.task
    assert predictions.truth.tolist() == (1 - tiny_cohort.test.targets).tolist()
    assert {baseline.task for baseline in predictions.baselines} == {cohort.task}


def test_without_training_cases_there_are_none(model, tiny_cohort):
    alone = tiny_cohort.where(tiny_cohort.table["split"] == "test").parent
    assert predict(model, alone.with_column("split", [None] * len(alone))).baselines == ()


def test_one_study(model, tiny_cohort):
    predictions = predict(model, tiny_cohort.test[0])
    assert len(predictions) == 1
    stranger = predict(model, Case(case="mine", file=tiny_cohort[0].file, label="a class it does not know"))
    assert stranger.truth.tolist() == [-1]


def test_no_cases(model, tiny_cohort):
    with pytest.raises(DataError, match="no cases to predict"):
        predict(model, tiny_cohort.where([False] * len(tiny_cohort)))


def test_cross_validation_predicts_every_case_once_a_seed_and_never_a_patient_it_knows(tiny_cohort):
    found = cross_validate(tiny_cohort, recipe=RECIPE, folds=3, seeds=(0, 1))
    assert len(found) == 2 * len(tiny_cohort)
    assert not found.table.duplicated(["case", "seed"]).any()
    for _, rows in found.table.groupby(["seed", "patient"]):
        assert rows["fold"].nunique() == 1
    assert {len(b) for b in found.baselines} == {len(found)}


def test_repeated_split(tiny_cohort):
    for split in ("random", "contiguous"):
        found = repeat_split(tiny_cohort, recipe=RECIPE, split=split, seeds=(0,))
        assert 0 < len(found) <= 8
