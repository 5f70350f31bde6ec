"""Columns: the names of splits in folders and tables."""

import pytest

from firstread.core.columns import parse_split_name


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *[(name, "train") for name in ("train", "Training", "TRAIN", "training_set", "train-images", "train2017")],
        *[(name, "train") for name in ("Training Set", "trainset", "train_data", " train ", "train_1")],
        *[(name, "validation") for name in ("val", "valid", "validation_set", "Dev", "val_images", "ValSet")],
        *[(name, "test") for name in ("test", "test_set", "Testing", "held-out", "holdout_set", "test images")],
    ],
)
def test_names_of_splits_in_use_are_known(name, split):
    assert parse_split_name(name) == split


@pytest.mark.parametrize(
    "name", [None, "", "contest", "chest", "latest", "train/test", "trained", "no test", "strain", "set", "1"]
)
def test_other_names_are_no_splits(name):
    assert parse_split_name(name) is None
