"""Augmentation changes what it says, by as much as it says, and nothing else."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from firstread.core.errors import SettingError
from firstread.learning.augmentation import Augmentation


def batch(count=3, size=16):
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(1))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_nothing_asked_nothing_changed():
    images = batch()
    assert torch.equal(Augmentation()(images, generator()), images)


def test_flip_mirrors_about_half_and_twice_is_the_identity():
    images = batch(200, 8)
    once = Augmentation(flip=True)(images, generator(3))
    mirrored = [torch.allclose(a, b.flip(-1), atol=1e-5) for a, b in zip(once, images, strict=True)]
    same = [torch.allclose(a, b, atol=1e-5) for a, b in zip(once, images, strict=True)]
    assert all(m or s for m, s in zip(mirrored, same, strict=True))
    assert 60 < sum(mirrored) < 140
    twice = Augmentation(flip=True)(once, generator(3))
    assert torch.allclose(twice, images, atol=1e-5)


def test_a_turn_of_ninety_degrees_is_a_turn():
    image = torch.zeros(1, 1, 33, 33)
    image[0, 0, 16, 30] = 1.0
    turned = [Augmentation(rotate_degrees=90)(image, generator(s)) for s in range(40)]
    rows = [divmod(int(t.argmax()), 33) for t in turned if t.max() > 0.2]
    radius = [np.hypot(r - 16, c - 16) for r, c in rows]
    assert len(rows) > 10
    assert np.allclose(radius, 14, atol=1.5)
    assert max(r for r, _ in rows) > 22
    assert min(r for r, _ in rows) < 10


def test_shift_stays_within_its_share():
    image = torch.zeros(1, 1, 40, 40)
    image[0, 0, 18:22, 18:22] = 1
    for seed in range(20):
        moved = Augmentation(shift=0.1)(image, generator(seed))[0, 0]
        centre = [(moved.sum(d) * torch.arange(40)).sum() / moved.sum() for d in (0, 1)]
        assert all(abs(float(c) - 19.5) <= 4.01 for c in centre)


@settings(max_examples=25)
@given(st.floats(0, 180), st.floats(0, 0.5), st.floats(0, 0.9), st.floats(0, 45), st.booleans(), st.integers(0, 999))
def test_same_generator_same_images_and_values_stay_in_range(rotate, shift, zoom, shear, flip, seed):
    augmentation = Augmentation(rotate, shift, zoom, shear, flip)
    images = batch(2, 12)
    first, second = augmentation(images, generator(seed)), augmentation(images, generator(seed))
    assert torch.equal(first, second)
    assert first.shape == images.shape
    assert float(first.min()) >= -1e-5
    assert float(first.max()) <= 1 + 1e-5


@pytest.mark.parametrize(
    ("name", "value"), [("rotate_degrees", 181), ("shift", -0.1), ("zoom", 1.0), ("shear_degrees", "a")]
)
def test_impossible_values_are_refused_by_name(name, value):
    with pytest.raises(SettingError, match=name):
        Augmentation(**{name: value})


def test_show_draws_the_original_first():
    figure = Augmentation(rotate_degrees=20).show(np.zeros((20, 20), np.uint8))
    assert figure.axes[0].get_title() == "original"
