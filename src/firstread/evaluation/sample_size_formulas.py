"""Formulas of sample sizes: width of Wilson's interval, variance of an AUC, discordance, the fewest cases."""

from collections.abc import Callable
from math import exp, log, sqrt

from firstread.core.errors import SettingError

#: more cases than this are no plan
_MOST_CASES = 10_000_000


def fewest(enough: Callable[[int], bool], *, least: int = 2) -> int:
    """Fewest cases that are enough, by bisection.

    Args:
        enough: whether so many cases are; true for all higher numbers than one for which it is.
        least: where the search begins.

    Raises:
        SettingError: ten million are not enough.

    Example:
        >>> fewest(lambda n: n * n >= 200)
        15
    """
    low, high = least - 1, least
    while not enough(high):
        low, high = high, 2 * high
        if high > _MOST_CASES:
            raise SettingError(
                "More than ten million cases would be needed", do="plan for a larger width or difference"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def wilson_width(proportion: float, cases: float, *, confidence: float) -> float:
    """Width of Wilson's interval of an expected proportion. Source: Wilson 1927, doi 10.1080/01621459.1927.10502953."""
    from scipy.stats import norm

    z = float(norm.ppf(0.5 + confidence / 2))
    return 2 * z * sqrt(proportion * (1 - proportion) / cases + (z / cases / 2) ** 2) / (1 + z**2 / cases)


def auc_variance(area: float, cases: float, prevalence: float) -> float:
    """Variance of an AUC from the number of positives and negatives alone.

    It is cautious where scores are binormal: at an AUC of 0.85 a seventh too wide.

    Source: Hanley and McNeil 1982, doi 10.1148/radiology.143.1.7063747.

    Example:
        >>> round(auc_variance(0.85, 200, 0.5) ** 0.5, 4)
        0.0275
    """
    positives, negatives = cases * prevalence, cases * (1 - prevalence)
    above, below = area / (2 - area) - area**2, 2 * area**2 / (1 + area) - area**2
    spread = max(positives - 1, 0) * above + max(negatives - 1, 0) * below
    return (area * (1 - area) + spread) / (positives * negatives)


def auc_interval_width(area: float, cases: float, prevalence: float, *, confidence: float) -> float:
    """Width of the interval of an AUC, found on the logit scale as in `auc_interval`."""
    from scipy.stats import norm

    z = float(norm.ppf(0.5 + confidence / 2))
    half = min(z * sqrt(auc_variance(area, cases, prevalence)) / (area * (1 - area)), 500.0)
    middle = log(area / (1 - area))
    low, high = (1 / (1 + exp(-middle - side * half)) for side in (-1, 1))
    return high - low


def independent_discordance(first: float, second: float) -> float:
    """Share of cases that exactly one of two answers correctly, where the errors of the two are independent."""
    return first * (1 - second) + second * (1 - first)
