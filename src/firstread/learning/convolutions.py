"""Convolutions of small maps learn faster as one matrix product than as a convolution."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad
from torch.overrides import TorchFunctionMode

#: Up to so many positions (images x rows x columns of the output) and from so many weights on, the product was faster: 8.4 ms
#: became 3.4 with 64 images of 512 channels and 2 x 2 pixels. Larger maps, and float32, are faster as they are.
_POSITIONS, _WEIGHTS = 512, 100_000


class SmallMaps(TorchFunctionMode):
    """While it is entered, what a convolution of a small map would change in its weights is computed as a matrix product.

    For bfloat16 on a processor, whose library is slow there. It is the same sum in another order; the network is not changed.
    """

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if function is torch.conv2d and not kwargs and _is_small(*args):
            pixels, weight, _, stride, padding = args[:5]
            return _Convolution.apply(pixels, weight, stride, padding)
        return function(*args, **(kwargs or {}))


def _is_small(
    pixels: torch.Tensor, weight: torch.Tensor, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> bool:  # fmt: skip
    """True for what `_Convolution` can do, and does faster."""
    learns = bias is None and groups == 1 and weight.requires_grad and torch.is_grad_enabled()
    if not learns or weight.numel() < _WEIGHTS or pixels.ndim != 4:
        return False
    if not all(isinstance(value, tuple) for value in (stride, padding)) or dilation != (1, 1):
        return False
    high, wide = (
        (side + 2 * around - kernel) // step + 1
        for side, around, kernel, step in zip(pixels.shape[2:], padding, weight.shape[2:], stride, strict=True)
    )
    return pixels.shape[0] * high * wide <= _POSITIONS


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
