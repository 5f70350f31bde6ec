"""Cascading randomization of a network's parameters, from its head down. Source: Adebayo 2018, arXiv 1810.03292.

BatchNorm is randomized with the layers around it: trained statistics on random features drive activations out of range,
and many random networks then draw a blank map that shows nothing.
"""

import copy
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from firstread.learning.models import Classifier
from firstread.learning.random_state import seeded

#: parts into which a backbone is divided
BACKBONE_STAGES = 4


def cascade(model: Classifier, pixels: torch.Tensor, *, seed: int) -> Iterator[tuple[str, Classifier]]:
    """Randomize a copy of a network stage by stage, from the top down; each stage stays random in those after it.

    Args:
        model: left as it is.
        pixels: (1, C, S, S), the image to whose activations random BatchNorm layers are fitted.
        seed: of the random parameters.

    Yields:
        (name of the stage, the copy in evaluation mode): the same copy each time, and after the last stage no
        parameter is left that was learnt.
    """
    randomized = copy.deepcopy(model).eval()
    variants = _variants(pixels)
    norms: list[_BatchNorm] = []
    for number, (name, layers) in enumerate(find_stages(randomized)):
        with seeded(1000 * seed + number):
            for layer in layers:
                _randomize(layer)
        norms += [layer for layer in layers if isinstance(layer, _BatchNorm)]
        _fit_batch_norm(randomized, norms, variants)
        yield name, randomized


def find_stages(model: Classifier) -> list[tuple[str, list[nn.Module]]]:
    """Name and layers of each stage, from the top down: the head, then the backbone in up to four parts."""
    blocks = _blocks(model.backbone)
    names = list(blocks)
    count = min(BACKBONE_STAGES, len(names))
    bounds = [round(i * len(names) / count) for i in range(count + 1)]
    stages = [("head", [layer for layer in model.head.modules() if _own_parameters(layer)])]
    for start, stop in reversed(list(pairwise(bounds))):
        part = names[start:stop]
        label = part[0] if len(part) == 1 else f"{part[0]} to {part[-1]}"
        stages.append((label, [layer for name in part for layer in blocks[name]]))
    return stages


def _blocks(backbone: nn.Module) -> dict[str, list[nn.Module]]:
    """Layers with parameters by the name of the block that holds them, in the order of the backbone."""
    layers = [(name.split("."), layer) for name, layer in backbone.named_modules() if _own_parameters(layer)]
    depth = 1 if len({path[0] for path, _ in layers}) >= BACKBONE_STAGES else 2
    blocks: dict[str, list[nn.Module]] = {}
    for path, layer in layers:
        blocks.setdefault(".".join(path[:depth]) or "inputs", []).append(layer)
    return blocks


def _own_parameters(layer: nn.Module) -> list[nn.Parameter]:
    return list(layer.parameters(recurse=False))


def _randomize(layer: nn.Module) -> None:
    """Draw the layer's parameters anew; where it has no rule for that, shuffle each parameter's values."""
    reset_parameters = getattr(layer, "reset_parameters", None)
    if callable(reset_parameters):
        reset_parameters()
        return
    with torch.no_grad():
        for parameter in _own_parameters(layer):
            order = torch.randperm(parameter.numel()).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))


def _variants(pixels: torch.Tensor) -> torch.Tensor:
    """The image in its four orientations, each also moved by a quarter of its side: (1, C, S, S) -> (8, C, S, S)."""
    flips = torch.cat([pixels, pixels.flip(3), pixels.flip(2), pixels.flip(2, 3)])
    quarter = pixels.shape[-1] // 4
    return torch.cat([flips, flips.roll((quarter, -quarter), dims=(2, 3))])


@torch.no_grad()
def _fit_batch_norm(model: Classifier, layers: list[_BatchNorm], pixels: torch.Tensor) -> None:
    """Set the running statistics of these layers to those of one batch; all other layers stay in evaluation mode."""
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 1.0
        layer.training = True
    model(pixels)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.training = False
