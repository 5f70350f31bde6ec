"""Random augmentation for pretraining: geometry and gray values, so that only shapes identify an image.

A random curve maps the gray values, so that a network cannot learn that bone is white or air is black. The idea is that
of domain randomisation (Billot 2023, doi 10.1016/j.media.2023.102789), here on whole images rather than per tissue.
"""

import torch
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

_CURVE_POINTS = 6


def random_views(pixels: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """Augment (N, 1, H, W), 0 to 1, to (N, 1, size, size), 0 to 1.

    Affine transform, random intensity curve, circular crop, erased rectangle, noise, blur.
    """
    views = _random_curve(_random_affine(pixels, size, generator), generator)
    views = _random_erasing(_random_circle(views, generator), generator)
    if _chance(generator, 0.5):
        views = views + torch.randn(views.shape, generator=generator) * _uniform(len(views), 0, 0.08, generator)
    if _chance(generator, 0.3):
        views = avg_pool2d(views, 3, 1, 1)
    return views.clamp(0, 1)


def _random_affine(pixels: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    count = len(pixels)

    def uniform(low: float, high: float) -> torch.Tensor:
        return _uniform(count, low, high, generator).flatten()

    angle = torch.deg2rad(uniform(-25, 25))
    zoom, aspect = torch.exp(uniform(-0.5, 0.4)), torch.exp(uniform(-0.2, 0.2))
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    row_x = torch.stack([mirror * cos * zoom * aspect, -sin * zoom / aspect, uniform(-0.25, 0.25)], dim=1)
    row_y = torch.stack([mirror * sin * zoom * aspect, cos * zoom / aspect, uniform(-0.25, 0.25)], dim=1)
    grid = affine_grid(torch.stack([row_x, row_y], dim=1), [count, 1, size, size], align_corners=False)
    padding_mode = "zeros" if _chance(generator, 0.5) else "border"
    return grid_sample(pixels, grid, padding_mode=padding_mode, align_corners=False).clamp(0, 1)


def _random_curve(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Map gray values by a random curve per image: rising (probability 0.38), falling (0.14), any (0.18) or linear."""
    count = len(pixels)
    points = torch.rand(count, _CURVE_POINTS, generator=generator)
    rising = points.sort(dim=1).values
    kind = torch.rand(count, 1, generator=generator)
    curve = torch.where(kind < 0.2, rising.flip(1), torch.where(kind < 0.75, rising, points))
    steepness, height = (_uniform(count, low, high, generator).view(-1, 1) for low, high in ((0.6, 1.3), (-0.1, 0.1)))
    line = torch.linspace(0, 1, _CURVE_POINTS) * steepness + height
    curve = torch.where(torch.rand(count, 1, generator=generator) < 0.7, curve, line)
    position = pixels.flatten(1) * (_CURVE_POINTS - 1)
    left = position.long().clamp(0, _CURVE_POINTS - 2)
    fraction = position - left
    return (curve.gather(1, left) * (1 - fraction) + curve.gather(1, left + 1) * fraction).view_as(pixels)


def _random_circle(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Fill the outside of a reconstruction circle with one gray value, with probability 0.3 per image."""
    count, size = len(pixels), pixels.shape[-1]
    axis = torch.linspace(-1, 1, size)
    rows = axis.view(1, 1, -1, 1) - _uniform(count, -0.1, 0.1, generator)
    columns = axis.view(1, 1, 1, -1) - _uniform(count, -0.1, 0.1, generator)
    outside = (rows**2 + columns**2).sqrt() > _uniform(count, 0.85, 1.1, generator)
    selected = torch.rand(count, 1, 1, 1, generator=generator) < 0.3
    return torch.where(outside & selected, _uniform(count, 0, 1, generator), pixels)


def _random_erasing(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Erase a rectangle of up to 0.4 of width and height with one gray value, with probability 0.3 per image."""
    count, size = len(pixels), pixels.shape[-1]
    positions = torch.arange(size)
    inside = []
    for shape in ((1, 1, -1, 1), (1, 1, 1, -1)):
        start, extent = _uniform(count, -0.1 * size, size, generator), _uniform(count, 4, 0.4 * size, generator)
        inside.append((positions.view(shape) >= start) & (positions.view(shape) < start + extent))
    selected = torch.rand(count, 1, 1, 1, generator=generator) < 0.3
    return torch.where(inside[0] & inside[1] & selected, _uniform(count, 0, 1, generator), pixels)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return (torch.rand(count, generator=generator) * (high - low) + low).view(-1, 1, 1, 1)


def _chance(generator: torch.Generator, probability: float) -> bool:
    return bool(torch.rand(1, generator=generator) < probability)
