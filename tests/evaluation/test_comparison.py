"""compare: Wilson intervals, the exact McNemar test, and no winner without a significant difference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.columns import make_table
from firstread.core.errors import DataError
from firstread.core.predictions import Predictions
from firstread.evaluation.comparison import compare

CLASSES = ("abdomen", "chest")


def predictions(right, truth=None):
    """Binary predictions that are right (True) or wrong (False) for each case."""
    right = np.asarray(right, bool)
    truth = np.arange(len(right)) % 2 if truth is None else truth
    table = make_table([{"case": f"c{i}", "file": "x.png", "label": CLASSES[t]} for i, t in enumerate(truth)])
    return Predictions.from_scores(table, np.where(right, truth, 1 - truth).astype(float), classes=CLASSES)


def test_interval_is_wilsons():
    # Newcombe 1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I: 15/148
    table = compare({"a": predictions([True] * 15 + [False] * 133)}).table
    assert table["low"][0] == pytest.approx(0.0624, abs=5e-5)
    assert table["high"][0] == pytest.approx(0.1605, abs=5e-5)


def test_a_clear_difference_is_named():
    result = compare({"good": predictions([True] * 40), "bad": predictions([False] * 20 + [True] * 20)})
    assert "good is better than bad" in result.conclusion
    assert result.pairs["p_value"][0] == pytest.approx(2 * 0.5**20)


def test_a_small_difference_names_no_winner():
    result = compare({"one": predictions([True] * 38 + [False] * 2), "two": predictions([True] * 40)})
    assert "cannot be told apart" in result.conclusion


def test_different_cases_are_refused():
    with pytest.raises(DataError, match="not of the same cases"):
        compare({"a": predictions([True] * 4), "b": predictions([True] * 5)})


def test_nothing_to_compare():
    with pytest.raises(DataError, match="nothing to compare"):
        compare({})


def test_names_are_escaped_in_a_notebook():
    html = compare({"<script>": predictions([True] * 6), "b": predictions([False] * 6)})._repr_html_()
    assert "<script>" not in html


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_bounded_and_symmetric(pairs):
    a, b = predictions([x for x, _ in pairs]), predictions([y for _, y in pairs])
    one, two = compare({"a": a, "b": b}), compare({"b": b, "a": a})
    assert ((one.table["low"] <= one.table["accuracy"]) & (one.table["accuracy"] <= one.table["high"])).all()
    assert one.pairs["p_value"][0] == pytest.approx(two.pairs["p_value"][0])
    assert 0 <= one.pairs["p_value"][0] <= 1
