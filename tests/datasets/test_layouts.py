"""No layout puts a patient on two sides of a split unsaid: patients are found, or a sentence says they are not."""

import warnings
from pathlib import Path

import pytest

from datasets.layouts import LAYOUTS
from firstread.datasets.dataset import open_dataset


def patients_on_two_sides(cohort, folder, owners):
    splits = {}
    for row in cohort.table.itertuples():
        if row.split is not None:
            splits.setdefault(owners[Path(row.file).relative_to(folder).as_posix()], set()).add(row.split)
    return sum(len(sides) > 1 for sides in splits.values()), len(splits)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("seed", range(3))
def test_no_patient_is_on_two_sides_unsaid(layout, seed, tmp_path):
    owners = layout.build(tmp_path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cohort = open_dataset(tmp_path, seed=seed)
    said = " ".join(str(warning.message) for warning in caught)
    torn, divided = patients_on_two_sides(cohort, tmp_path, owners)
    assert bool(cohort.classes) == layout.has_labels
    if layout.has_labels and layout.source != "given":
        assert divided == len(set(owners.values())), said
    if layout.source == "none":
        assert "each case counts as a patient of its own" in said
        assert "at random" in cohort.steps[-1].name
    elif layout.source != "given":
        assert torn == 0
        assert layout.source in cohort.patient_sources
        assert "none" not in cohort.patient_sources
    if layout.source != "stated" and layout.has_labels and layout.source != "given":
        assert "patient" in said


def test_the_page_lists_every_layout():
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "patients.md").read_text()
    words = {"given": "the split is given", "none": "not known: at random, and said"}
    for layout in LAYOUTS:
        known = words.get(layout.source, layout.source) + ("" if layout.has_labels else "; no classes, said")
        assert f"| {layout.name} | {known} |" in page
