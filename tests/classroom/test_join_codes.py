"""Join codes, resume words and display names: normalized, compared, hashed and cleaned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.classroom.join_codes import (
    CODE_ALPHABET,
    MAX_NAME_LENGTH,
    clean_name,
    codes_equal,
    generate_join_code,
    generate_resume_word,
    hash_word,
)
from firstread.core.errors import SettingError


def test_codes_have_no_letters_that_are_mistaken_for_others():
    codes = {generate_join_code() for _ in range(500)}
    assert len(codes) == 500
    assert all(set(code) <= set(CODE_ALPHABET) and len(code) == 6 for code in codes)
    assert not set("01OILl") & set(CODE_ALPHABET)


@pytest.mark.parametrize("typed", ["ABC234", "abc234", " abc 234 ", "ABC-234", "abc–234", "ＡＢＣ２３４"])
def test_a_code_may_be_typed_as_people_type(typed):
    assert codes_equal(typed, "ABC234")


@pytest.mark.parametrize("typed", ["", "ABC23", "ABC2345", "ABC235", "ABC234\x00"])
def test_another_code_is_another(typed):
    assert not codes_equal(typed, "ABC234")


def test_resume_words_are_found_by_their_mark_alone():
    words = {generate_resume_word() for _ in range(2000)}
    assert len(words) > 1990
    word = "otter-maple-417"
    assert hash_word(" Otter-Maple-417", key=b"k") == hash_word(word, key=b"k") != hash_word(word, key=b"other")
    assert "otter" not in hash_word(word, key=b"k")


def test_names_lose_what_could_deceive():
    assert clean_name("  Ana\n\tMaria ") == "Ana Maria"
    assert clean_name("Zo\u0065\u0308") == "Zo\u00eb"
    assert clean_name("Eve\u202egnp.exe\x07") == "Evegnp.exe"
    assert clean_name("<b>Bob</b>") == "<b>Bob</b>"  # pages escape it; a name is not code
    for nothing in ("", "   ", "\u202e\u200b"):
        with pytest.raises(SettingError, match="name is missing"):
            clean_name(nothing)
    with pytest.raises(SettingError, match="longer than 40"):
        clean_name("x" * 41)


@given(st.text(max_size=200))
def test_a_name_is_one_line_or_refused(text):
    try:
        name = clean_name(text)
    except SettingError:
        return
    assert 0 < len(name) <= MAX_NAME_LENGTH
    assert name.isprintable() or "\u200d" in name
    assert clean_name(name) == name
