"""Fewer bootstrap draws than users get: these tests ask whether intervals are there, not how fine they are."""

import pytest


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr("firstread.evaluation.scorer.DRAWS", 60)
