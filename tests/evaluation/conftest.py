"""Fixtures of the evaluation tests: scores of two classes, and few bootstrap resamples for speed."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    """Fewer resamples than users get: the tests check that intervals are there, not how precise they are."""
    monkeypatch.setattr("firstread.evaluation.scorer.RESAMPLES", 60)


@pytest.fixture
def binary():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 120)
    return truth, np.clip(0.5 + 0.2 * (truth - 0.5) + rng.normal(0, 0.2, 120), 0, 1)
