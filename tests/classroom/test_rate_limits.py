"""How often a stranger may guess."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.classroom.rate_limits import Guesses, sender


def test_ten_thousand_guesses_take_more_than_a_day():
    guesses, now, made = Guesses(), 0.0, 0
    while made < 10_000:
        if guesses.allowed("eve", now):
            guesses.wrong("eve", now)
            made += 1
        else:
            now += 1.0
    assert now > 24 * 3600


def test_a_class_behind_one_address_may_mistype():
    guesses = Guesses()
    for _ in range(20):
        guesses.wrong("hospital", 0.0)
    assert guesses.allowed("hospital", 0.0)
    assert guesses.allowed("elsewhere", 0.0)


def test_it_remembers_no_more_than_it_must():
    guesses = Guesses()
    for number in range(20_000):
        guesses.wrong(f"address {number}", 0.0)
    assert len(guesses._wrong) <= 10_000


@given(st.lists(st.floats(0, 100), max_size=60))
def test_forgiveness_never_makes_it_worse(pauses):
    guesses, now = Guesses(most=5, seconds_each=10), 0.0
    for pause in pauses:
        now += pause
        if guesses.allowed("a", now):
            guesses.wrong("a", now)
        assert guesses.allowed("a", now + 60)


@pytest.mark.parametrize(
    ("header", "proxies", "address"),
    [
        ("10.1.1.1", 1, "10.1.1.1"),
        ("made up, 10.1.1.1", 1, "10.1.1.1"),
        ("10.1.1.1, 10.9.9.9", 2, "10.1.1.1"),
        ("made up, 10.1.1.1, 10.9.9.9", 2, "10.1.1.1"),
        ("10.1.1.1", 2, "10.1.1.1"),
        ("", 2, ""),
    ],
)
def test_a_stranger_cannot_say_where_they_come_from(header, proxies, address):
    assert sender(header, proxies=proxies) == address
