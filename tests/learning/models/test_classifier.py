"""Networks: every tested backbone behaves alike, is saved and loaded whole, and bad weights are refused."""

import json

import numpy as np
import pytest
import torch

from firstread.core.errors import DataError, NetworkError, SettingError
from firstread.learning.models import build_model, load_model

#: the same promises for every backbone; sizes as small as each allows
BACKBONES = {
    "resnet18": 32,
    "resnet34": 32,
    "resnet50": 32,
    "inception_v3": 80,
    "densenet121": 32,
    "mobilenetv3_small_100": 32,
    "efficientnet_b0": 32,
    "convnext_atto": 32,
}


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_keeps_the_same_promises(name):
    size = BACKBONES[name]
    model = build_model(name, classes=["a", "b", "c"], size=size, dropout=0.3)
    images = np.random.default_rng(0).integers(0, 255, (2, size, size), dtype=np.uint8)
    model.eval()
    with torch.inference_mode():
        logits = model(model.prepare(images))
        scores = model.probabilities(logits)
    assert logits.shape == (2, 3)
    assert torch.allclose(scores.sum(1), torch.ones(2, dtype=scores.dtype))
    model.freeze()
    assert all(p.requires_grad for p in model.head.parameters())
    assert not any(p.requires_grad for p in model.backbone.parameters())
    assert not model.train().backbone.training
    model.freeze(False)
    assert model.train().backbone.training


def test_two_classes_have_one_output_and_the_second_is_positive():
    model = build_model("resnet18", classes=["abdomen", "chest"], size=32)
    logits = torch.tensor([[3.0], [-3.0]])
    scores = model.probabilities(logits)
    assert model.head[-1].out_features == 1
    assert scores[0, 1] > 0.9
    assert scores[1, 0] > 0.9


def test_colour_images_go_in_as_three_channels():
    model = build_model("resnet18", classes=["a", "b"], size=32, channels=3)
    assert model(model.prepare(np.zeros((2, 32, 32, 3), np.uint8))).shape == (2, 1)


def test_same_seed_same_weights():
    one, two, other = (build_model("resnet18", classes=["a", "b"], size=32, seed=s).state_dict() for s in (4, 4, 5))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)


def test_saved_and_loaded_it_answers_the_same(tmp_path):
    model = build_model("mobilenetv3_small_100", classes=["a", "b"], size=32).eval()
    loaded = load_model(model.save(tmp_path / "m.safetensors"))
    images = model.prepare(np.full((1, 32, 32), 77, np.uint8))
    with torch.inference_mode():
        assert torch.equal(model(images), loaded(images))
    assert loaded.blueprint == model.blueprint


def test_weights_of_a_file_are_taken(tmp_path):
    model = build_model("resnet18", classes=["a", "b"], size=32, seed=9)
    file = model.save(tmp_path / "w.safetensors")
    other = build_model("resnet18", classes=["x", "y", "z"], size=32, weights=file)
    assert torch.equal(other.backbone.conv1.weight, model.backbone.conv1.weight)


def test_colour_weights_are_summed_for_gray_where_all_channels_are_normalized_alike(tmp_path):
    colour = build_model("inception_v3", classes=["a", "b"], size=80, channels=3)
    file = colour.save(tmp_path / "w.safetensors")
    gray = build_model("inception_v3", classes=["a", "b"], size=80, weights=file)
    ours, theirs = (model.backbone.get_submodule("Conv2d_1a_3x3.conv").weight for model in (gray, colour))
    assert torch.allclose(ours[:, 0], theirs.sum(1))


def test_a_pth_of_tensors_is_read_and_one_with_code_is_not(tmp_path):
    model = build_model("resnet18", classes=["a", "b"], size=32)
    torch.save(model.backbone.state_dict(), tmp_path / "good.pth")
    assert build_model("resnet18", classes=["a", "b"], size=32, weights=tmp_path / "good.pth")
    torch.save(model.backbone, tmp_path / "code.pth")  # a pickled object: loading it would run code
    with pytest.raises(DataError, match="cannot be read safely"):
        build_model("resnet18", classes=["a", "b"], size=32, weights=tmp_path / "code.pth")


def test_weights_of_another_network_are_refused(tmp_path):
    file = build_model("resnet18", classes=["a", "b"], size=32).save(tmp_path / "w.safetensors")
    with pytest.raises(DataError, match="do not fit"):
        build_model("mobilenetv3_small_100", classes=["a", "b"], size=32, weights=file)


def test_missing_imagenet_weights_say_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(NetworkError, match=r"resnet18.safetensors.*weights=\"none\""):
        build_model("resnet18", classes=["a", "b"], weights="imagenet")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "resnet81"}, "no backbone called"),
        ({"classes": ["a"]}, "at least two"),
        ({"classes": ["a", "a"]}, "at least two different"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"size": 8}, "size=8"),
        ({"backbone": "inception_v3", "size": 40}, "cannot take images"),
    ],
)
def test_impossible_networks_are_refused(arguments, message):
    with pytest.raises(SettingError, match=message):
        build_model(**{"backbone": "resnet18", "classes": ["a", "b"], **arguments})


def test_a_broken_file_is_no_network(tmp_path):
    (tmp_path / "m.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read"):
        load_model(tmp_path / "m.safetensors")


def test_fitting_to_the_images_gives_features_a_spread():
    rng = np.random.default_rng(0)
    images = rng.integers(100, 140, (20, 32, 32), dtype=np.uint8)
    model = build_model("resnet18", classes=["a", "b"], size=32)
    model.fit_normalization(images)
    with torch.inference_mode():
        features = model.backbone(model.normalize(model.prepare(images)))
    assert float(features.std(0).mean()) > 0.05
    assert not model.backbone.training
    assert json.dumps(model.describe())
