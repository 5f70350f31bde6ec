"""CSV for people: what strangers wrote is no formula in a spreadsheet, and numbers stay numbers."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.csv_text import csv_text, frame_csv, spreadsheet_cell


@pytest.mark.parametrize(
    "text", ["=1+1", '=HYPERLINK("http://e.example")', "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1", "  =1"]
)
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text):
    assert spreadsheet_cell(text) == "'" + text
    assert pd.read_csv(io.StringIO(frame_csv(pd.DataFrame({"name": [text]}))))["name"][0] == "'" + text


@pytest.mark.parametrize("value", ["-3.5", "+1e3", -2, 0.5, None, True, "Ann-Marie", "a=b", ""])
def test_numbers_and_other_texts_stay_as_they_are(value):
    assert spreadsheet_cell(value) == value


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_no_cell_begins_a_formula(row):
    (cells,) = list(csv.reader(io.StringIO(csv_text(row, []), newline="")))
    for cell in cells:
        if cell.lstrip(" ").startswith(("=", "@")):
            pytest.fail(cell)


def test_headings_are_cells_too():
    assert frame_csv(pd.DataFrame({"=A1": [1]})) == "'=A1\n1\n"
