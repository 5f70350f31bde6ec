"""Sanity check of saliency maps by cascading parameter randomization. Source: Adebayo 2018, arXiv 1810.03292."""

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from firstread.core.case import Case
from firstread.core.errors import SettingError
from firstread.explanation.occlusion import cover, log_odds
from firstread.explanation.parameter_randomization import cascade, find_stages
from firstread.explanation.saliency import Explanation, compute_map, explain
from firstread.learning.models import Classifier

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: rank correlation with the maps of random networks above which two maps count as the same
SAME_MAP = 0.5
#: share of the image that is covered where the map is hottest
COVERED_SHARE = 1 / 3
#: covering must lower the score so many times as far as it moves the score of any untrained network
FALL_RATIO = 3.0
#: fewer random networks whose map is not blank do not carry an answer
FEWEST_NETWORKS = 3
#: networks that are drawn for each one that is wanted, because many draw a blank map
MOST_DRAWS = 4
_COLUMNS = 3

Verdict = Literal["learnt", "same", "blank", "unclear"]


@dataclass(frozen=True)
class SanityCheck:
    """A map beside those of the same network with random weights; `str` is the result as a sentence.

    Attributes:
        explanation: the map that was checked.
        stages: what was randomized, from the top down; each stays random in those after it.
        correlations: (networks, stages) rank correlation with the map, -1 to 1, NaN where the random one is blank.
        maps: (stages, S, S) of the first of these networks.
        drawn: random networks drawn, each with all its weights random.
        blank: those of them whose map is blank; they show nothing and are left out.
        untrained_correlation: mean rank correlation of the untrained networks' maps with one another.
        fall: fall of the class's log-odds when the hottest third of the map is covered.
        untrained_falls: (networks,) the same for each untrained network, its own map and its own answer.
    """

    explanation: Explanation
    stages: tuple[str, ...]
    correlations: np.ndarray
    maps: np.ndarray
    drawn: int
    blank: int
    untrained_correlation: float
    fall: float
    untrained_falls: np.ndarray

    @property
    def correlation(self) -> float:
        """Mean rank correlation with the maps of networks whose weights are all random."""
        return float(self.correlations[:, -1].mean()) if len(self.correlations) else float("nan")

    @property
    def verdict(self) -> Verdict:
        """The result: "learnt" (it depends on what was learnt), "same" (it does not), "blank" (no map) or "unclear"."""
        if self.explanation.is_blank:
            return "blank"
        if len(self.correlations) < FEWEST_NETWORKS:
            return "unclear"
        if self.correlation > SAME_MAP:
            return "same"
        return "learnt" if self.fall > FALL_RATIO * np.abs(self.untrained_falls).max() else "unclear"

    def __str__(self) -> str:
        if self.verdict == "blank":
            return "This map is blank: nothing in the image spoke for the answer, so there is nothing to check."
        if len(self.correlations) < FEWEST_NETWORKS:
            return (
                f"Whether this map depends on what was learnt cannot be told: {self.blank} of {self.drawn} networks "
                "with random weights drew a blank map."
            )
        correlation = f"rank correlation {self.correlation:.2f}; 1 would be the same map"
        if self.verdict == "same":
            return (
                f"Do not trust this map: networks with random weights draw nearly the same ({correlation}). "
                "It shows the image, not what was learnt."
            )
        falls = (
            f"covering the hottest third of the map lowers the score by {self.fall:.2f} (log-odds), where it moves "
            f"that of untrained networks by {np.abs(self.untrained_falls).max():.2f} at most"
        )
        if self.verdict == "learnt":
            return (
                f"This map depends on what was learnt: networks with random weights draw another one ({correlation}), "
                f"and {falls}."
            )
        return (
            f"Whether this map depends on what was learnt cannot be told: networks with random weights draw another "
            f"one ({correlation}), but untrained networks do so too, and {falls}."
        )

    @property
    def table(self) -> "pd.DataFrame":
        """One row a stage: rank correlation with the map (mean, lowest, highest) and number of blank maps."""
        import pandas as pd

        rows = []
        for name, column in zip(self.stages, self.correlations.T, strict=True):
            shown = column[~np.isnan(column)]
            mean, low, high = (shown.mean(), shown.min(), shown.max()) if len(shown) else (np.nan,) * 3
            rows.append((name, mean, low, high, len(column) - len(shown)))
        return pd.DataFrame(rows, columns=["random from the top to", "mean", "lowest", "highest", "blank"])

    def figure(self) -> "Figure":
        """The map, and after it the maps of one network as it is randomized from the head down; three in a row."""
        from firstread.core.figures import new_figure

        panels = [("the network's map", self.explanation.map)]
        for stage, drawn, correlation in zip(self.stages, self.maps, self.correlations[:1].T.ravel(), strict=False):
            said = "blank" if np.isnan(correlation) else f"correlation {correlation:.2f}"
            panels.append((f"random: {stage}\n{said}" if stage == "head" else f"and {stage}\n{said}", drawn))
        rows = -(-len(panels) // _COLUMNS)
        figure, axes = new_figure(rows, _COLUMNS, panel_width_inches=2.9, panel_height_inches=3.2)
        for axis in axes.flat[len(panels) :]:
            axis.remove()
        for axis, (title, drawn) in zip(axes.flat, panels, strict=False):
            axis.imshow(self.explanation.image, cmap="gray", vmin=0, vmax=255)
            axis.imshow(drawn, cmap="inferno", alpha=0.25 + 0.45 * drawn, vmin=0, vmax=1)
            axis.set_title(title, fontsize=10)
            axis.axis("off")
        return figure


def sanity_check(model: Classifier, case: Case, *, method: str = "grad-cam", networks: int = 5) -> SanityCheck:
    """Check whether a saliency map depends on what the network learnt, against networks with random weights.

    A copy of the network is randomized from its head down (weights, BatchNorm and its statistics), and each stage's map
    is compared with the network's own by rank correlation. A map that stays the same shows the image and not what was
    learnt. That it changes is not enough: an untrained network's map changes too. So the hottest third of the map is
    covered as well, and only if this lowers the score much further than in any untrained network, the map is said to
    depend on what was learnt.

    Args:
        model: a trained network, left as it is.
        case: the image.
        method: "grad-cam", or "occlusion", which takes minutes here.
        networks: random networks whose map is not blank, at least 3; up to four times as many are drawn to find them.

    Raises:
        SettingError: fewer than 3 networks; an unknown method.

    Example:
        >>> cohort = fr.split_by_patient(fr.simulate_patients(10, size=64))
        >>> model = fr.build_model(classes=cohort.classes, size=96)  # its head has learnt nothing yet
        >>> check = sanity_check(model, cohort.test[0], networks=3)
        >>> check.verdict == "learnt", list(check.stages)[:1]
        (False, ['head'])
    """
    if networks < FEWEST_NETWORKS:
        raise SettingError(f"networks={networks} is not possible", expected=f"{FEWEST_NETWORKS} or more")
    explanation = explain(model, case, method=method)
    pixels, index = model.prepare(explanation.image[None]), model.classes.index(explanation.target)
    maps: list[np.ndarray] = []
    falls: list[float] = []
    drawn = 0
    while not explanation.is_blank and len(maps) < networks and drawn < MOST_DRAWS * networks:
        cascade_maps, untrained = _randomize_in_stages(model, pixels, index, method=method, seed=drawn)
        drawn += 1
        if cascade_maps[-1].max() > 0:
            maps.append(cascade_maps)
            falls.append(_fall_of_own_answer(untrained, pixels, method=method))
    last_maps = [one[-1] for one in maps]
    shape = (len(find_stages(model)), *explanation.map.shape)
    return SanityCheck(
        explanation,
        stages=tuple(name for name, _ in find_stages(model)),
        correlations=np.array([[_correlate(explanation.map, one) for one in row] for row in maps]).reshape(
            -1, shape[0]
        ),
        maps=maps[0] if maps else np.zeros(shape),
        drawn=drawn,
        blank=drawn - len(maps),
        untrained_correlation=float(np.mean([_correlate(*pair) for pair in combinations(last_maps, 2)] or [np.nan])),
        fall=_fall_when_covered(model, pixels, index, explanation.map),
        untrained_falls=np.array(falls),
    )


def _randomize_in_stages(
    model: Classifier, pixels: torch.Tensor, index: int, *, method: str, seed: int
) -> tuple[np.ndarray, Classifier]:
    """Maps after each stage of a cascade, (stages, S, S), and the network of which nothing is left."""
    maps, randomized = [], model
    for _, randomized in cascade(model, pixels, seed=seed):
        maps.append(compute_map(randomized, pixels, index, method=method))
    return np.stack(maps), randomized


def _correlate(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rank correlation of two maps; NaN if one is blank."""
    from scipy.stats import spearmanr

    if not (np.ptp(one) > 0 and np.ptp(other) > 0):
        return float("nan")
    return float(spearmanr(one.ravel(), other.ravel()).statistic)


def _fall_when_covered(model: Classifier, pixels: torch.Tensor, index: int, saliency: np.ndarray) -> float:
    """Fall of the log-odds of class `index` when the hottest third of its map is covered; 0 for a blank map."""
    if not saliency.max() > 0:
        return 0.0
    hottest = saliency >= np.quantile(saliency, 1 - COVERED_SHARE)
    region = torch.as_tensor(hottest & (saliency > 0))[None].to(pixels.device)
    return float(log_odds(model, pixels, index)[0] - log_odds(model, cover(pixels, region), index)[0])


def _fall_of_own_answer(model: Classifier, pixels: torch.Tensor, *, method: str) -> float:
    """What a network gets for the class that it says itself, as an untrained network would in the same check."""
    with torch.inference_mode():
        index = int(model.probabilities(model(pixels))[0].argmax())
    return _fall_when_covered(model, pixels, index, compute_map(model, pixels, index, method=method))
