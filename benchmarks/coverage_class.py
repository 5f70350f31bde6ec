"""Type I error of a class's results page: how often it says "was better" where no group differs from another.

Whole classes are simulated: participants join and are assigned by the class's own randomization, all networks read the
same test images, some of which are hard for everyone, and the page's own comparisons are made of the runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm, rankdata

from firstread.classroom.outcomes.experiments import compare_groups
from firstread.classroom.randomization import assign_arms
from firstread.lessons.lesson_info import find_lesson

PARTICIPANTS = (8, 20, 100)
MEAN_ACCURACIES = (0.8, 0.97)
TEST_IMAGES = (10, 20)
CLASSES = 1000
#: share of participants who run another group than the one that was drawn
SWITCHED = 0.07
#: of a case's score: standard deviation that all networks share, and that of each network's own
SHARED_SPREAD, OWN_SPREAD = 0.6, 0.8


def class_type_one(quick: bool) -> dict[str, Any]:
    """Share of null classes with at least one "was better", by size of the class, accuracy and number of test images.

    Beside it the share with an unadjusted 95 % interval beyond zero somewhere, which is what the page said before it
    named a primary outcome.
    """
    arms, count = find_lesson("hello-world").values["arms"], 40 if quick else CLASSES
    results: dict[str, Any] = {"classes_each": count}
    for people, mean, images in product(PARTICIPANTS, MEAN_ACCURACIES, TEST_IMAGES):
        rng = np.random.default_rng([people, round(100 * mean), images])
        said = {"was better": 0, "of them in a primary outcome": 0, "an interval beyond zero": 0}
        for runs in simulate_null_classes(rng, count, people=people, mean=mean, images=images, arms=arms):
            found = compare_groups(runs, arms)
            said["was better"] += any(one.better for one in found)
            said["of them in a primary outcome"] += any(one.better for one in found if one.role == "primary")
            said["an interval beyond zero"] += any(one.difference and one.difference.excludes_zero for one in found)
        name = f"{people} participants, mean accuracy {mean}, {images} test images"
        results[name] = {words: round(number / count, 4) for words, number in said.items()}
    return results


def simulate_null_classes(
    rng: np.random.Generator, count: int, *, people: int, mean: float, images: int, arms: Mapping[str, Sequence[str]]
) -> Iterator[pd.DataFrame]:
    """Yield the table of runs of each class, as `runs_table` makes it; no group differs from another."""
    truth = np.arange(images) % 2
    distance = norm.ppf(mean)  # so far are the classes' scores from the threshold, in standard deviations
    for _ in range(count):
        shared = rng.normal(0, SHARED_SPREAD, images)
        own = rng.normal(0, OWN_SPREAD, (people, images))
        logits = (2 * truth - 1) * distance + (shared + own) / np.hypot(SHARED_SPREAD, OWN_SPREAD)
        seed = int(rng.integers(2**31))
        assigned = pd.DataFrame([assign_arms(number, arms, seed=seed) for number in range(people)])
        runs = assigned.add_prefix("assigned ")
        for name, groups in arms.items():
            switched = rng.random(people) < SWITCHED
            runs[f"ran {name}"] = np.where(switched, rng.choice(list(groups), people), assigned[name])
        runs["accuracy"] = ((logits > 0) == truth).mean(axis=1)
        runs["AUC"] = _areas_under_curve(logits, truth)
        runs["Brier score"] = ((expit(2 * distance * logits) - truth) ** 2).mean(axis=1)
        yield runs.assign(test_images=images)


def _areas_under_curve(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """AUC of each row: scores (P, N), truth (N,) -> (P,)."""
    positive = int(truth.sum())
    ranks = rankdata(scores, axis=1)[:, truth == 1].sum(axis=1)
    return (ranks - positive * (positive + 1) / 2) / (positive * (len(truth) - positive))
