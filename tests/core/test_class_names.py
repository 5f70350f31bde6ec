"""Names of classes: spellings of one class are one, a cell of several classes is found."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.class_names import class_spellings, describe_spellings, find_several_classes, normalize_class


@pytest.mark.parametrize(
    "spellings",
    [
        ("Pneumonia", "pneumonia", "PNEUMONIA ", " pneumonia"),
        ("1", "1.0", "1.00", "01", " 1"),
        ("-1", "-1.0"),
        ("No Finding", "no_finding", "no  finding", "No-Finding", "no\u00a0finding"),
        (unicodedata.normalize("NFC", "Hépatome"), unicodedata.normalize("NFD", "Hépatome"), "hépatome\u200b"),
        ("Ｍａｓｓ", "mass"),
    ],
)
def test_spellings_of_one_class_are_one(spellings):
    assert len(set(class_spellings(spellings).values())) == 1


@pytest.mark.parametrize(
    "names",
    [("1", "-1"), ("0", "1"), ("a", "b"), ("T1", "T2"), ("1-2", "12"), ("mass left", "mass right"), ("1", "1e3")],
)
def test_different_classes_stay_apart(names):
    assert len(set(class_spellings(names).values())) == len(names)


def test_the_most_frequent_spelling_stands_for_the_class():
    assert class_spellings(["pneumonia", "Pneumonia", "Pneumonia", "1.0", "1"]) == {
        "pneumonia": "Pneumonia",
        "Pneumonia": "Pneumonia",
        "1.0": "1",
        "1": "1",
    }


def test_joined_spellings_are_named():
    text = describe_spellings(class_spellings(["a", "A ", "b"]))
    assert text == "Spellings of one class were joined: 'a', 'A ' are 'a'."
    assert describe_spellings(class_spellings(["a", "b"])) == ""


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=20))
def test_a_class_has_one_spelling_whatever_the_order(names):
    chosen = class_spellings(names)
    assert set(chosen) == set(names)
    assert chosen == class_spellings(sorted(names))
    for name, spelling in chosen.items():
        assert normalize_class(name) == normalize_class(spelling)


@pytest.mark.parametrize(
    "labels",
    [
        ["A", "A|B", "B"],
        ["Effusion|Mass"],
        ["a;b", "a", "b"],
        ["a, b", "b", "a"],
        ["['a', 'b']", "['a']"],
        ["[a,b]"],
    ],
)
def test_a_cell_of_several_classes_is_found(labels):
    assert find_several_classes(labels) is not None


@pytest.mark.parametrize("labels", [["mass, left", "mass, right"], ["a", "b"], ["lung (left)"], ["[a]", "[b]"], []])
def test_a_comma_in_a_name_is_no_list(labels):
    assert find_several_classes(labels) is None


@given(st.text(min_size=1, max_size=12))
def test_a_normal_form_is_its_own_normal_form(text):
    assert normalize_class(normalize_class(text)) == normalize_class(text)
