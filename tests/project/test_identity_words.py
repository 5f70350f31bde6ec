"""Words of identity values: found in every text that holds the value, however it is written, and in no other."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from firstread.core.patient_identity import is_placeholder
from firstread.project.identity_words import text_words, value_words
from firstread.project.own_words import own_words

LETTERS = st.text("abcdefghijklmnopqrstuvwxyzäöüéàçñø", min_size=6, max_size=12)


@given(LETTERS, LETTERS, st.sampled_from([str.upper, str.title, str.lower]))
def test_a_name_is_found_in_any_sentence(family, given_name, case):
    assume(not is_placeholder(family) and not is_placeholder(given_name))
    words = value_words("name", f"{family}^{given_name}")
    text = f"CT of {case(given_name)}, {case(family)} (ward 3)"
    assert words & set(text_words(text))


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("name", "Müller^Hans", "patient MUELLER was here"),
        ("name", "山田^太郎", "患者 山田 です"),
        ("id", "H-4711-0815", "see H 4711 0815."),
        ("id", "H-4711-0815", "H47110815"),
        ("birth_date", "19700321", "born 21.03.1970"),
        ("birth_date", "19700321", "1970-03-21"),
        ("phone", "+49 30 1234567", "call +49 30 1234567"),
        ("name", "Hidden^Harriet", "Har\u200briet"),
    ],
)
def test_values_in_their_notations(kind, value, text):
    assert value_words(kind, value) & set(text_words(text))


@pytest.mark.parametrize(
    ("kind", "value"), [("name", "Head^Al"), ("id", "12"), ("id", "ANONYMOUS"), ("birth_date", "")]
)
def test_what_names_nobody_is_not_searched_for(kind, value):
    assert value_words(kind, value) == set()


def test_the_words_of_firstread_itself_hold_no_name_of_an_example():
    assert not {"doe", "miller", "mueller", "harriet"} & own_words()
