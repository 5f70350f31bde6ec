"""Augmentation changes what it says, by as much as it says, and nothing else."""

import math

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


def turned(degrees, **arguments):
    """Augment with a turn of exactly `degrees`: the only draw of a generator whose numbers are all 1."""
    augmentation = Augmentation(rotate_degrees=abs(degrees))
    angle = math.radians(degrees)
    rows = [[math.cos(angle), -math.sin(angle), 0.0], [math.sin(angle), math.cos(angle), 0.0]]
    matrices = torch.tensor([rows], dtype=torch.float32)
    object.__setattr__(augmentation, "matrices", lambda count, generator, aspect=1.0: matrices.repeat(count, 1, 1))
    return augmentation.apply(generator=torch.Generator(), **arguments)


def test_masks_and_boxes_move_with_the_image_as_in_torchvision():
    from torchvision import tv_tensors
    from torchvision.transforms.v2 import functional

    image = torch.zeros(1, 1, 40, 40)
    image[:, :, 8:14, 20:32] = 1.0
    box = torch.tensor([[20.0, 8.0, 32.0, 14.0]])
    moved = turned(90, images=image, masks=image[:, 0].long(), boxes=[box])
    assert torch.equal(moved.masks[0], moved.images[0, 0].round().long())
    expected = functional.rotate(tv_tensors.BoundingBoxes(box, format="XYXY", canvas_size=(40, 40)), 90)
    torch.testing.assert_close(moved.boxes[0], expected.as_subclass(torch.Tensor), atol=1e-3, rtol=0)
    torch.testing.assert_close(moved.images[0], functional.rotate(image[0], 90), atol=1e-3, rtol=0)
    ys, xs = torch.nonzero(moved.masks[0], as_tuple=True)
    around = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    torch.testing.assert_close(moved.boxes[0][0], torch.stack(around).float(), atol=1e-3, rtol=0)


@given(seed=st.integers(0, 10_000))
def test_a_box_stays_around_its_mask_and_no_new_number_appears(seed):
    augmentation = Augmentation(rotate_degrees=30, shift=0.2, zoom=0.3, shear_degrees=10, flip=True)
    masks = torch.zeros(3, 48, 64, dtype=torch.uint8)
    masks[:, 10:30, 12:40] = 7
    boxes = [torch.tensor([[12.0, 10.0, 40.0, 30.0]])] * 3
    generator = torch.Generator().manual_seed(seed)
    moved = augmentation.apply(masks[:, None].float(), generator, masks=masks, boxes=boxes)
    assert set(moved.masks.unique().tolist()) <= {0, 7}
    for mask, box, kept in zip(moved.masks, moved.boxes, moved.kept, strict=True):
        ys, xs = torch.nonzero(mask, as_tuple=True)
        if kept[0]:
            x0, y0, x1, y1 = box[0].tolist()
            assert 0 <= x0 <= x1 <= 64
            assert 0 <= y0 <= y1 <= 48
            assert not len(xs) or (
                xs.min() >= x0 - 1 and xs.max() < x1 + 1 and ys.min() >= y0 - 1 and ys.max() < y1 + 1
            )


def test_a_box_that_left_the_image_is_counted_and_empty():
    boxes = [torch.tensor([[0.0, 0.0, 4.0, 4.0], [14.0, 14.0, 18.0, 18.0]])]
    moved = turned(45, images=torch.zeros(1, 1, 32, 32), boxes=boxes)
    assert moved.kept[0].tolist() == [False, True]
    assert moved.boxes[0][0].tolist() == [0, 0, 0, 0]


def test_without_augmentation_nothing_moves():
    boxes = [torch.tensor([[1.0, 2.0, 3.0, 4.0]])]
    masks = torch.ones(1, 8, 8, dtype=torch.uint8)
    same = Augmentation().apply(torch.zeros(1, 1, 8, 8), torch.Generator(), masks=masks, boxes=boxes)
    assert torch.equal(same.masks, masks)
    assert same.boxes == boxes
    assert same.kept[0].all()
