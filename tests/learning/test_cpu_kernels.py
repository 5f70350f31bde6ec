"""Convolutions of small maps: the same learning as torch's own, and only where it is faster."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from firstread.learning import cpu_kernels
from firstread.learning.cpu_kernels import matmul_weight_gradients


def one_step(layer, pixels, grad_output, *, ours):
    """What a layer answers, and what it is told to change, in bfloat16."""
    layer.zero_grad()
    pixels = pixels.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        if ours:
            with matmul_weight_gradients(layer):
                answer = layer(pixels)
        else:
            answer = layer(pixels)
    answer.backward(grad_output.to(answer.dtype))
    return answer.detach(), pixels.grad, layer.weight.grad.clone()


@given(
    images=st.integers(1, 5),
    size=st.integers(3, 8),
    kernel=st.tuples(st.sampled_from([1, 3]), st.sampled_from([1, 3])),
    stride=st.integers(1, 2),
    padding=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    seed=st.integers(0, 1000),
)
def test_a_small_map_teaches_what_torch_would(images, size, kernel, stride, padding, seed):
    torch.manual_seed(seed)
    layer = nn.Conv2d(6, 5, kernel, stride=stride, padding=padding, bias=False).to(memory_format=torch.channels_last)
    pixels = torch.randn(images, 6, size, size).contiguous(memory_format=torch.channels_last)
    grad_output = torch.randn_like(layer(pixels))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu_kernels, "_MIN_WEIGHTS", 0)
        found = one_step(layer, pixels, grad_output, ours=True)
    known = one_step(layer, pixels, grad_output, ours=False)
    for value, other in zip(found, known, strict=True):
        assert value.dtype == other.dtype
        assert torch.allclose(value.float(), other.float(), rtol=0.02, atol=0.02 * float(other.abs().max()) + 1e-6)


@pytest.mark.parametrize(
    ("layer", "size", "ours"),
    [
        (nn.Conv2d(256, 256, 3, padding=1, bias=False), 4, True),
        (nn.Conv2d(256, 256, 3, padding=1, bias=False), 30, False),  # a large map
        (nn.Conv2d(16, 16, 3, padding=1, bias=False), 4, False),  # few weights
        (nn.Conv2d(256, 256, 3, padding=1), 4, False),  # a bias
        (nn.Conv2d(512, 512, 3, padding=1, groups=2, bias=False), 4, False),
        (nn.Conv2d(256, 256, 3, padding=2, dilation=2, bias=False), 4, False),
        (nn.Conv2d(256, 256, 3, padding="same", bias=False), 4, False),
        (nn.Conv2d(256, 256, 3, padding=1, padding_mode="reflect", bias=False), 4, False),
    ],
)
def test_only_what_is_faster_is_done_so(layer, size, ours):
    pixels = torch.randn(2, layer.in_channels, size, size)
    with matmul_weight_gradients(layer):
        assert (layer(pixels).grad_fn.name() == "_ConvolutionBackward") == ours
    assert layer(pixels).grad_fn.name() != "_ConvolutionBackward"
    assert "forward" not in vars(layer)


def test_nothing_is_kept_for_learning_where_nothing_learns():
    layer, pixels = nn.Conv2d(256, 256, 3, bias=False), torch.randn(2, 256, 4, 4)
    with matmul_weight_gradients(layer), torch.no_grad():
        assert layer(pixels).grad_fn is None
    layer.requires_grad_(False)
    with matmul_weight_gradients(layer):
        assert layer(pixels).grad_fn is None
