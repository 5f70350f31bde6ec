"""Feature cache of a frozen backbone: each image is forwarded once, with BatchNorm folded into the convolutions."""

import copy
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from firstread.learning.devices import Placement
from firstread.learning.examples import ArrayExamples, Examples
from firstread.learning.loop import sequential_batches


class FeatureCache:
    """Extracts and caches the features (N, F) of a frozen backbone, so that an epoch trains the head only.

    The features are those of the backbone inside the network, except for rounding. It saves the autograd graph, each
    BatchNorm (folded into the convolution before it), the conversion of weights to bfloat16 at each step, and, without
    augmentation, every pass but the first.

    Args:
        model: its backbone must not change while the cache is in use.
        placement: device and precision.
    """

    def __init__(self, model: Any, placement: Placement) -> None:
        self.model, self.placement = model, placement
        self.backbone = _make_inference_copy(model.backbone, bfloat16=placement.precision == "bfloat16")
        self._cache: list[tuple[Examples, ArrayExamples]] = []

    def extract(self, examples: Examples, *, batch_size: int) -> ArrayExamples:
        """Features (N, F) of pictures, with their targets; cached for each set of examples."""
        for cached_examples, features in self._cache:
            if cached_examples is examples:
                return features
        found, targets = [], []
        for pixels, batch_targets in sequential_batches(examples, prepare=self.model.prepare, batch_size=batch_size):
            found.append(self._extract(pixels))
            targets.append(batch_targets.cpu().numpy())
        features = ArrayExamples(torch.cat(found), np.concatenate(targets))
        self._cache.append((examples, features))
        return features

    def extract_batches(self, batches: Iterable, *, batch_size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches of pixels and targets -> batches of features and targets.

        Small batches are forwarded together, up to `batch_size` images at once, and yielded one by one.
        """
        group: list[tuple[torch.Tensor, torch.Tensor]] = []
        for batch in batches:
            if group and sum(len(targets) for _, targets in group) + len(batch[1]) > batch_size:
                yield from self._extract_and_split(group)
                group = []
            group.append(batch)
        if group:
            yield from self._extract_and_split(group)

    def _extract_and_split(
        self, group: list[tuple[torch.Tensor, torch.Tensor]]
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        features = self._extract(torch.cat([pixels for pixels, _ in group]))
        targets = [batch_targets for _, batch_targets in group]
        yield from zip(features.split([len(batch_targets) for batch_targets in targets]), targets, strict=True)

    @torch.no_grad()
    def _extract(self, pixels: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(), self.placement.autocast():
            features = self.backbone(self.model.normalize(pixels))
        return features.float().clone()  # cloned outside inference mode, so that autograd accepts it in the head


def _make_inference_copy(backbone: nn.Module, *, bfloat16: bool) -> nn.Module:
    """Copy a backbone for inference: BatchNorm folded into convolutions, bfloat16 weights where it computes in it."""
    copied = copy.deepcopy(backbone).eval().requires_grad_(False)
    for convolution_name, norm_name in _find_foldable_batchnorms(copied):
        convolution, norm = copied.get_submodule(convolution_name), copied.get_submodule(norm_name)
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            copied.set_submodule(convolution_name, fuse_conv_bn_eval(convolution, norm))
            copied.set_submodule(norm_name, getattr(norm, "act", nn.Identity()))  # timm's BatchNorm has its activation
    if bfloat16:
        for module in copied.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.to(torch.bfloat16)
    return copied


def _find_foldable_batchnorms(network: nn.Module) -> list[tuple[str, str]]:
    """Names of (convolution, BatchNorm) pairs where the BatchNorm alone uses the convolution's output.

    Empty for a network that torch.fx cannot trace.
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return []
    try:
        nodes = [node for node in _LayerTracer().trace(network).nodes if node.op == "call_module"]
    except Exception:  # torch.fx raises whatever the network's own code raises when it is not given numbers
        return []
    modules, call_counts = dict(network.named_modules()), Counter(node.target for node in nodes)
    pairs = []
    for node in nodes:
        norm, source = modules[node.target], node.args[0] if node.args else None
        if not isinstance(norm, nn.BatchNorm2d) or norm.running_var is None or not isinstance(source, fx.Node):
            continue
        if source.op != "call_module" or len(source.users) != 1 or not isinstance(modules[source.target], nn.Conv2d):
            continue
        if call_counts[node.target] == call_counts[source.target] == 1:
            pairs.append((str(source.target), str(node.target)))
    return pairs


class _LayerTracer(fx.Tracer):
    """Traces a network down to its layers, and takes timm's BatchNorm, which has submodules, as one layer."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, nn.BatchNorm2d) or super().is_leaf_module(module, name)
