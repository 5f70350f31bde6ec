"""What a waiting training is told: its place in words, and how long the trainings ahead will take."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstread.core.queue_rules import QueuePosition, estimate_seconds_until_free


@given(place=st.integers(1, 200), seconds=st.none() | st.floats(0, 1e5))
@settings(max_examples=60)
def test_places_are_said_in_words(place, seconds):
    words = str(QueuePosition(place, seconds))
    assert words.startswith(f"{place}")
    assert " in line" in words
    assert ("about" in words) == (seconds is not None)


def test_places_as_english_says_them():
    assert [str(QueuePosition(n, None)).split()[0] for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st",
        "2nd",
        "3rd",
        "4th",
        "11th",
        "12th",
        "13th",
        "21st",
        "112th",
    ]
    assert str(QueuePosition(3, 40.2)) == "3rd in line, about 40 s"
    assert str(QueuePosition(2, 600)) == "2nd in line, about 10 min"


def test_the_estimate_is_the_sum_of_what_is_ahead_shared_by_those_that_run():
    assert estimate_seconds_until_free([], concurrent=0) is None
    assert estimate_seconds_until_free([None, None], concurrent=1) is None
    assert estimate_seconds_until_free([30.0, 10.0], concurrent=1) == 40
    assert estimate_seconds_until_free([30.0, 10.0, 20.0], concurrent=2) == 30
    assert estimate_seconds_until_free([30.0, None], concurrent=1) == 60, "unknown counts as the mean"


@given(st.lists(st.none() | st.floats(0, 1e6), min_size=1), st.integers(0, 8))
@settings(max_examples=60)
def test_an_estimate_is_never_below_what_is_known(remaining, concurrent):
    estimate = estimate_seconds_until_free(remaining, concurrent=concurrent)
    known = [seconds for seconds in remaining if seconds is not None]
    if known:
        assert estimate >= sum(known) / max(1, concurrent) * (1 - 1e-9)
        assert estimate == pytest.approx(sum(known) / len(known) * len(remaining) / max(1, concurrent))
    else:
        assert estimate is None
