"""Sanity check of saliency maps by model parameter randomization. Source: Adebayo 2018, arXiv 1810.03292."""

import copy

import numpy as np
from torch import nn

from firstread.core.case import Case
from firstread.explanation.saliency import explain
from firstread.learning.models import Classifier
from firstread.learning.random_state import seeded


def sanity_check(model: Classifier, case: Case, *, method: str = "grad-cam", randomizations: int = 3) -> str:
    """Check a saliency map against those of randomized networks, and report the result as a sentence.

    Compares the map with those of the same network with random weights, by rank correlation. A map that stays the same
    shows the image and not what was learnt. Source: Adebayo 2018, arXiv 1810.03292.

    Args:
        randomizations: number of networks with random weights.
    """
    correlation = sanity_correlation(model, case, method=method, randomizations=randomizations)
    if np.isnan(correlation):
        return "This map is blank: nothing in the image spoke for the answer, so there is nothing to check."
    if correlation > 0.5:
        return (
            "Do not trust this map: networks with random weights draw nearly the same "
            f"(rank correlation {correlation:.2f}). It shows the image, not what was learnt."
        )
    return (
        f"This map depends on what was learnt: networks with random weights draw another one (rank correlation "
        f"{correlation:.2f}; 1 would be the same map)."
    )


def sanity_correlation(model: Classifier, case: Case, *, method: str = "grad-cam", randomizations: int = 3) -> float:
    """Mean rank correlation (-1 to 1) of the map with those of randomized networks; NaN if the map is blank."""
    from scipy.stats import spearmanr

    original = explain(model, case, method=method)
    if np.ptp(original.map) == 0:
        return float("nan")
    correlations = []
    for seed in range(randomizations):
        randomized = explain(_randomize_weights(model, seed), case, method=method, target=original.target)
        if np.ptp(randomized.map) > 0:
            correlations.append(float(spearmanr(original.map.ravel(), randomized.map.ravel()).statistic))
        else:
            correlations.append(0.0)
    return float(np.mean(correlations))


def _randomize_weights(model: Classifier, seed: int) -> Classifier:
    randomized = copy.deepcopy(model)
    with seeded(seed):
        for layer in randomized.modules():
            reset_parameters = getattr(layer, "reset_parameters", None)
            if callable(reset_parameters) and not isinstance(layer, nn.modules.batchnorm._BatchNorm):
                reset_parameters()
    return randomized.eval()
