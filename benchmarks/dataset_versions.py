"""What the choice of data does to a number: lesson 4's three data sets of the same images, over seeds.

For each seed the images are divided anew and a network is trained on each data set by the lesson's own recipe. It is
measured on the test set that the data set divided off from itself, and on the clean one, which is the same for all.
"""

from typing import Any

import numpy as np

from few_shot import interval_over_seeds
from firstread.core.predictions import Predictions
from firstread.evaluation.evaluation import evaluate
from firstread.lessons.dataset_versions import LARGE_MM, DatasetVersions
from firstread.lessons.lesson_data import archive_folder
from firstread.lessons.lesson_info import find_lesson

SEEDS = tuple(range(12))
#: a lesion of a smaller diameter is small
SMALL_MM = 15.0


def measure_dataset_versions(*, quick: bool = False, seeds: tuple[int, ...] = SEEDS) -> dict[str, Any]:
    """AUC of each data set's network and of the nearest training image, by data set, over all seeds."""
    info = find_lesson("archive")
    data = info.values["data"]
    rows: dict[str, list[dict[str, float]]] = {}
    for seed in seeds[:1] if quick else seeds:
        versions = DatasetVersions.open(archive_folder(data).parent / "slices", seed=seed)
        for row in versions.compare({}, recipe=info.recipe(data), seed=seed).rows:
            found = {f"{test} test": row.auc(test).value for test in ("own", "clean")}
            found |= {f"nearest image, {test} test": row.auc(test, rule=True).value for test in ("own", "clean")}
            found |= _by_size(versions, row.answers["clean"])
            rows.setdefault(row.name, []).append(found)
    return {name: _summary(found) for name, found in rows.items()}


def _summary(rows: list[dict[str, float]]) -> dict[str, str]:
    """Mean and interval of each column, and in how many seeds the own test was the better one."""
    table = {column: _format(interval_over_seeds([row[column] for row in rows])) for column in rows[0]}
    above = sum(row["own test"] > row["clean test"] for row in rows)
    return table | {"own above clean": f"{above} of {len(rows)}"}


def _by_size(versions: DatasetVersions, answers: Predictions) -> dict[str, float]:
    """AUC on the clean test for small and for large lesions, against all images without one."""
    size = versions.clean.table["lesion_mm"].to_numpy(float)
    shown = {
        f"clean test, lesions under {SMALL_MM:g} mm": (size == 0) | (size < SMALL_MM),
        f"clean test, lesions from {LARGE_MM:g} mm": (size == 0) | (size >= LARGE_MM),
    }
    return {name: evaluate(_part(answers, mask)).metric("AUC").value for name, mask in shown.items()}


def _part(answers: Predictions, mask: np.ndarray) -> Predictions:
    """The answers for some of the cases."""
    return Predictions(answers.table[mask].reset_index(drop=True), answers.task, model=answers.model)


def _format(column: dict[str, Any]) -> str:
    return f"{column['mean']:.3f} [{column['low']:.3f}, {column['high']:.3f}]"
