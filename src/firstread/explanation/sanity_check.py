"""Sanity check of saliency maps by randomised weights. Source: Adebayo 2018, arXiv 1810.03292."""

import copy

import numpy as np
import torch
from torch import nn

from firstread.core.case import Case
from firstread.explanation.saliency import explain
from firstread.learning.models import Classifier


def sanity_check(model: Classifier, case: Case, *, method: str = "grad-cam", draws: int = 3) -> str:
    """Would a network that has learnt nothing have drawn the same map? In a sentence.

    Compares the map with those of the same network with random weights, by rank correlation. A map that stays the same shows the
    image and not what was learnt. Source: Adebayo 2018, arXiv 1810.03292.
    """
    likeness = sanity_correlation(model, case, method=method, draws=draws)
    if np.isnan(likeness):
        return "This map is blank: nothing in the image spoke for the answer, so there is nothing to check."
    if likeness > 0.5:
        return (
            f"Do not trust this map: networks with random weights draw nearly the same (rank correlation {likeness:.2f}). "
            "It shows the image, not what was learnt."
        )
    return (
        f"This map depends on what was learnt: networks with random weights draw another one (rank correlation "
        f"{likeness:.2f}; 1 would be the same map)."
    )


def sanity_correlation(model: Classifier, case: Case, *, method: str = "grad-cam", draws: int = 3) -> float:
    """Mean rank correlation (-1 to 1) of the map with those of randomised networks; NaN if the map is blank."""
    from scipy.stats import spearmanr

    own = explain(model, case, method=method)
    if np.ptp(own.map) == 0:
        return float("nan")
    values = []
    for seed in range(draws):
        other = explain(_randomised(model, seed), case, method=method, target=own.target)
        if np.ptp(other.map) > 0:
            values.append(float(spearmanr(own.map.ravel(), other.map.ravel()).statistic))
        else:
            values.append(0.0)
    return float(np.mean(values))


def _randomised(model: Classifier, seed: int) -> Classifier:
    other = copy.deepcopy(model)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for layer in other.modules():
            if hasattr(layer, "reset_parameters") and not isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.reset_parameters()
    return other.eval()
