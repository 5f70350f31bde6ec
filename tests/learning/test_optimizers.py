"""Adam and AdamW that go through weights as they lie in memory: torch's own results, without a copy."""

import copy

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.profiler import ProfilerActivity, profile

from firstread.core.errors import DataError
from firstread.learning.checkpoints import load_checkpoint, restore_optimizer, save_checkpoint
from firstread.learning.models import build_model
from firstread.learning.optimizers import Adam, AdamW


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(1, 6, 3),
        nn.Conv2d(6, 5, (1, 3), bias=False),
        nn.Conv2d(5, 4, 1),
        nn.Flatten(),
        nn.Linear(4 * 6 * 4, 2),
    )
    return layers.to(memory_format=torch.channels_last)


def steps(layers: nn.Module, optimizer: torch.optim.Optimizer, *, count: int) -> None:
    pixels = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    for _ in range(count):
        layers(pixels).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize(("ours", "theirs"), [(Adam, torch.optim.Adam), (AdamW, torch.optim.AdamW)])
def test_weights_become_what_torch_makes_of_them(ours, theirs):
    ones, others = network(), network()
    steps(ones, ours(ones.parameters(), lr=1e-2, fused=True), count=4)
    steps(others, theirs(others.parameters(), lr=1e-2, fused=False), count=4)
    for one, other in zip(ones.parameters(), others.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
        assert one.is_contiguous(memory_format=torch.channels_last) or one.ndim != 4
        assert one.grad is None


def test_no_gradient_is_copied():
    layers = network()
    optimizer = AdamW(layers.parameters(), lr=1e-2, fused=True)
    steps(layers, optimizer, count=1)
    layers(torch.rand(3, 1, 8, 8)).sum().backward()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        optimizer.step()
    assert "aten::clone" not in {event.key for event in seen.key_averages()}


def test_what_does_not_learn_stays():
    layers = network()
    layers[1].requires_grad_(False)
    before = copy.deepcopy(layers[1].weight)
    steps(layers, Adam(layers.parameters(), lr=1e-2, fused=True), count=2)
    assert torch.equal(layers[1].weight, before)


def test_a_schedule_moves_the_learning_rate():
    layers = network()
    optimizer = AdamW(layers.parameters(), lr=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=5)
    steps(layers, optimizer, count=1)
    before = optimizer.param_groups[0]["lr"]
    schedule.step()
    assert optimizer.param_groups[0]["lr"] != before


def test_a_checkpoint_brings_back_what_was_remembered(tmp_path):
    model = build_model("resnet18", classes=("dark", "bright"), size=32, weights="none").to(
        memory_format=torch.channels_last
    )
    optimizer = Adam(model.parameters(), lr=1e-3, fused=True)
    model(torch.rand(4, 1, 32, 32)).sum().backward()
    optimizer.step()
    file = tmp_path / "last.safetensors"
    save_checkpoint(file, model, optimizer=optimizer, generators={}, progress={})
    again = Adam(model.parameters(), lr=1e-3, fused=True)
    restore_optimizer(again, load_checkpoint(file)[0])
    for weight, other_weight in zip(optimizer.param_groups[0]["params"], again.param_groups[0]["params"], strict=True):
        one, other = optimizer.state[weight], again.state[other_weight]
        assert set(one) == set(other)
        assert all(torch.equal(one[key], other[key]) and other[key].is_contiguous() for key in one)


def test_a_checkpoint_of_an_older_version_is_refused_in_a_sentence(tmp_path):
    file = tmp_path / "last.safetensors"
    save_file({"training/optimiser/0/exp_avg": torch.zeros(1)}, file, metadata={"optimiser": "channels last"})
    with pytest.raises(DataError, match=r"older version of firstread.*train again"):
        load_checkpoint(file)
