"""Dates move by whole days; what is no date stays none."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from firstread.deidentification.date_shift import EARLIEST, age_between, shift_date, shift_datetime

SHIFTS = st.integers(-3650, -1)


@given(st.dates(min_value=date(1850, 1, 1)), SHIFTS)
def test_a_date_moves_by_the_days(day, days):
    expected = (day + timedelta(days)).isoformat().replace("-", "")
    assert shift_date(day.isoformat().replace("-", ""), days) == expected


@given(st.datetimes(), SHIFTS, st.sampled_from(["", "+0200", "-0930"]))
def test_a_date_and_time_keeps_its_time_and_offset(moment, days, offset):
    text = moment.strftime("%H%M%S.%f") + offset
    day = moment.date().isoformat().replace("-", "")
    assert shift_datetime(day + text, days) == shift_date(day, days) + text


@given(st.text(max_size=20), SHIFTS)
def test_any_text_gives_a_valid_value_or_none(text, days):
    for shifted in (shift_date(text, days), (shift_datetime(text, days) or "19000101")[:8]):
        if shifted is not None and len(shifted) == 8:
            assert date(int(shifted[:4]), int(shifted[4:6]), int(shifted[6:])) >= EARLIEST - timedelta(3650)


def test_placeholders_become_a_date_that_validators_take():
    assert shift_date("00010101", -5) == "19000101"
    assert shift_date("00000000", -5) is None


def test_an_age_is_full_years():
    assert age_between("19291231", "20191230") == 89
    assert age_between("19291231", "20191231") == 90
