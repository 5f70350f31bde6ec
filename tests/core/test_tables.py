"""The three tables are checked against one another, and nobody can change them."""

import pandas as pd
import pyarrow as pa
import pytest

from firstread.core.cohort import Cohort
from firstread.core.columns import make_table
from firstread.core.errors import DataError, SettingError
from firstread.core.provenance import Origin
from firstread.core.table_schemas import to_arrow
from firstread.core.tables import Tables
from firstread.core.target_selection import class_indices

CASE, IMAGE = {"case": "a"}, {"case": "a", "files": ["a.png"]}


@pytest.mark.parametrize(
    ("cases", "images", "targets", "words"),
    [
        ([CASE, CASE], [], [], "1 cases have a name that another"),
        ([CASE], [{"case": "b", "files": ["b.png"]}], [], "case that is not there. Where: table 'images'"),
        ([CASE], [IMAGE], [{"case": "c", "kind": "class"}], "case that is not there. Where: table 'targets'"),
        ([CASE], [IMAGE], [{"case": "a", "kind": "opinion"}], "kind has an unknown name"),
        ([{**CASE, "patient_source": "guessed"}], [], [], "patient source has an unknown name"),
        ([{**CASE, "split": "later"}], [], [], "split has an unknown name"),
        ([{**CASE, "days": "Monday"}], [], [], "values of another kind. Where: table 'cases', column 'days'"),
    ],
)
def test_tables_that_do_not_fit_are_refused(cases, images, targets, words):
    with pytest.raises(DataError, match=words):
        Tables.from_rows(cases, images, targets)


def test_images_follow_the_order_of_the_cases():
    images = [{"case": name, "files": [f"{name}{i}.png"], "name": str(i)} for i in range(2) for name in "bca"]
    tables = Tables.from_rows([{"case": name} for name in "abc"], images)
    assert [files[0] for files in tables.images["files"].to_pylist()] == [
        "a0.png",
        "a1.png",
        "b0.png",
        "b1.png",
        "c0.png",
        "c1.png",
    ]
    assert list(tables.filter(pd.Series([False, True, True]).to_numpy()).first_images()) == [
        ("b0.png", None),
        ("c0.png", None),
    ]


def test_a_case_without_an_image_is_named():
    with pytest.raises(DataError, match="Where: b"):
        list(Tables.from_rows([{"case": "a"}, {"case": "b"}], [IMAGE]).first_images())


def test_values_of_mixed_kinds_become_text():
    assert to_arrow([1, "a", None]).to_pylist() == ["1", "a", None]
    assert to_arrow(["000", "012"]).to_pylist() == ["000", "012"]
    assert to_arrow([1.5, None, float("nan")]).to_pylist() == [1.5, None, None]


def test_facts_survive_saving_exactly(tmp_path):
    facts = {"accession": "000", "marker": True, "score": 0.25, "grade": 3, "note": "None"}
    cohort = Cohort.from_table(make_table([{"file": "a.png", **facts}, {"file": "b.png"}]), (), Origin("x"))
    assert {name: Cohort.load(cohort.save(tmp_path))[0].metadata[name] for name in facts} == facts
    assert "accession" not in cohort[1].metadata


def test_a_column_of_the_user_that_is_called_like_ours_is_kept_under_another_name():
    cohort = Cohort.from_table(make_table([{"file": "a.png", "days": "Monday"}]), (), Origin("x"))
    assert cohort[0].metadata["days (table)"] == "Monday"


@pytest.mark.filterwarnings("ignore::pandas.errors.ChainedAssignmentError")
def test_the_pandas_table_is_a_copy(tiny_cohort):
    tiny_cohort.table.loc[0, "label"] = "nonsense"
    tiny_cohort.table["split"] = None
    assert tiny_cohort.targets.min() == 0
    assert len(tiny_cohort.train) == 12
    with pytest.raises(ValueError, match="read-only"):
        tiny_cohort.targets[0] = 1


def test_a_cohort_is_indexed_like_a_sequence(tiny_cohort):
    assert [case.case for case in tiny_cohort[1:3]] == tiny_cohort.table["case"][1:3].tolist()
    assert len(tiny_cohort[tiny_cohort.table["label"] == "bright"]) == 12
    assert tiny_cohort[:4].parent is tiny_cohort
    assert tiny_cohort.find(tiny_cohort[5].case).case == tiny_cohort[5].case
    with pytest.raises(SettingError, match=r'cohort.table\["label"\] is the column'):
        tiny_cohort["label"]
    with pytest.raises(SettingError, match="a slice such as"):
        tiny_cohort[1.5]
    with pytest.raises(SettingError, match="no case"):
        tiny_cohort.find("nobody")
    with pytest.raises(SettingError, match="keeps the order"):
        tiny_cohort[::-1]


def test_the_word_of_one_reader_counts():
    say = {"kind": "class", "name": "label", "case": "a"}
    targets = [{**say, "reader": "AB", "value": "yes"}, {**say, "reader": "CD", "value": "no"}]
    two = Tables.from_rows([CASE], [IMAGE], targets)
    arguments = {"name": "label", "classes": ("no", "yes")}
    assert class_indices(two, reader="CD", **arguments).tolist() == [0]
    with pytest.raises(DataError, match="AB, CD"):
        class_indices(two, **arguments)
    agreed = Tables.from_rows([CASE], [IMAGE], [*targets, {**say, "reader": "adjudicated", "value": "yes"}])
    assert class_indices(agreed, **arguments).tolist() == [1]
    twice = Tables.from_rows([CASE], [IMAGE], [targets[0], targets[0]])
    with pytest.raises(DataError, match="two classes"):
        class_indices(twice, **arguments)


def test_tables_cannot_be_changed():
    tables = Tables.from_rows([CASE], [IMAGE])
    with pytest.raises(AttributeError):
        tables.cases = pa.table({})
    with pytest.raises(TypeError):
        tables.cases["case"][0] = "b"
