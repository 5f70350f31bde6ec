"""Identity values in text: found in every notation, and the words around them stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.deidentification.value_search import clean_text, date_notations, name_parts

NAMES = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzäöüßéñçøłšž"), min_size=3, max_size=12).map(str.capitalize)
NAME = frozenset({("name", "Müller-Lüdenscheidt^Jürgen")})


@given(
    NAMES, NAMES, st.sampled_from(["{} liver CT", "CT/{}/venous", "for:{}", "MR_{}_T2", "{}", "x ({}), y", "{}'s CT"])
)
def test_any_name_is_cut_wherever_it_stands_alone(family, given_name, template):
    values = frozenset({("name", f"{family}^{given_name}")})
    for part in name_parts(f"{family}^{given_name}"):
        for written in (part, part.upper(), part.lower()):
            assert written.casefold() not in clean_text(template.format(written), values, descriptions=False).casefold()


@given(st.text(st.characters(codec="utf-8"), max_size=60), NAMES)
def test_cutting_again_changes_nothing(text, family):
    values = frozenset({("name", family), ("id", "4711-0815")})
    once = clean_text(text, values, descriptions=True)
    assert clean_text(once, values, descriptions=True) == once


@pytest.mark.parametrize(
    "text",
    ["MUELLER", "Muller", "müller", "MÜLLER", "LUEDENSCHEIDT", "JuergenMueller", "Ju\u0308rgen", "MÃ¼ller", "Müllers"],
)
def test_spellings_of_a_name(text):
    assert clean_text(f"CT {text} liver", NAME, descriptions=False) == "CT liver"


@pytest.mark.parametrize("text", ["Mullerian duct", "Head Al", "long axis", "T1 TSE", "Jurgensen", "3 mm B30f"])
def test_clinical_words_stay(text):
    values = NAME | {("name", "Head^Bo"), ("name", "Long^Xi"), ("id", "12"), ("device", "T1")}
    assert clean_text(text, frozenset(values), descriptions=False) == text


@pytest.mark.parametrize("text", ["4711-0815", "47110815", "4711 0815", "id4711-0815x", "4711_0815"])
def test_identifiers_with_other_separators(text):
    assert "4711" not in clean_text(f"CT {text}", frozenset({("id", "4711-0815")}), descriptions=False)


@pytest.mark.parametrize("text", ["+49 (0)6221/56-1234", "4906221561234", "+49 0 6221 561234"])
def test_telephone_numbers(text):
    assert "56" not in clean_text(f"call {text}", frozenset({("phone", "+49 (0)6221 561234")}), descriptions=False)


@pytest.mark.parametrize(
    "text",
    ["DOB 3/21/70", "born 1970", "geb. 21.3.1970", "21MAR70", "March 21, 1970", "210370", "70-03-21", "21. März 1970"],
)
def test_birth_dates_as_people_write_them(text):
    assert "70" not in clean_text(f"CT {text} liver", frozenset({("birth_date", "19700321")}), descriptions=True)


@pytest.mark.parametrize("text", ["ACC-990011", "acc 990011", "990011"])
def test_accession_numbers_with_and_without_their_letters(text):
    assert "11" not in clean_text(f"CT {text}", frozenset({("accession", "ACC990011")}), descriptions=False)


@pytest.mark.parametrize("text", ["Hid\u200bden", "ＨＩＤＤＥＮ", "Hi\u00adden".replace("Hi", "Hid")])
def test_names_with_invisible_or_wide_characters(text):
    assert clean_text(f"CT {text}", frozenset({("name", "Hidden^X")}), descriptions=False) == "CT"


@given(st.dates())
def test_every_notation_of_a_birth_date_is_cut(day):
    stated = f"{day.year:04d}{day.month:02d}{day.day:02d}"
    for written in date_notations(stated):
        assert clean_text(f"born {written}.", frozenset({("birth_date", stated)}), descriptions=False).startswith(
            "born"
        )
        assert written not in clean_text(f"born {written}.", frozenset({("birth_date", stated)}), descriptions=False)


def test_a_birth_date_that_is_none_has_no_notations():
    assert date_notations("unknown") == ()


@pytest.mark.parametrize("text", ["92 year old woman", "93y liver", "093Y", "101-year-old", "95 Jahre"])
def test_ages_over_89_in_words(text):
    assert not any(char.isdigit() for char in clean_text(text, frozenset(), descriptions=True))
