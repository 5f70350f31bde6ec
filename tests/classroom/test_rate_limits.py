"""Rate limit of wrong codes by client address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.classroom.rate_limits import (
    NOT_THROUGH_PROXY,
    PROXY_TOKEN_HEADER,
    RateLimiter,
    client_address,
    trusted_client_address,
)


def test_ten_thousand_guesses_take_more_than_a_day():
    limiter, now, made = RateLimiter(), 0.0, 0
    while made < 10_000:
        if limiter.is_allowed("eve", now):
            limiter.record_failure("eve", now)
            made += 1
        else:
            now += 1.0
    assert now > 24 * 3600


def test_a_class_behind_one_address_may_mistype():
    limiter = RateLimiter()
    for _ in range(20):
        limiter.record_failure("hospital", 0.0)
    assert limiter.is_allowed("hospital", 0.0)
    assert limiter.is_allowed("elsewhere", 0.0)


def test_it_remembers_no_more_than_it_must():
    limiter = RateLimiter()
    for number in range(20_000):
        limiter.record_failure(f"address {number}", 0.0)
    assert len(limiter._failures) <= 10_000


@given(st.lists(st.floats(0, 100), max_size=60))
def test_forgiveness_never_makes_it_worse(pauses):
    limiter, now = RateLimiter(max_failures=5, recovery_seconds=10), 0.0
    for pause in pauses:
        now += pause
        if limiter.is_allowed("a", now):
            limiter.record_failure("a", now)
        assert limiter.is_allowed("a", now + 60)


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
    assert client_address(header, proxy_count=proxies) == address


@pytest.mark.parametrize(
    ("token", "address"), [("right", "10.1.1.1"), ("wrong", NOT_THROUGH_PROXY), ("", NOT_THROUGH_PROXY)]
)
def test_only_our_proxy_says_where_a_request_comes_from(token, address):
    headers = {PROXY_TOKEN_HEADER: token, "x-forwarded-for": "10.1.1.1"}
    assert trusted_client_address(headers, proxy_token="right", proxy_count=1) == address


def test_in_a_cluster_the_ingress_says_it():
    headers = {"x-forwarded-for": "made up, 10.1.1.1, 10.9.9.9"}
    assert trusted_client_address(headers, proxy_token="", proxy_count=2) == "10.1.1.1"
