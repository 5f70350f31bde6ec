"""The frozen phase: the same result as the plain way, at a part of its cost."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from firstread.learning import training_state
from firstread.learning.augmentation import Augmentation
from firstread.learning.devices import choose_placement
from firstread.learning.examples import ArrayExamples
from firstread.learning.feature_cache import FeatureCache
from firstread.learning.loop import sequential_batches
from firstread.learning.models import build_model
from firstread.learning.prediction import predict_scores
from firstread.learning.training import train

SETTINGS = {"schedule": "one-cycle", "learning_rate": 3e-3, "batch_size": 4, "checkpoints": False, "quiet": True}


class PlainWay:
    """Every batch through the whole backbone, at every step, as any training loop would do it."""

    def __init__(self, model, placement):
        self.model = model

    def _extract(self, pixels):
        with torch.no_grad():
            return self.model.backbone(self.model.normalize(pixels)).float()

    def extract(self, examples, *, batch_size):
        batches = sequential_batches(examples, prepare=self.model.prepare, batch_size=batch_size)
        return ArrayExamples(torch.cat([self._extract(batch) for batch, _ in batches]), examples.targets)

    def extract_batches(self, batches, *, batch_size):
        for pixels, targets in batches:
            yield self._extract(pixels), targets


@pytest.mark.parametrize("augmentation", [None, Augmentation(rotate_degrees=20, shift=0.1, flip=True)])
def test_the_head_learns_what_it_learns_the_plain_way(tiny_cohort, monkeypatch, augmentation):
    """Within 1e-4 of the loss in nats, in float32: only the order of sums differs."""
    start = build_model("resnet18", classes=("dark", "bright"), size=32, dropout=0.3)
    models, runs = [copy.deepcopy(start), copy.deepcopy(start)], []
    for model, way in zip(models, (FeatureCache, PlainWay), strict=True):
        monkeypatch.setattr(training_state, "FeatureCache", way)
        runs.append(
            train(model, tiny_cohort, epochs=4, freeze=True, augmentation=augmentation, precision="float32", **SETTINGS)
        )
    for ours, plain in zip(runs[0].history, runs[1].history, strict=True):
        assert ours["train_loss"] == pytest.approx(plain["train_loss"], abs=1e-4)
        assert ours["validation_loss"] == pytest.approx(plain["validation_loss"], abs=1e-4)
        assert ours["train_accuracy"] == plain["train_accuracy"]
    images = tiny_cohort.images(32, channels=1)
    assert np.allclose(*(predict_scores(model, images) for model in models), atol=1e-4)


#: networks in which BatchNorm follows each convolution, some of them, none (a pre-activation network's), and one that
#: cannot be traced
BACKBONES = ["resnet18", "regnetx_002", "densenet121", "resnetv2_50", "vgg11_bn", "convnext_atto"]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_features_are_those_of_the_network(backbone):
    """In float32 but for rounding; in bfloat16 as near to float32 as autocast comes; the network is left as it was."""
    model = build_model(backbone, classes=("dark", "bright"), size=64, weights="none")
    images = np.random.default_rng(0).integers(0, 255, (8, 64, 64), dtype=np.uint8)
    model.fit_normalization(images)
    before = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        plain = model.backbone(model.normalize(model.prepare(images)))
    spread = plain.std()

    def away(features):
        return float((features - plain).square().mean().sqrt() / spread)

    halves, whole = (choose_placement(device="cpu", precision=kind) for kind in ("bfloat16", "float32"))
    with torch.no_grad(), halves.autocast():
        autocast = model.backbone(model.normalize(model.prepare(images))).float()
    examples = ArrayExamples(images, np.zeros(8, int))
    assert away(FeatureCache(model, whole).extract(examples, batch_size=8).inputs) < 1e-4
    assert away(FeatureCache(model, halves).extract(examples, batch_size=8).inputs) < 1.2 * away(autocast) + 1e-3
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("backbone", "parts"), [("resnet18", 1.0), ("regnetx_002", 1.0), ("resnetv2_50", 0.6), ("vgg11_bn", 0)]
)
def test_batchnorm_becomes_part_of_the_convolution_before_it(backbone, parts):
    """Where only that convolution goes into it; a network that cannot be traced is read as it is."""
    model = build_model(backbone, classes=("dark", "bright"), size=64, weights="none")
    reads = FeatureCache(model, choose_placement(device="cpu", precision="float32")).backbone
    count = {
        part: sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
        for part, network in (("before", model.backbone), ("after", reads))
    }
    assert 1 - count["after"] / count["before"] == pytest.approx(parts, abs=0.1)


def test_without_augmentation_each_image_is_read_once(tiny_cohort, monkeypatch):
    seen, real = [], FeatureCache._extract

    def counting(self, pixels):
        seen.append(len(pixels))
        return real(self, pixels)

    monkeypatch.setattr(FeatureCache, "_extract", counting)
    model = build_model("resnet18", classes=("dark", "bright"), size=32)
    train(model, tiny_cohort, epochs=5, freeze=True, **SETTINGS)
    assert sum(seen) == len(tiny_cohort.train) + len(tiny_cohort.validation)


@pytest.mark.parametrize("batch_size", [1, 4, 7, 100])
def test_batches_come_out_as_they_went_in(batch_size):
    model = build_model("resnet18", classes=("dark", "bright"), size=32).eval()
    frozen = FeatureCache(model, choose_placement(device="cpu", precision="float32"))
    pixels = torch.rand(11, 1, 32, 32)
    batches = [(pixels[s], torch.arange(11)[s]) for s in (slice(0, 4), slice(4, 8), slice(8, 11))]
    found = list(frozen.extract_batches(iter(batches), batch_size=batch_size))
    assert [targets.tolist() for _, targets in found] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    together = torch.cat([features for features, _ in found])
    assert torch.allclose(together, frozen._extract(pixels), atol=1e-5)
    assert not together.is_inference()


def test_features_let_the_head_learn():
    model = build_model("resnet18", classes=("dark", "bright"), size=32)
    frozen = FeatureCache(model, choose_placement(device="cpu", precision="float32"))
    features = frozen.extract(ArrayExamples(np.zeros((3, 32, 32), np.uint8), np.arange(3)), batch_size=2).inputs
    assert features.shape == (3, 512)
    model.head(features).sum().backward()
    assert model.head[0].weight.grad is not None
    assert all(p.grad is None for p in model.backbone.parameters())
