"""External validation: a frozen model on a second cohort beside the first, with the drop of each metric."""

from typing import TYPE_CHECKING

from firstread.core.errors import DataError
from firstread.evaluation.intervals import Estimate, joined_difference
from firstread.evaluation.units import Units

if TYPE_CHECKING:
    import pandas as pd


def compare_cohorts(
    internal: dict[str, Estimate], external: dict[str, Estimate], *, units: tuple[Units, Units]
) -> "pd.DataFrame":
    """Each metric on both cohorts, and external minus internal, whose interval joins those of the two.

    Args:
        internal, external: metric -> estimate, on different patients.
        units: of the two.

    Returns:
        Columns `metric`, `internal`, `external` (text with intervals), `difference`, `low`, `high`.

    Raises:
        DataError: some patients are in both.

    Source: squares and adds, Newcombe 1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I,
        method 10; Zou and Donner 2008, doi 10.1002/sim.3095.
    """
    import pandas as pd

    first, second = (set(one.groups) | set(one.cases) for one in units)
    if shared := first & second:
        raise DataError(
            f"{len(shared)} patients or cases are in both cohorts",
            expected="patients that the network and its first test never saw",
            do="leave them out of the external cohort; where two collections only share names, number theirs apart",
        )
    rows = []
    for metric, inside in internal.items():
        if metric in external:
            outside = external[metric]
            drop = joined_difference(outside, inside)
            rows.append((metric, str(inside), str(outside), drop.value, drop.low, drop.high))
    return pd.DataFrame(rows, columns=["metric", "internal", "external", "difference", "low", "high"])
