"""Summary of a cohort: cases of each class and split, a sample of equally many of each class, values for reports."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.columns import SPLITS
from firstread.core.files import to_jsonable
from firstread.core.provenance import Origin, Step

if TYPE_CHECKING:
    import pandas as pd


def count_cases(table: "pd.DataFrame", classes: Sequence[str]) -> "pd.DataFrame":
    """Number of cases of each class in each split; one row, `cases`, for a task without classes.

    Args:
        table: of a cohort, with the columns `label` and `split`.
        classes: in the order of the rows.
    """
    import pandas as pd

    split = table["split"].fillna("(none)")
    label = table["label"].fillna("(no label)" if classes else "cases")
    counts = pd.crosstab(label, split)
    columns = [name for name in (*SPLITS, "(none)") if name in counts.columns]
    rows = [name for name in (*classes, "(no label)", "cases") if name in counts.index]
    counts = counts.loc[rows, columns].rename_axis(index="class", columns=None)
    counts["all"] = counts.sum(axis=1)
    return counts


def sample_by_class(targets: np.ndarray, count: int, *, seed: int) -> list[int]:
    """Positions of `count` random cases, equally many of each class, in the order of the classes.

    Args:
        targets: (N,) class indices, -1 without a class.
        count: of cases.
        seed: of the choice.
    """
    order = np.random.default_rng(seed).permutation(len(targets)).tolist()
    by_class = [[i for i in order if targets[i] == k] for k in sorted(set(targets.tolist()))]
    picked = [members[rank] for rank in range(count) for members in by_class if rank < len(members)][:count]
    return sorted(picked, key=lambda i: int(targets[i]))


def describe_cohort(
    origin: Origin, *, classes: Sequence[str], counts: "pd.DataFrame", steps: Sequence[Step]
) -> dict[str, Any]:
    """Origin, counts and steps as values for JSON."""
    summary: dict[str, Any] = to_jsonable(
        {
            "origin": asdict(origin),
            "classes": tuple(classes),
            "counts": {split: counts[split].to_dict() for split in counts.columns},
            "steps": [asdict(step) for step in steps],
        }
    )
    return summary
