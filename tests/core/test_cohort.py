"""Cohort: validated when created, never changed in place, unchanged by saving and loading."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.cohort import Cohort
from firstread.core.columns import make_table
from firstread.core.errors import DataError, SettingError
from firstread.core.provenance import Origin, Step

CLASSES = ("dark", "bright")


def cohort_of(rows, classes=CLASSES):
    return Cohort.from_table(make_table(rows), classes, Origin("made up", license="CC0"))


def test_parts_positive_and_counts(tiny_cohort):
    assert (len(tiny_cohort.train), len(tiny_cohort.validation), len(tiny_cohort.test)) == (12, 6, 6)
    assert tiny_cohort.positive == "bright"
    assert tiny_cohort.test.parent is tiny_cohort
    assert tiny_cohort.test.where([True] + [False] * 5).parent is tiny_cohort
    assert tiny_cohort.counts().loc["bright"].tolist() == [6, 3, 3, 12]
    with pytest.raises(SettingError, match='Did you mean "train"'):
        tiny_cohort.subset("trian")


def test_images_and_studies(tiny_cohort):
    assert tiny_cohort.images(16).shape == (24, 16, 16)
    assert tiny_cohort.where(range(24)).images(8, channels=3).shape == (23, 8, 8, 3)
    case = tiny_cohort[-1]
    assert (case.label, case.split, case.image().shape) == ("bright", "test", (32, 32))
    with pytest.raises(IndexError, match="no case 24"):
        tiny_cohort[24]
    with pytest.raises(SettingError, match="channels=2"):
        tiny_cohort.images(8, channels=2)
    assert len(list(tiny_cohort)) == 24


def test_figures_can_be_drawn(tiny_cohort):
    assert len(tiny_cohort.show(4).axes) >= 4
    assert tiny_cohort[0].show()._repr_png_().startswith(b"\x89PNG")
    assert "<table" in tiny_cohort._repr_html_()
    assert "24 cases" in repr(tiny_cohort)


def test_nothing_is_changed_in_place(tiny_cohort):
    before = tiny_cohort.table.copy()
    changed = tiny_cohort.with_column("split", ["test"] * 24, step=Step("all to test"))
    assert tiny_cohort.table.equals(before)
    assert len(changed.test) == 24
    assert changed.steps[-1].name == "all to test"


def test_wrong_lengths_are_not_filled_up(tiny_cohort):
    with pytest.raises(SettingError, match="3 values were given for 24 cases"):
        tiny_cohort.with_column("split", ["train"] * 3)
    with pytest.raises(SettingError, match="shape"):
        tiny_cohort.where([True, False])


text = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(str.strip)


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from([*CLASSES, None]),
            st.one_of(st.none(), text.filter(lambda value: value == value.strip())),
            st.sampled_from(["train", "validation", "test", None]),
            st.one_of(st.none(), st.integers(0, 9)),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_saving_and_loading_changes_nothing(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("saved")
    keys = ("label", "patient", "split", "frame")
    table = [
        {"case": f"c{i}", "file": f"{folder}/{i}.png", **dict(zip(keys, row, strict=True))}
        for i, row in enumerate(rows)
    ]
    cohort = cohort_of(table)
    again = Cohort.load(cohort.save(folder))
    for name in ("case", "label", "patient", "split"):
        assert again.table[name].tolist() == cohort.table[name].tolist()
    assert [case.frame for case in again] == [case.frame for case in cohort]
    assert (again.classes, again.origin) == (cohort.classes, cohort.origin)


def test_classes_called_none_and_na_survive(tmp_path):
    cohort = cohort_of([{"file": "a.png", "label": "None"}, {"file": "b.png", "label": "NA"}], ("None", "NA"))
    assert Cohort.load(cohort.save(tmp_path)).table["label"].tolist() == ["None", "NA"]


def test_patients_with_leading_zeros_survive(tmp_path):
    cohort = cohort_of([{"file": "a.png", "patient": "007"}])
    assert Cohort.load(cohort.save(tmp_path))[0].patient == "007"


def test_a_saved_folder_can_be_moved(tiny_cohort, tmp_path):
    saved = tiny_cohort.save(tmp_path)
    moved = saved.rename(tmp_path.parent / f"{tmp_path.name}-moved")
    assert Cohort.load(moved)[0].image().shape == (32, 32)


def test_a_window_survives(tmp_path):
    table = make_table([{"file": "a.png"}])
    saved = Cohort.from_table(table, CLASSES, Origin("x"), window=(40, 400)).save(tmp_path)
    assert Cohort.load(saved).window == (40, 400)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"case": "a", "file": "1"}, {"case": "a", "file": "2"}], "1 cases have a name that another"),
        ([{"file": "1", "label": "grey"}], "1 labels are not among the classes"),
        ([{"file": "1", "split": "later"}], "unknown name"),
        ([{"case": "a"}], "no column 'file'"),
    ],
)
def test_tables_that_make_no_sense(rows, words):
    with pytest.raises(DataError, match=words):
        cohort_of(rows)


def test_a_broken_saved_cohort_is_told(tmp_path):
    with pytest.raises(DataError, match="missing"):
        Cohort.load(tmp_path)
    cohort_of([{"file": "a.png"}]).save(tmp_path)
    (tmp_path / "cases.parquet").write_text("nonsense\n1\n")
    with pytest.raises(DataError, match="broken"):
        Cohort.load(tmp_path)


def test_other_names_of_splits_are_understood():
    assert cohort_of([{"file": "1", "split": "val"}]).table["split"].tolist() == ["validation"]


def test_missing_labels_are_minus_one():
    cohort = cohort_of([{"file": "1", "label": "bright"}, {"file": "2"}, {"file": "3", "label": pd.NA}])
    assert cohort.targets.tolist() == [1, -1, -1]
    assert "(no label)" in cohort.counts().index


def test_a_cohort_of_an_older_version_is_refused(tmp_path):
    file = cohort_of([{"file": "a.png"}]).save(tmp_path) / "cohort.json"
    text = file.read_text()
    for version, age in (("null", "an older"), ("99", "a newer")):
        file.write_text(text.replace('"schema": 1', f'"schema": {version}'))
        with pytest.raises(DataError, match=f"{age} version of firstread"):
            Cohort.load(tmp_path)
