"""A cascade leaves nothing that was learnt, from the head down, and keeps activations in range."""

import pytest
import torch

from firstread.explanation.parameter_randomization import cascade, find_stages
from firstread.learning.models import build_model

BACKBONES = ["resnet18", "regnetx_002", "mobilenetv3_small_100", "convnext_atto", "densenet121"]


@pytest.mark.parametrize("name", BACKBONES)
def test_the_stages_hold_every_parameter_once_from_the_top_down(name):
    model = build_model(name, classes=("a", "b"), size=64, weights="none")
    stages = find_stages(model)
    assert stages[0][0] == "head"
    assert 3 <= len(stages) <= 5
    held = [id(p) for _, layers in stages for layer in layers for p in layer.parameters(recurse=False)]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
    first = next(iter(model.backbone.parameters()))
    assert any(p is first for layer in stages[-1][1] for p in layer.parameters())


@pytest.mark.parametrize("name", BACKBONES)
def test_nothing_learnt_is_left(name):
    model = build_model(name, classes=("a", "b"), size=64, weights="none").eval()
    with torch.no_grad():
        for value in [*model.parameters(), *model.backbone.buffers()]:
            if value.is_floating_point():
                value.copy_(3 + torch.rand_like(value))  # what no initialization draws
    before = {key: value.clone() for key, value in model.state_dict().items()}
    pixels = torch.rand(1, 1, 64, 64)
    *_, (_, last) = cascade(model, pixels, seed=0)
    after = last.state_dict()
    for key, value in after.items():
        if value.is_floating_point() and key not in ("mean", "std"):
            left = torch.equal(value.sort().values, before[key].sort().values)
            assert not left or last.get_submodule(key.rpartition(".")[0]).__class__.__name__ == "ConvNeXtBlock", key
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in before.items())
    assert not any(layer.training for layer in last.modules())


def test_batch_norm_of_a_random_network_is_fitted_to_the_image():
    model = build_model("resnet18", classes=("a", "b"), size=64, weights="none").eval()
    outputs = []
    pixels = torch.rand(1, 1, 64, 64)
    for _, last in cascade(model, pixels, seed=1):
        layer = last.backbone.get_submodule("layer2.0.bn1")
        hook = layer.register_forward_hook(lambda _m, _i, out: outputs.append(out))
        last(pixels)
        hook.remove()
    assert 0.2 < outputs[-1].std() < 3


def test_the_seed_decides_the_draw():
    model = build_model("resnet18", classes=("a", "b"), size=64).eval()
    pixels = torch.rand(1, 1, 64, 64)
    draws = []
    for seed in (0, 0, 1):
        *_, (_, last) = cascade(model, pixels, seed=seed)
        draws.append(last.backbone.conv1.weight)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
