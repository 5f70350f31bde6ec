"""Paired tests of two networks on the same patients, and the interval of a difference of proportions."""

import numpy as np

from firstread.evaluation.influence import Influence, Sample
from firstread.evaluation.intervals import MIN_UNITS, Estimate
from firstread.evaluation.units import count_of

#: signs are enumerated for up to so many patients on whom the two differ, drawn at random for more
MAX_ENUMERATED = 14
DRAWS = 20_000


def sign_flip_test(differences: np.ndarray, sample: Sample, *, seed: int = 0) -> float:
    """Two-sided p-value that two networks are equal, by swapping them within each patient at random.

    Exact under the null hypothesis that which of the two answered is no matter, however the cases of a patient depend
    on one another. Where every patient has one case (and one seed) it is the exact McNemar test.

    Args:
        differences: (N,) of the two networks on each row, such as correct (1) minus correct (0); a row that is no
            trial of the metric has 0.
        sample: units of the rows; seeds are summed up within their unit.
        seed: of the drawn signs.

    Source: McNemar 1947, doi 10.1007/BF02295996; Pesarin 2001; Edgington 1995, randomization of paired differences.
    """
    from scipy.stats import binomtest

    totals = np.bincount(sample.units, weights=differences, minlength=sample.unit_count)
    totals = totals[np.abs(totals) > 1e-9]
    if not len(totals):
        return 1.0
    if np.allclose(np.abs(totals), np.abs(totals[0])):
        return float(binomtest(int((totals > 0).sum()), len(totals)).pvalue)
    observed = abs(totals.sum()) - 1e-9
    if len(totals) <= MAX_ENUMERATED:
        signs = 1 - 2 * ((np.arange(2 ** len(totals))[:, None] >> np.arange(len(totals))) & 1)
        return float((np.abs(signs @ totals) >= observed).mean())
    signs = np.random.default_rng(seed).integers(0, 2, (DRAWS, len(totals)), dtype=np.int8) * 2 - 1
    return float((1 + (np.abs(signs @ totals) >= observed).sum()) / (1 + DRAWS))


def student_test(difference: Influence) -> float:
    """Two-sided p-value of a difference from its influences; NaN where nothing varies."""
    from scipy.stats import t

    if not difference.variance > 1e-18:
        return 1.0 if abs(difference.value) < 1e-12 else float("nan")
    return float(2 * t.sf(abs(difference.value) / difference.error, difference.freedom))


def mean_difference_interval(
    differences: np.ndarray, sample: Sample, influence: Influence, *, confidence: float = 0.95
) -> Estimate:
    """Interval of a paired difference of two proportions (accuracies, sensitivities), by patient.

    The variance is that of the patients and of two more, one on whom the first network is better and one on whom the
    second is, by as much as on patients who differ at all: so that no difference seen is not taken for none possible.
    Where each patient has one case this is the interval of Bonett and Price.

    Args:
        differences: (N,) first minus second, -1 to 1, of the rows that are trials of the metric.
        sample: units of these rows, one a case.
        influence: of the difference of the two, which holds the spread between seeds.
        confidence: of the interval.

    Source: Bonett and Price 2012, doi 10.3102/1076998611411915.
    """
    from scipy.stats import norm, t

    sums, sizes = np.bincount(sample.units, weights=differences), np.bincount(sample.units).astype(float)
    clustered = len(sums) < len(differences)
    if clustered and len(sums) < MIN_UNITS:
        return Estimate(influence.value, np.nan, np.nan, f"not estimable from {count_of(len(sums), 'patient')}")
    size = float(sizes.mean())
    differing = np.abs(sums) > 1e-9
    gap = size * float(np.sqrt(((sums / sizes)[differing] ** 2).mean())) if differing.any() else size
    sums, sizes = np.append(sums, [gap, -gap]), np.append(sizes, [size, size])
    value = float(sums.sum() / sizes.sum())
    count = len(sums)
    between = float(((sums - value * sizes) ** 2).sum()) / sizes.sum() ** 2
    if clustered:
        between *= count / (count - 1)
    error = float(np.sqrt(between + influence.seed_variance))
    if influence.seed_variance:
        quantile = t.ppf(0.5 + confidence / 2, influence.freedom)
    elif clustered:
        quantile = t.ppf(0.5 + confidence / 2, count - 3)
    else:
        quantile = norm.ppf(0.5 + confidence / 2)
    method = "Bonett-Price by patient" if clustered else "Bonett-Price"
    low, high = value - float(quantile) * error, value + float(quantile) * error
    return Estimate(influence.value, max(-1.0, low), min(1.0, high), method)
