"""Influence of each patient on a metric: the one form from which variances of metrics and of differences follow.

The influence of an independent unit is how far it moves a metric, to first order. For a mean these are its residuals,
for the AUC DeLong's placement values summed by patient (Obuchowski 1997, doi 10.2307/2533958), for anything else the
jackknife (Efron and Stein 1981). Influences of two networks on the same patients are subtracted, which makes the
variance of a paired difference.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firstread.evaluation.metrics import auc_placements

#: units are put together into at most so many blocks, each of which the jackknife leaves out in turn
MAX_BLOCKS = 200


@dataclass(frozen=True, eq=False)
class Influence:
    """A metric, and what each independent unit adds to it.

    Attributes:
        value: the metric; the mean over seeds.
        units: (K,) influence of each unit, scaled so that its squares add up to the variance between units.
        seed_variance: variance of the value from which seeds were drawn; 0 with one seed, of which nothing is known.
        seed_freedom: degrees of freedom of `seed_variance`.
    """

    value: float
    units: np.ndarray
    seed_variance: float = 0.0
    seed_freedom: float = np.inf

    @classmethod
    def over_seeds(cls, values: np.ndarray, units: np.ndarray) -> "Influence":
        """Mean over seeds.

        What seeds differ by on the same patients is in part chance of those patients (the interaction of a two-way
        analysis of variance), which the variance between units has already. So the spread of seeds counts only where
        it is larger than that, and then in full: of three seeds too little is known to take a part off. In simulations
        equal recipes are then called different in at most 4 % (docs/explanation/intervals.md), else in 6 %.

        Args:
            values: (S,) the metric under each seed.
            units: (S, K) influence of each unit under each seed, scaled as `units` is.
        """
        seeds = len(values)
        if seeds == 1:
            return cls(float(values[0]), units[0])
        interaction = float(((units - units.mean(axis=0)) ** 2).sum()) / (seeds - 1)
        spread = float(np.var(values, ddof=1))
        between = spread / seeds if spread > interaction else 0.0
        return cls(float(np.mean(values)), units.mean(axis=0), between, float(seeds - 1))

    @property
    def variance(self) -> float:
        """Variance of the value: between units, and between seeds where there are several."""
        return float((self.units**2).sum()) + self.seed_variance

    @property
    def error(self) -> float:
        """Standard error."""
        return float(np.sqrt(self.variance))

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the variance, from how much its parts vary themselves; at least 1.

        Few units that make up most of the variance (a single error among forty cases) leave few.
        Source: Satterthwaite 1946; Pan and Wall 2002, doi 10.1002/sim.1142.
        """
        squares = self.units**2
        between_units, count = float(squares.sum()), len(squares)
        if self.variance <= 0:
            return 1.0
        spread = max(float((squares**2).sum()) - between_units**2 / count, 2 * between_units**2 / max(1, count - 1))
        total = spread / 2 + self.seed_variance**2 / self.seed_freedom
        return max(1.0, self.variance**2 / total) if total > 0 else 1.0

    def minus(self, other: "Influence") -> "Influence":
        """The paired difference: the same units, seeds of the two drawn apart."""
        seeds, freedom = self.seed_variance + other.seed_variance, min(self.seed_freedom, other.seed_freedom)
        return Influence(self.value - other.value, self.units - other.units, seeds, freedom)


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of predictions as integer codes: which unit and which seed each is of.

    Attributes:
        units: (N,) from 0 to K - 1.
        seeds: (N,) from 0 to S - 1.
    """

    units: np.ndarray
    seeds: np.ndarray

    @classmethod
    def of(cls, groups: np.ndarray, seeds: np.ndarray | None = None) -> "Sample":
        """From the names of units and of seeds."""
        units = np.unique(groups, return_inverse=True)[1]
        return cls(units, np.zeros(len(units), int) if seeds is None else np.unique(seeds, return_inverse=True)[1])

    @property
    def unit_count(self) -> int:
        """Number of independent units."""
        return int(self.units.max()) + 1 if len(self.units) else 0

    def select(self, rows: np.ndarray) -> "Sample":
        """Some of the rows, by position or as a mask; units are numbered anew."""
        return Sample.of(self.units[rows], self.seeds[rows])

    def by_seed(self) -> list[np.ndarray]:
        """Positions of the rows of each seed."""
        return [np.flatnonzero(self.seeds == seed) for seed in range(int(self.seeds.max()) + 1)]


def mean_influence(values: np.ndarray, sample: Sample, *, among: np.ndarray | None = None) -> Influence:
    """Mean of `values` over the rows `among` (a proportion, a Brier score), as a ratio estimator of whole units.

    Args:
        values: (N,) a number for each row.
        sample: units and seeds of the rows.
        among: (N,) bool, rows that the mean is over; default all. Units without such a row do not count.

    Source: Cochran 1977, section 2.11.
    """
    among = np.ones(len(values), bool) if among is None else among
    means, rows = [], []
    for index in sample.by_seed():
        chosen = index[among[index]]
        mean = float(values[chosen].mean()) if len(chosen) else np.nan
        units = sample.units[chosen]
        count = len(np.unique(units))
        residuals = np.bincount(units, weights=values[chosen] - mean, minlength=sample.unit_count)
        means.append(mean)
        rows.append(residuals / max(1, len(chosen)) * np.sqrt(count / max(1, count - 1)))
    return Influence.over_seeds(np.array(means), np.array(rows))


def auc_influence(truth: np.ndarray, scores: np.ndarray, sample: Sample) -> Influence:
    """Area under the ROC curve: DeLong's variance where every row is a unit, Obuchowski's for several rows a unit.

    Args:
        truth: (N,) 0 or 1; where a seed has no case of one, the AUC is NaN.
        scores: (N,) higher means more likely 1.
        sample: units and seeds of the rows.

    Returns:
        The influence of each unit; squares add up to DeLong's variance.

    Source: DeLong 1988, doi 10.2307/2531595; Obuchowski 1997, doi 10.2307/2533958.
    """
    found = [_placement_sums(truth[index], scores[index], sample, index) for index in sample.by_seed()]
    return Influence.over_seeds(np.array([area for area, _ in found]), np.array([parts for _, parts in found]))


def macro_auc_influence(truth: np.ndarray, scores: np.ndarray, sample: Sample) -> Influence:
    """Mean over classes of the AUC of each against the rest; of two classes that of the second.

    Args:
        truth: (N,) class indices; where a seed has no case of one, the AUC is NaN.
        scores: (N, K) probabilities.
        sample: units and seeds of the rows.
    """
    classes = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    areas, rows = [], []
    for index in sample.by_seed():
        found = [_placement_sums((truth[index] == k).astype(int), scores[index, k], sample, index) for k in classes]
        areas.append(np.mean([area for area, _ in found]))
        rows.append(np.mean([parts for _, parts in found], axis=0))
    return Influence.over_seeds(np.array(areas), np.array(rows))


def _placement_sums(
    truth: np.ndarray, scores: np.ndarray, sample: Sample, index: np.ndarray
) -> tuple[float, np.ndarray]:
    """AUC of one seed, and its deviations of placement values summed by unit; NaN without both classes."""
    units = sample.units[index]
    if not 0 < truth.sum() < len(truth):
        return float("nan"), np.full(sample.unit_count, np.nan)
    of_positive, of_negative = auc_placements(truth, scores)
    area = float(of_positive.mean())
    parts = np.zeros(sample.unit_count)
    for placements, members in ((of_positive, units[truth == 1]), (of_negative, units[truth == 0])):
        count = len(np.unique(members))
        scale = np.sqrt(count / max(1, count - 1)) / len(members)
        parts += scale * np.bincount(members, weights=placements - area, minlength=sample.unit_count)
    return area, parts


def jackknife_influence(statistic: Callable[[np.ndarray], float], sample: Sample, *, seed: int = 0) -> Influence:
    """Any metric, by leaving out each unit in turn; blocks of units where there are more than `MAX_BLOCKS`.

    Args:
        statistic: from positions of rows (M,) of one seed to a number.
        sample: units and seeds of the rows.
        seed: of the division into blocks.

    Returns:
        Influences of blocks of units. They are NaN where the metric is not defined without one of them.

    Source: Efron and Stein 1981, doi 10.1214/aos/1176345462; Shao and Tu 1995, section 2.3.
    """
    count = sample.unit_count
    block_of_unit = np.arange(count)
    if count > MAX_BLOCKS:
        block_of_unit = np.random.default_rng(seed).permutation(count) % MAX_BLOCKS
    blocks = min(count, MAX_BLOCKS)
    values, rows = [], []
    for index in sample.by_seed():
        block = block_of_unit[sample.units[index]]
        left_out = np.array([statistic(index[block != one]) for one in range(blocks)])
        values.append(statistic(index))
        rows.append((left_out.mean() - left_out) * np.sqrt((blocks - 1) / blocks))
    return Influence.over_seeds(np.array(values), np.array(rows))
