"""Convolutions of small maps learn faster as one matrix product than as a convolution."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

#: Up to so many positions (images x rows x columns of the output) and from so many weights on, the product was faster: 8.4 ms
#: became 3.4 with 64 images of 512 channels and 2 x 2 pixels. Larger maps, and float32, are faster as they are.
_POSITIONS, _WEIGHTS = 512, 500_000


@contextmanager
def small_maps(network: nn.Module) -> Iterator[None]:
    """Inside, what a convolution of a small map would change in its weights is computed as a matrix product.

    For bfloat16 on a processor, whose library is slow there. It is the same sum in another order; at the end the network is as it was.
    """
    chosen = [module for module in network.modules() if _can_be_product(module)]
    for module in chosen:
        module.forward = partial(_forward, module)
    try:
        yield
    finally:
        for module in chosen:
            del module.forward


def _can_be_product(module: nn.Module) -> bool:
    return (
        type(module) is nn.Conv2d
        and module.bias is None and module.groups == 1 and module.dilation == (1, 1)
        and module.padding_mode == "zeros" and not isinstance(module.padding, str)
        and module.weight.numel() >= _WEIGHTS
    )  # fmt: skip


def _forward(module: nn.Conv2d, pixels: torch.Tensor) -> torch.Tensor:
    if torch.is_grad_enabled() and module.weight.requires_grad and pixels.ndim == 4:
        high, wide = (
            (side + 2 * around - kernel) // step + 1
            for side, around, kernel, step in zip(
                pixels.shape[2:], module.padding, module.kernel_size, module.stride, strict=True
            )
        )
        if len(pixels) * high * wide <= _POSITIONS:
            return _Convolution.apply(pixels, module.weight, module.stride, module.padding)
    return nn.Conv2d.forward(module, pixels)


class _Convolution(torch.autograd.Function):
    """A convolution without bias in bfloat16; (N, C, H, W) * (K, C, h, w) -> (N, K, H', W')."""

    @staticmethod
    def forward(ctx: Any, pixels: torch.Tensor, weight: torch.Tensor, stride: tuple, padding: tuple) -> torch.Tensor:
        halves = pixels.to(torch.bfloat16), weight.to(torch.bfloat16)
        ctx.save_for_backward(*halves)
        ctx.stride, ctx.padding, ctx.learns_in = stride, padding, weight.dtype
        return torch.conv2d(*halves, None, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, blame: torch.Tensor) -> tuple:
        pixels, weight = ctx.saved_tensors
        high, wide = weight.shape[2:]
        back = None
        if ctx.needs_input_grad[0]:
            only_pixels = [True, False, False]
            back = torch.ops.aten.convolution_backward(
                blame, pixels, weight, None, ctx.stride, ctx.padding, (1, 1), False, (0, 0), 1, only_pixels
            )[0]
        rows, columns = ctx.padding
        seen = pad(pixels, (columns, columns, rows, rows)).permute(0, 2, 3, 1)
        seen = seen.unfold(1, high, ctx.stride[0]).unfold(2, wide, ctx.stride[1])  # (N, H', W', C, h, w)
        seen = seen.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(0, 2)  # (positions, h w C)
        change = blame.permute(0, 2, 3, 1).flatten(0, 2).t() @ seen  # (K, h w C), in the order of channels_last
        change = change.unflatten(1, (high, wide, -1)).permute(0, 3, 1, 2)
        return back, change.to(ctx.learns_in), None, None
