"""Bias in words, chosen by the criteria."""

import pytest

from firstread.curation.eligibility import parse_eligibility
from firstread.curation.selection_bias import bias_of, bias_text


def eligibility(needs, side="include", planned="a priori"):
    return parse_eligibility(f"planned='{planned}'\n[[{side}]]\nname='One'\nneeds='{needs}'\nwhere='series.selected'\n")


@pytest.mark.parametrize(
    ("needs", "name"),
    [
        ("imaging", "Available cases"),
        ("clinical", "Verification and confirmation bias"),
        ("pathology", "Operated or biopsied patients only"),
    ],
)
def test_what_a_criterion_needs_chooses_the_words(needs, name):
    assert [found for found, _ in bias_of(eligibility(needs))] == [name]
    assert f"## {name}" in bias_text(eligibility(needs))
    assert "Brought by: One." in bias_text(eligibility(needs))


def test_exclusions_missing_answers_and_drawn_criteria_bring_their_own():
    found = [name for name, _ in bias_of(eligibility("imaging", "exclude", "a posteriori"), missing=True)]
    assert found == ["Available cases", "Spectrum", "Missing answers", "Criteria drawn a posteriori"]
