"""Augmentation for pretraining: shape, range and reproducibility of random views."""

import sys
from pathlib import Path

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

FOLDER = Path(__file__).resolve().parents[2] / "pretraining"
sys.path.insert(0, str(FOLDER))

from augmentation import random_views  # noqa: E402


@given(seed=st.integers(0, 2**31), count=st.integers(1, 5), size=st.sampled_from([32, 64]))
@settings(max_examples=30)
def test_views_are_images_and_the_same_seed_gives_the_same_views(seed, count, size):
    pixels = torch.rand(count, 1, 40, 40, generator=torch.Generator().manual_seed(seed))
    one, two = (random_views(pixels, size, torch.Generator().manual_seed(seed)) for _ in range(2))
    assert one.shape == (count, 1, size, size)
    assert 0 <= one.min() <= one.max() <= 1
    assert torch.equal(one, two)


def test_two_views_of_an_image_differ():
    pixels, generator = torch.rand(4, 1, 40, 40), torch.Generator().manual_seed(0)
    assert not torch.allclose(random_views(pixels, 40, generator), random_views(pixels, 40, generator), atol=0.05)
