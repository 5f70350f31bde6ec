"""Spellings that may be one person share a component; two people keep two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.patient_identity import is_placeholder, normalize_patient, patient_components


@pytest.mark.parametrize(
    "spellings",
    [
        ("P 007", "p-7", "P7", "p_07", "P.7"),
        ("7", "7.0", "007", " 7 "),
        ("Müller", "müller", "MÜLLER"),
        ("12-034", "012-34", "12/34"),
    ],
)
def test_spellings_that_may_be_one_person(spellings):
    assert len({normalize_patient(text) for text in spellings}) == 1


@pytest.mark.parametrize(("one", "other"), [("1-10", "11-0"), ("70", "7"), ("P1", "Q1"), ("-", "."), ("7.5", "75")])
def test_two_people_keep_two_components(one, other):
    assert normalize_patient(one) != normalize_patient(other)


@given(st.lists(st.one_of(st.none(), st.text(min_size=1, max_size=6)), max_size=12))
def test_a_component_is_one_of_the_spellings_and_the_same_for_equal_texts(patients):
    components = patient_components(patients)
    for patient, component in zip(patients, components, strict=True):
        assert (component is None) == (patient is None)
        assert component is None or component in patients
    by_text = dict(zip(patients, components, strict=True))
    assert [by_text[patient] for patient in patients] == components


@pytest.mark.parametrize(
    "text", ["ANONYMOUS", "anonymized", "Unknown", "XXXX", "***", "-", "  ", "n/a", "De-Identified"]
)
def test_a_placeholder_states_nobody(text):
    assert is_placeholder(text)


@pytest.mark.parametrize("text", ["0", "000", "X", "ANON-0012", "Anonymous 3", "NA12878", "P1", "Xaver"])
def test_an_identifier_is_no_placeholder(text):
    assert not is_placeholder(text)


@pytest.mark.parametrize(
    "spellings",
    [
        ("007", "7", "7.0", "7,0", "'007", "7.00"),
        ("P-1", "p1", " P01 ", "P_001", "P 1"),
        ("DOE^JOHN", "Doe, John", "doe john"),
        ("Müller", "MULLER", "Mu\u0308ller"),
        ("１２", "12", "12\u200b"),
    ],
)
def test_spellings_that_may_be_one_person_share_a_form(spellings):
    assert len({normalize_patient(text) for text in spellings}) == 1
