"""The marker is on images of the chosen class only, and nothing else of the cohort changes."""

import numpy as np
import pytest

from firstread.core.errors import SettingError
from firstread.curation.synthetic_shortcuts import add_label_noise, add_marker, draw_marker


def test_only_the_chosen_class_is_marked(tiny_cohort, tmp_path):
    marked = add_marker(tiny_cohort, on=["bright"], folder=tmp_path / "marked")
    for before, after in zip(tiny_cohort, marked, strict=True):
        changed = not np.array_equal(before.image(), after.image())
        assert changed == (before.label == "bright")
        assert after.metadata["marker"] == (before.label == "bright")
    assert list(marked.table["case"]) == list(tiny_cohort.table["case"])
    assert list(marked.table["split"]) == list(tiny_cohort.table["split"])
    assert marked.steps[-1].name == "plant_marker"


def test_the_original_files_are_untouched(tiny_cohort, tmp_path):
    before = [case.image().copy() for case in tiny_cohort]
    add_marker(tiny_cohort, on=["dark", "bright"], folder=tmp_path / "marked")
    assert all(np.array_equal(a, case.image()) for a, case in zip(before, tiny_cohort, strict=True))


def test_a_marker_is_small_and_bright():
    plain = np.full((96, 96), 40, np.uint8)
    marked = draw_marker(plain)
    changed = marked != plain
    assert 0.002 < changed.mean() < 0.05
    assert marked.max() == 255
    assert not changed[48:, :].any()


@pytest.mark.parametrize("shape", [(96, 96), (256, 256), (300, 180), (64, 128)])
@pytest.mark.parametrize(("text", "on_left"), [("L", False), ("R", True), ("LT", False), ("right", True)])
def test_a_marker_stands_on_its_side_of_the_patient(shape, text, on_left):
    marked = draw_marker(np.full(shape, 40, np.uint8), text=text)
    columns = np.nonzero(marked != 40)[1]
    assert columns.max() < shape[1] - 1  # whole
    assert columns.min() > 0
    assert (columns.mean() < shape[1] / 2) == on_left
    if len(text) == 1:
        assert (columns < shape[1] / 2).all() if on_left else (columns > shape[1] / 2).all()


def test_an_unknown_class_is_named_with_a_suggestion(tiny_cohort, tmp_path):
    with pytest.raises(SettingError, match='Did you mean "bright"'):
        add_marker(tiny_cohort, on=["brigth"], folder=tmp_path)


def test_mistaken_labels_leave_the_test_split_right(tiny_cohort):
    mistaken = add_label_noise(tiny_cohort, share=0.5, seed=1)
    changed = (mistaken.table["label"] != tiny_cohort.table["label"]).to_numpy()
    assert (changed == mistaken.table["label_is_wrong"].to_numpy(bool)).all()
    assert 2 < changed.sum() < 16
    assert not changed[(tiny_cohort.table["split"] == "test").to_numpy()].any()
    assert add_label_noise(tiny_cohort, share=0.0).table["label"].equals(tiny_cohort.table["label"])
    with pytest.raises(SettingError, match="share=2"):
        add_label_noise(tiny_cohort, share=2)
