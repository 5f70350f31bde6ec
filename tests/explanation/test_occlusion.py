"""Occlusion covers a region by its surroundings, and works on log-odds, which do not saturate."""

import numpy as np
import pytest
import torch

from firstread.explanation.occlusion import _patches, compute_occlusion, cover, log_odds
from firstread.learning.models import build_model


@pytest.mark.parametrize("size", [32, 64, 96, 101, 299])
def test_the_patches_cover_every_pixel(size):
    regions = torch.cat(list(_patches(size, batch=16)))
    assert regions.any(dim=0).all()
    assert regions.any(dim=(1, 2)).all()


def test_a_covered_region_takes_on_the_brightness_around_it():
    pixels = torch.full((1, 1, 48, 48), 0.3)
    pixels[..., 24:] = 0.7
    marked = pixels.clone()
    region = torch.zeros(1, 48, 48, dtype=torch.bool)
    region[0, 4:10, 4:10] = True
    marked[0, 0][region[0]] = 1.0
    covered = cover(marked, region)
    assert torch.allclose(covered, pixels, atol=0.02)
    assert torch.equal(covered[0, 0][~region[0]], marked[0, 0][~region[0]])


def test_an_image_that_is_covered_whole_has_no_surroundings():
    covered = cover(torch.rand(1, 3, 32, 32), torch.ones(1, 32, 32, dtype=torch.bool))
    assert torch.isfinite(covered).all()


@pytest.mark.parametrize("classes", [("a", "b"), ("a", "b", "c")])
def test_log_odds_are_those_of_the_probabilities(classes):
    model = build_model("resnet18", classes=classes, size=32).eval()
    pixels = torch.rand(4, 1, 32, 32)
    with torch.inference_mode():
        p = model.probabilities(model(pixels))
    for index in range(len(classes)):
        expected = torch.log(p[:, index] / (1 - p[:, index]))
        assert torch.allclose(log_odds(model, pixels, index), expected, atol=1e-5)


@pytest.mark.parametrize("certainty", [1.0, 300.0])
def test_a_network_that_is_sure_of_itself_has_the_same_map(certainty):
    class Brightness(torch.nn.Module):
        """Answers the brightness of the upper left corner."""

        def forward(self, x):
            return x[:, :, :12, :12].mean(dim=(1, 2, 3))[:, None].repeat(1, 512)

    model = build_model("resnet18", classes=("a", "b"), size=48)
    model.backbone = Brightness()
    model.head = torch.nn.Linear(512, 1)
    with torch.no_grad():
        model.head.weight.fill_(certainty)
    pixels = torch.zeros(1, 1, 48, 48)
    pixels[..., :12, :12] = 1
    saliency = compute_occlusion(model.eval(), pixels, 1)
    row, column = np.unravel_index(saliency.argmax(), saliency.shape)
    assert max(row, column) < 12
    assert saliency[30:, 30:].max() < 1e-3 * saliency.max()
