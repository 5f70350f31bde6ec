"""Trivial rules are fitted on training cases only, and find what was planted for them."""

import numpy as np
import pytest
from PIL import Image

from firstread.core.cohort import Cohort
from firstread.core.columns import make_table
from firstread.core.errors import DataError
from firstread.core.provenance import Origin
from firstread.curation.baselines import RULES, trivial_baselines


def by_name(predictions):
    return {p.model: p for p in predictions}


def right(predictions):
    return float((predictions.predicted == predictions.truth).mean())


def test_every_rule_answers_every_case(tiny_cohort):
    found = by_name(trivial_baselines(tiny_cohort.train, tiny_cohort.test))
    assert set(found) == {"rule: most frequent class", *RULES}
    for predictions in found.values():
        assert list(predictions.table["case"]) == list(tiny_cohort.test.table["case"])
        assert np.allclose(predictions.scores.sum(1), 1)
    assert right(found["rule: mean brightness"]) == 1.0
    assert right(found["rule: image size"]) == 0.5


def test_a_planted_image_size_is_found_and_nothing_else(tmp_path):
    rng, rows = np.random.default_rng(0), []
    for i in range(60):
        label = "ab"[i % 2]
        shape = (40, 40) if label == "a" else (40, 48)
        Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)).save(tmp_path / f"{i}.png")
        rows.append(
            {"case": str(i), "file": str(tmp_path / f"{i}.png"), "label": label, "split": "train" if i < 40 else "test"}
        )
    cohort = Cohort.from_table(make_table(rows), ("a", "b"), Origin("sizes"))
    found = by_name(trivial_baselines(cohort.train, cohort.test))
    assert right(found["rule: image size"]) == 1.0
    assert right(found["rule: aspect ratio"]) == 1.0
    assert right(found["rule: mean brightness"]) < 0.9


def test_labels_of_the_test_cases_are_not_used(tiny_cohort):
    hidden = tiny_cohort.test.with_column("label", [None] * len(tiny_cohort.test))
    shown = by_name(trivial_baselines(tiny_cohort.train, tiny_cohort.test))
    for name, predictions in by_name(trivial_baselines(tiny_cohort.train, hidden)).items():
        assert np.array_equal(predictions.scores, shown[name].scores)
        assert (predictions.truth == -1).all()


def test_one_class_only(tiny_cohort):
    with pytest.raises(DataError, match="at least two classes"):
        trivial_baselines(tiny_cohort.where(tiny_cohort.table["label"] == "dark"), tiny_cohort.test)
