"""Ranks of text read in pixels: the patient's own values in several notations, other words, marks."""

import pytest

from firstread.deidentification.pixel_ranks import rank_text

VALUES = frozenset(
    {
        ("name", "Müller-Hidden^Harriet"),
        ("birth_date", "19700321"),
        ("id", "H-4711-0815"),
        ("accession", "ACC990011"),
    }
)


@pytest.mark.parametrize(
    "text",
    [
        "MUELLER-HIDDEN, Harriet",
        "Muller",
        "Harr1et",
        "21.03.1970",
        "1970-03-21",
        "21 Mar 1970",
        "03/21/1970",
        "2I.O3.197O",
        "ID H-4711-0815",
        "H4711O815",
        "Acc 990011",
        "HlDDEN",
    ],
)
def test_own_values_are_red(text):
    assert rank_text(text, VALUES) == "red"


@pytest.mark.parametrize("text", ["Liver", "St. Marien Hospital", "22.04.1981", "Total mAs 8421", "MI 1.2"])
def test_other_text_is_amber(text):
    assert rank_text(text, VALUES) == "amber"


@pytest.mark.parametrize("text", ["L", "R", "portable", "AP", "PA-ERECT", "Semi-upright", "rmlo", "DX", "Ｌ"])
def test_marks(text):
    assert rank_text(text, VALUES) == "mark"


@pytest.mark.parametrize("text", ["", "...", "L 4711", "R. Hidden", "Dr. L"])
def test_no_marks(text):
    assert rank_text(text, VALUES) != "mark"


def test_a_very_long_text_is_ranked_quickly():
    assert rank_text("x" * 1_000_000, VALUES) == "amber"
