"""Random views of an image: what may differ between two images of the same thing.

Geometry, and above all gray values: a random curve maps them anew, so that a network cannot learn that bone is white or air is
black, and has to look at shapes. The idea is that of domain randomisation (Billot 2023, doi 10.1016/j.media.2023.102789), here on
whole images rather than tissue by tissue.
"""

import torch
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

_CURVE_POINTS = 6


def random_views(pixels: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """(N, 1, H, W), 0 to 1 -> (N, 1, size, size), 0 to 1: turned, moved, zoomed, recoloured, cropped, noisy, partly covered."""
    views = _recolour(_move(pixels, size, generator), generator)
    views = _cover(_outside_a_circle(views, generator), generator)
    if _chance(generator, 0.5):
        views = views + torch.randn(views.shape, generator=generator) * _draw(len(views), 0, 0.08, generator)
    if _chance(generator, 0.3):
        views = avg_pool2d(views, 3, 1, 1)
    return views.clamp(0, 1)


def _move(pixels: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    count = len(pixels)

    def draw(low: float, high: float) -> torch.Tensor:
        return _draw(count, low, high, generator).flatten()

    angle = torch.deg2rad(draw(-25, 25))
    zoom, aspect = torch.exp(draw(-0.5, 0.4)), torch.exp(draw(-0.2, 0.2))
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    row_x = torch.stack([mirror * cos * zoom * aspect, -sin * zoom / aspect, draw(-0.25, 0.25)], dim=1)
    row_y = torch.stack([mirror * sin * zoom * aspect, cos * zoom / aspect, draw(-0.25, 0.25)], dim=1)
    grid = affine_grid(torch.stack([row_x, row_y], dim=1), [count, 1, size, size], align_corners=False)
    beyond = "zeros" if _chance(generator, 0.5) else "border"
    return grid_sample(pixels, grid, padding_mode=beyond, align_corners=False).clamp(0, 1)


def _recolour(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Gray values through a curve of each image's own: rising (0.38 of them), falling (0.14), any (0.18), or a straight line."""
    count = len(pixels)
    free = torch.rand(count, _CURVE_POINTS, generator=generator)
    rising = free.sort(dim=1).values
    kind = torch.rand(count, 1, generator=generator)
    curve = torch.where(kind < 0.2, rising.flip(1), torch.where(kind < 0.75, rising, free))
    steepness, height = (_draw(count, low, high, generator).view(-1, 1) for low, high in ((0.6, 1.3), (-0.1, 0.1)))
    line = torch.linspace(0, 1, _CURVE_POINTS) * steepness + height
    curve = torch.where(torch.rand(count, 1, generator=generator) < 0.7, curve, line)
    place = pixels.flatten(1) * (_CURVE_POINTS - 1)
    left = place.long().clamp(0, _CURVE_POINTS - 2)
    share = place - left
    return (curve.gather(1, left) * (1 - share) + curve.gather(1, left + 1) * share).view_as(pixels)


def _outside_a_circle(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """In a third of the images one gray value fills what lies outside a reconstruction circle."""
    count, size = len(pixels), pixels.shape[-1]
    axis = torch.linspace(-1, 1, size)
    down = axis.view(1, 1, -1, 1) - _draw(count, -0.1, 0.1, generator)
    across = axis.view(1, 1, 1, -1) - _draw(count, -0.1, 0.1, generator)
    outside = (down**2 + across**2).sqrt() > _draw(count, 0.85, 1.1, generator)
    chosen = torch.rand(count, 1, 1, 1, generator=generator) < 0.3
    return torch.where(outside & chosen, _draw(count, 0, 1, generator), pixels)


def _cover(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """In a third of the images one gray rectangle covers up to 0.4 of the width and height."""
    count, size = len(pixels), pixels.shape[-1]
    place = torch.arange(size)
    inside = []
    for shape in ((1, 1, -1, 1), (1, 1, 1, -1)):
        start, extent = _draw(count, -0.1 * size, size, generator), _draw(count, 4, 0.4 * size, generator)
        inside.append((place.view(shape) >= start) & (place.view(shape) < start + extent))
    chosen = torch.rand(count, 1, 1, 1, generator=generator) < 0.3
    return torch.where(inside[0] & inside[1] & chosen, _draw(count, 0, 1, generator), pixels)


def _draw(count: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return (torch.rand(count, generator=generator) * (high - low) + low).view(-1, 1, 1, 1)


def _chance(generator: torch.Generator, probability: float) -> bool:
    return bool(torch.rand(1, generator=generator) < probability)
