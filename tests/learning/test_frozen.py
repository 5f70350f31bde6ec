"""The frozen phase: the same result as the plain way, at a part of its cost."""

import copy

import numpy as np
import pytest
import torch

import firstread.learning.trainer as training
from firstread.learning.augmentation import Augmentation
from firstread.learning.devices import make_accelerator
from firstread.learning.frozen import FrozenBackbone
from firstread.learning.loop import plain_batches
from firstread.learning.models import build_model
from firstread.learning.training import train

SETTINGS = {"schedule": "one-cycle", "learning_rate": 3e-3, "batch_size": 4, "checkpoints": False, "quiet": True}


class PlainWay:
    """Every batch through the whole backbone, at every step, as any training loop would do it."""

    def __init__(self, model, accelerator):
        self.model = model

    def _read(self, pixels):
        with torch.no_grad():
            return self.model.backbone(self.model.normalise(pixels)).float()

    def features(self, images, *, batch_size):
        return torch.cat([self._read(batch) for batch in plain_batches(self.model, images, batch_size=batch_size)])

    def read(self, batches, *, batch_size):
        for pixels, targets in batches:
            yield self._read(pixels), targets


@pytest.mark.parametrize("augmentation", [None, Augmentation(rotate_degrees=20, shift=0.1, flip=True)])
def test_the_head_learns_what_it_learns_the_plain_way(tiny_cohort, monkeypatch, augmentation):
    """Within 1e-4 of the loss in nats, in float32: only the order of sums differs."""
    start = build_model("resnet18", classes=("dark", "bright"), size=32, dropout=0.3)
    models, runs = [copy.deepcopy(start), copy.deepcopy(start)], []
    for model, way in zip(models, (FrozenBackbone, PlainWay), strict=True):
        monkeypatch.setattr(training, "FrozenBackbone", way)
        runs.append(
            train(model, tiny_cohort, epochs=4, freeze=True, augmentation=augmentation, precision="float32", **SETTINGS)
        )
    for ours, plain in zip(runs[0].history, runs[1].history, strict=True):
        assert ours["train_loss"] == pytest.approx(plain["train_loss"], abs=1e-4)
        assert ours["validation_loss"] == pytest.approx(plain["validation_loss"], abs=1e-4)
        assert ours["train_accuracy"] == plain["train_accuracy"]
    for name, value in models[0].state_dict().items():
        assert torch.allclose(value, models[1].state_dict()[name], atol=1e-4), name


def test_in_bfloat16_the_features_are_those_of_autocast_bit_by_bit():
    model = build_model("resnet18", classes=("dark", "bright"), size=32).eval()
    accelerator = make_accelerator(device="cpu", precision="bfloat16")
    images = np.random.default_rng(0).integers(0, 255, (6, 32, 32), dtype=np.uint8)
    found = FrozenBackbone(model, accelerator).features(images, batch_size=6)
    with torch.no_grad(), accelerator.autocast():
        plain = model.backbone(model.normalise(model.prepare(images))).float()
    assert torch.equal(found, plain)
    assert all(p.dtype == torch.float32 for p in model.parameters())


def test_without_augmentation_each_image_is_read_once(tiny_cohort, monkeypatch):
    seen, real = [], FrozenBackbone._read

    def counting(self, pixels):
        seen.append(len(pixels))
        return real(self, pixels)

    monkeypatch.setattr(FrozenBackbone, "_read", counting)
    model = build_model("resnet18", classes=("dark", "bright"), size=32)
    train(model, tiny_cohort, epochs=5, freeze=True, **SETTINGS)
    assert sum(seen) == len(tiny_cohort.train) + len(tiny_cohort.validation)


@pytest.mark.parametrize("batch_size", [1, 4, 7, 100])
def test_batches_come_out_as_they_went_in(batch_size):
    model = build_model("resnet18", classes=("dark", "bright"), size=32).eval()
    frozen = FrozenBackbone(model, make_accelerator(device="cpu", precision="float32"))
    pixels = torch.rand(11, 1, 32, 32)
    batches = [(pixels[s], torch.arange(11)[s]) for s in (slice(0, 4), slice(4, 8), slice(8, 11))]
    found = list(frozen.read(iter(batches), batch_size=batch_size))
    assert [targets.tolist() for _, targets in found] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    together = torch.cat([features for features, _ in found])
    assert torch.allclose(together, frozen._read(pixels), atol=1e-5)
    assert not together.is_inference()


def test_features_let_the_head_learn():
    model = build_model("resnet18", classes=("dark", "bright"), size=32)
    frozen = FrozenBackbone(model, make_accelerator(device="cpu", precision="float32"))
    features = frozen.features(np.zeros((3, 32, 32), np.uint8), batch_size=2)
    assert features.shape == (3, 512)
    model.head(features).sum().backward()
    assert model.head[0].weight.grad is not None
    assert all(p.grad is None for p in model.backbone.parameters())
