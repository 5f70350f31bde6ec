"""One line of plain text, whatever is typed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.classroom.plain_text import MAX_COMBINING_MARKS, clean_line


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("  two\nlines\tand   spaces ", "two lines and spaces"),
        ("gnp.\u202egpj", "gnp.gpj"),
        ("a\u200eb\u2067c\u2069", "abc"),
        ("bell\x07 null\x00 \ufeffmark\u200b", "bell null mark"),
        ("Zoe\u0308", "Zoë"),
        ("\U0001f468\u200d\u2695\ufe0f", "\U0001f468\u200d\u2695\ufe0f"),
        ("<b>&amp;", "<b>&amp;"),
        ("שלום", "שלום"),
        ("lone \ud800 surrogate", "lone surrogate"),
    ],
)
def test_what_is_kept(typed, shown):
    assert clean_line(typed) == shown


def test_no_tower_of_marks_covers_the_lines_above():
    assert len(clean_line("x" + "\u0335" * 500)) == 1 + MAX_COMBINING_MARKS


@given(st.text())
def test_there_is_never_a_control_or_direction_character_and_cleaning_twice_changes_nothing(text):
    line = clean_line(text)
    assert all(unicodedata.category(letter)[0] != "C" or letter == "\u200d" for letter in line)
    assert "\n" not in line
    assert clean_line(line) == line
