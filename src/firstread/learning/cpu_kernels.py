"""CPU kernel workaround: weight gradients of convolutions on small feature maps by one matrix product."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

#: Largest number of positions (images x rows x columns of the output) and smallest number of weights for which the
#: matrix product was faster: 3.4 ms instead of 8.4 with 64 images of 512 channels and 2 x 2 pixels. With larger maps,
#: and in float32, it is not.
_MAX_POSITIONS, _MIN_WEIGHTS = 512, 500_000


@contextmanager
def matmul_weight_gradients(network: nn.Module) -> Iterator[None]:
    """Within the block, compute weight gradients of convolutions on small feature maps as matrix products.

    For bfloat16 on a CPU, where oneDNN is slow at it. It is the same sum in another order. At the end the network is as
    it was.
    """
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d) and _is_eligible(module)]
    for module in convolutions:
        vars(module)["forward"] = partial(_forward, module)
    try:
        yield
    finally:
        for module in convolutions:
            del vars(module)["forward"]


def _is_eligible(module: nn.Conv2d) -> bool:
    if type(module) is not nn.Conv2d or module.weight.numel() < _MIN_WEIGHTS:
        return False
    zero_padded = module.padding_mode == "zeros" and not isinstance(module.padding, str)
    return zero_padded and module.bias is None and module.groups == 1 and module.dilation == (1, 1)


def _forward(module: nn.Conv2d, pixels: torch.Tensor) -> torch.Tensor:
    learns = torch.is_grad_enabled() and module.weight.requires_grad
    if learns and pixels.ndim == 4 and not isinstance(module.padding, str):
        height, width = (
            (side + 2 * padding - kernel) // stride + 1
            for side, padding, kernel, stride in zip(
                pixels.shape[2:], module.padding, module.kernel_size, module.stride, strict=True
            )
        )
        if len(pixels) * height * width <= _MAX_POSITIONS:
            return _Convolution.apply(pixels, module.weight, module.stride, module.padding)
    return nn.Conv2d.forward(module, pixels)


class _Convolution(torch.autograd.Function):
    """Bfloat16 convolution with weight gradient by matrix product: (N, C, H, W) * (K, C, h, w) -> (N, K, H', W')."""

    @staticmethod
    def forward(ctx: Any, pixels: torch.Tensor, weight: torch.Tensor, stride: tuple, padding: tuple) -> torch.Tensor:
        operands = pixels.to(torch.bfloat16), weight.to(torch.bfloat16)
        ctx.save_for_backward(*operands)
        ctx.stride, ctx.padding, ctx.weight_dtype = stride, padding, weight.dtype
        return torch.conv2d(*operands, None, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: torch.Tensor) -> tuple:
        pixels, weight = ctx.saved_tensors
        height, width = weight.shape[2:]
        grad_pixels = None
        if ctx.needs_input_grad[0]:
            output_mask = [True, False, False]
            grad_pixels = torch.ops.aten.convolution_backward(
                grad_output, pixels, weight, None, ctx.stride, ctx.padding, (1, 1), False, (0, 0), 1, output_mask
            )[0]
        rows, columns = ctx.padding
        patches = pad(pixels, (columns, columns, rows, rows)).permute(0, 2, 3, 1)
        patches = patches.unfold(1, height, ctx.stride[0]).unfold(2, width, ctx.stride[1])  # (N, H', W', C, h, w)
        patches = patches.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(0, 2)  # (positions, h w C)
        grad_weight = grad_output.permute(0, 2, 3, 1).flatten(0, 2).t() @ patches  # (K, h w C), as channels_last
        grad_weight = grad_weight.unflatten(1, (height, width, -1)).permute(0, 3, 1, 2)
        return grad_pixels, grad_weight.to(ctx.weight_dtype), None, None
