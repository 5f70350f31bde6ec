"""Fixtures of the evaluation tests: scores of two classes."""

import numpy as np
import pytest


@pytest.fixture
def binary():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 120)
    return truth, np.clip(0.5 + 0.2 * (truth - 0.5) + rng.normal(0, 0.2, 120), 0, 1)
