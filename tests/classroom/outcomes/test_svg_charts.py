"""Axes hold their values and are readable; what is drawn is where it belongs."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.classroom.outcomes.svg_charts import Axis, axis_for, change, interval, over_days, scale, spread, stack

SHARES = Axis(0.0, 1.0, 0.25, percent=True)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_axis_of_shares_holds_them_and_stays_within_what_is_possible(values):
    axis = axis_for(values, least=0.0, most=1.0, percent=True)
    assert 0 <= axis.low <= min(values) + 1e-9
    assert max(values) - 1e-9 <= axis.high <= 1
    assert 2 <= len(axis.ticks) <= 9
    assert len({axis.words(tick) for tick in axis.ticks}) == len(axis.ticks), "no two ticks read the same"


@given(st.lists(st.floats(-0.9, 0.9), max_size=10))
def test_an_axis_of_differences_has_zero_in_the_middle(values):
    axis = axis_for(values, signed=True)
    assert axis.low == -axis.high
    assert 0 in axis.ticks
    assert axis.at(0) == "50.00%"


def test_numbers_are_written_as_people_write_them():
    assert [axis_for([0.91, 0.97], least=0, most=1, percent=True).words(tick) for tick in (0.9, 1.0)] == [
        "90 %",
        "100 %",
    ]
    assert axis_for([-0.03, 0.02], signed=True, percent=True).words(0.02) == "+2"
    assert axis_for([-0.03, 0.02], signed=True).words(-0.0) == "0.00"


def test_an_interval_lies_where_it_belongs():
    svg = interval(SHARES, {"value": 0.5, "low": 0.25, "high": 0.75}, words='50 % <of "all">')
    assert 'x1="25.00%" x2="75.00%"' in svg
    assert 'cx="50.00%"' in svg
    assert "&lt;of &#34;all&#34;&gt;" in svg
    assert "circle" not in interval(SHARES, {})
    assert "reach" not in interval(SHARES, {"mean": 0.5, "low": math.nan, "high": math.nan})


def test_a_bar_is_divided_by_its_counts():
    widths = [float(one) for one in re.findall(r'width="([\d.]+)%"', stack([1, 0, 1, 2, 0]))[1:]]
    assert widths == [25, 25, 50]
    assert "rect" not in stack([0, 0, 0, 0, 0])


@pytest.mark.parametrize(
    "drawing",
    [
        interval(SHARES, {"value": 0.5, "low": 0.2, "high": 0.9}, mark="hollow"), scale(SHARES, "a <label>"), stack([1, 2, 3, 0, 9]),
        change(SHARES, {"right": 0.2}, None), change(SHARES, {"right": 0.2}, {"right": 0.9}), spread(SHARES, {3: 4, 8: 1}, 8, mark="filled"),
        over_days([{"days": 30, "after": 0.9, "later": 0.7}]), over_days([]),
    ],
)  # fmt: skip
def test_every_drawing_is_well_formed(drawing):
    from xml.etree import ElementTree

    assert ElementTree.fromstring(str(drawing)).tag == "svg"
    assert "nan" not in drawing
