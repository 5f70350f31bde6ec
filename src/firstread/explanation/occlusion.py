"""Occlusion sensitivity: how far a score falls when part of the image is covered.

Source: Zeiler 2014, doi 10.1007/978-3-319-10590-1_53.
"""

from collections.abc import Iterator

import numpy as np
import torch

from firstread.learning.models import Classifier

#: side of the covering patch, as a share of the image's
PATCH_SHARE = 1 / 6
#: distance between neighbouring patches, as a share of the image's side: 13 x 13 patches
STRIDE_SHARE = 1 / 12


def compute_occlusion(model: Classifier, pixels: torch.Tensor, index: int) -> np.ndarray:
    """Occlusion sensitivity of class `index`: (1, C, S, S) pixels -> (S, S) fall of the class's log-odds.

    A patch slides over the image and its edges, and takes on the mean brightness of what surrounds it. A pixel's value
    is the mean fall over the patches that cover it; where covering raises the score, it is 0. The steps between patches
    are smoothed, so that the map has one peak.
    """
    size = model.size
    whole = log_odds(model, pixels, index)[0]
    fall, count = torch.zeros(size, size, dtype=torch.float64), torch.zeros(size, size, dtype=torch.float64)
    for regions in _patches(size, batch=model.inputs.inference_batch_size):  # (N, S, S)
        falls = whole - log_odds(model, cover(pixels, regions.to(pixels.device)), index)
        fall += (falls[:, None, None] * regions).sum(dim=0)
        count += regions.sum(dim=0)
    return _smooth((fall / count.clamp_min(1)).clamp_min(0), sigma=size * STRIDE_SHARE / 2).numpy()


def patch_side(size: int) -> int:
    """Side of the covering patch in pixels, for a square image of `size` pixels."""
    return round(size * PATCH_SHARE)


@torch.inference_mode()
def log_odds(model: Classifier, pixels: torch.Tensor, index: int) -> torch.Tensor:
    """Log-odds of class `index` against all others: (N, C, S, S) -> (N,) float64 on the CPU.

    Unlike a probability it does not stand still near 0 and 1, so a sure network can be explained too.
    """
    logits = model(pixels).cpu().double()
    if logits.shape[1] == 1:
        return logits[:, 0] if index == 1 else -logits[:, 0]
    others = [k for k in range(logits.shape[1]) if k != index]
    return logits[:, index] - logits[:, others].logsumexp(dim=1)


def cover(pixels: torch.Tensor, region: torch.Tensor) -> torch.Tensor:
    """Replace a region by the brightness that surrounds it.

    Args:
        pixels: (1, C, S, S).
        region: (N, S, S) bool, one for each result.

    Returns:
        (N, C, S, S); each pixel of the region is a weighted mean of the pixels outside it, the near ones most.
    """
    size = pixels.shape[-1]
    kernel = _gaussian(size / 12, size).to(pixels)
    outside = (~region).to(pixels)[:, None]
    weights = _blur(outside, kernel).clamp_min(1e-6)
    fill = torch.cat([_blur(outside * channel, kernel) for channel in pixels.split(1, dim=1)], dim=1) / weights
    return torch.where(region[:, None], fill, pixels)


def _patches(size: int, *, batch: int) -> Iterator[torch.Tensor]:
    """Square regions (N, S, S) bool on a regular grid, whose outermost ones lie half outside the image."""
    side, stride = patch_side(size), round(size * STRIDE_SHARE)
    starts = torch.arange(-(side // 2), size - side // 2 + stride // 2, stride)
    along = torch.arange(size)
    covered = (along >= starts[:, None]) & (along < starts[:, None] + side)  # (positions, S)
    corners = torch.cartesian_prod(torch.arange(len(starts)), torch.arange(len(starts)))
    for part in corners.split(batch):
        yield covered[part[:, 0], :, None] & covered[part[:, 1], None, :]


def _smooth(values: torch.Tensor, *, sigma: float) -> torch.Tensor:
    """Gaussian blur of a map (S, S) that knows nothing of what lies beyond its edges."""
    kernel = _gaussian(sigma, len(values)).to(values)
    weights = _blur(torch.ones_like(values)[None, None], kernel)
    return (_blur(values[None, None], kernel) / weights)[0, 0]


def _gaussian(sigma: float, size: int) -> torch.Tensor:
    """One-dimensional kernel of odd length, at most as wide as the image."""
    radius = min(round(3 * sigma), (size - 1) // 2)
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    return kernel / kernel.sum()


def _blur(images: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Separable convolution with zeros beyond the edges: (N, 1, S, S) -> the same shape."""
    radius = len(kernel) // 2
    images = torch.nn.functional.conv2d(images, kernel.view(1, 1, -1, 1), padding=(radius, 0))
    return torch.nn.functional.conv2d(images, kernel.view(1, 1, 1, -1), padding=(0, radius))
