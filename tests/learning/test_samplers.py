"""Samplers: every example once, or each class equally often; the same generator draws the same epoch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from firstread.learning.samplers import BalancedSampler, RandomSampler

#: class index of each example; any classes may be missing
TARGETS = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(np.array)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@given(count=st.integers(1, 60), seed=st.integers(0, 2**31))
def test_at_random_every_example_is_shown_once_in_the_order_of_torch(count, seed):
    sampler = RandomSampler(count)
    assert len(sampler) == count
    assert sampler.draw(seeded(seed)).tolist() == torch.randperm(count, generator=seeded(seed)).tolist()


@given(targets=TARGETS, seed=st.integers(0, 2**31))
def test_balanced_shows_each_class_equally_often(targets, seed):
    sampler, classes = BalancedSampler(targets), np.unique(targets)
    order = sampler.draw(seeded(seed))
    assert len(order) == len(sampler)
    assert 0 <= len(order) - len(targets) < len(classes)
    shown = [int((targets[order] == index).sum()) for index in classes]
    assert len(set(shown)) == 1
    times = np.bincount(order, minlength=len(targets))
    for index in classes:
        assert np.ptp(times[targets == index]) <= 1, "an example is shown twice oftener than its neighbour"


@given(targets=TARGETS, seed=st.integers(0, 2**31))
def test_the_same_generator_draws_the_same_epochs(targets, seed):
    sampler, ones, others = BalancedSampler(targets), seeded(seed), seeded(seed)
    for _ in range(3):
        assert sampler.draw(ones).tolist() == sampler.draw(others).tolist()


@pytest.mark.parametrize("seed", [0, 1])
def test_of_a_large_class_each_epoch_shows_another_part(seed):
    targets, generator = np.array([0] * 60 + [1] * 4), seeded(seed)
    sampler = BalancedSampler(targets)
    seen = [set(sampler.draw(generator)[: len(targets)].tolist()) for _ in range(8)]
    assert seen[0] != seen[1]
    assert len(set.union(*seen)) > 55
