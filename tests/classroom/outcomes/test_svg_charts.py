"""Axes hold their values and are readable; what is drawn is where it belongs."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.classroom.outcomes.svg_charts import (
    Axis,
    bubble_plot,
    dumbbell_plot,
    interval_plot,
    make_axis,
    scale,
    slope_chart,
    stacked_bar,
)

SHARES = Axis(0.0, 1.0, 0.25, percent=True)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_axis_of_shares_holds_them_and_stays_within_what_is_possible(values):
    axis = make_axis(values, minimum=0.0, maximum=1.0, percent=True)
    assert 0 <= axis.low <= min(values) + 1e-9
    assert max(values) - 1e-9 <= axis.high <= 1
    assert 2 <= len(axis.ticks) <= 9
    assert len({axis.format(tick) for tick in axis.ticks}) == len(axis.ticks), "no two ticks read the same"


@given(st.lists(st.floats(-0.9, 0.9), max_size=10))
def test_an_axis_of_differences_has_zero_in_the_middle(values):
    axis = make_axis(values, signed=True)
    assert axis.low == -axis.high
    assert 0 in axis.ticks
    assert axis.position(0) == "50.00%"


def test_numbers_are_written_as_people_write_them():
    assert [make_axis([0.91, 0.97], minimum=0, maximum=1, percent=True).format(tick) for tick in (0.9, 1.0)] == [
        "90 %",
        "100 %",
    ]
    assert make_axis([-0.03, 0.02], signed=True, percent=True).format(0.02) == "+2"
    assert make_axis([-0.03, 0.02], signed=True).format(-0.0) == "0.00"


def test_an_interval_lies_where_it_belongs():
    svg = interval_plot(SHARES, {"value": 0.5, "low": 0.25, "high": 0.75}, alt_text='50 % <of "all">')
    assert 'x1="25.00%" x2="75.00%"' in svg
    assert 'cx="50.00%"' in svg
    assert "&lt;of &#34;all&#34;&gt;" in svg
    assert "circle" not in interval_plot(SHARES, {})
    assert "reach" not in interval_plot(SHARES, {"mean": 0.5, "low": math.nan, "high": math.nan})


def test_a_bar_is_divided_by_its_counts():
    widths = [float(one) for one in re.findall(r'width="([\d.]+)%"', stacked_bar([1, 0, 1, 2, 0]))[1:]]
    assert widths == [25, 25, 50]
    assert "rect" not in stacked_bar([0, 0, 0, 0, 0])


@pytest.mark.parametrize(
    "drawing",
    [
        interval_plot(SHARES, {"value": 0.5, "low": 0.2, "high": 0.9}, marker="hollow"),
        scale(SHARES, "a <label>"),
        stacked_bar([1, 2, 3, 0, 9]),
        dumbbell_plot(SHARES, {"right": 0.2}, None),
        dumbbell_plot(SHARES, {"right": 0.2}, {"right": 0.9}),
        bubble_plot(SHARES, {3: 4, 8: 1}, 8, marker="filled"),
        slope_chart([{"days": 30, "after": 0.9, "later": 0.7}]),
        slope_chart([]),
    ],
)
def test_every_drawing_is_well_formed(drawing):
    from xml.etree import ElementTree

    assert ElementTree.fromstring(str(drawing)).tag == "svg"
    assert "nan" not in drawing
