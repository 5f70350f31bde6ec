"""One outcome is primary, p values are corrected for what is compared, and as run nothing is called better."""

import numpy as np
import pandas as pd
import pytest

from firstread.classroom.outcomes.experiments import Comparison, compare_groups, comparisons_table
from firstread.classroom.outcomes.participant_runs import OUTCOMES
from firstread.classroom.outcomes.statistics import Difference

ARMS = {"augmentation": ["on", "off"], "dropout": ["on", "off"]}


def make_runs(accuracy_by_group, *, people=40, images=20, seed=0):
    """Runs whose accuracy depends on the group of `augmentation` alone."""
    rng = np.random.default_rng(seed)
    groups = {name: np.resize(np.repeat(["on", "off"], place + 1), people) for place, name in enumerate(ARMS)}
    table = pd.DataFrame({f"{how} {name}": group for name, group in groups.items() for how in ("assigned", "ran")})
    means = pd.Series(groups["augmentation"]).map(accuracy_by_group)
    spread = rng.normal(0, 0.02, people)
    table["accuracy"] = (means + spread).clip(0, 1)
    table["AUC"] = rng.normal(0.9, 0.01, people)
    table["Brier score"] = rng.normal(0.1, 0.01, people)
    return table.assign(test_images=images)


def find(comparisons, experiment, outcome, analysis="assigned"):
    return next(
        one
        for one in comparisons
        if (one.experiment, one.outcome.name, one.analysis) == (experiment, outcome, analysis)
    )


def test_accuracy_as_assigned_is_primary_and_corrected_for_the_number_of_experiments():
    found = compare_groups(make_runs({"on": 0.9, "off": 0.8}), ARMS)
    assert len(found) == 12
    assert [one.experiment for one in found if one.role == "primary"] == ["augmentation", "dropout"]
    primary = find(found, "augmentation", "accuracy")
    assert primary.better == "on"
    assert primary.adjusted_p == pytest.approx(2 * primary.difference.p_value)
    assert primary.interpretation.startswith("augmentation on was better in 40 runs: difference +")
    assert "All on the same 20 test images; another 20 images may give another difference." in primary.interpretation
    secondary = find(found, "augmentation", "AUC")
    assert (secondary.role, secondary.family_size) == ("secondary", 12)
    assert secondary.adjusted_p > secondary.difference.p_value


def test_a_secondary_outcome_is_better_only_where_the_primary_one_is():
    runs = make_runs({"on": 0.85, "off": 0.85})
    runs["AUC"] = runs["AUC"] - 0.2 * (runs["assigned augmentation"] == "off")
    said = find(compare_groups(runs, ARMS), "augmentation", "AUC")
    assert said.difference.p_value < 1e-6
    assert said.better is None
    assert said.interpretation.endswith("the p value all 12, and it is never below the primary outcome's.")
    assert find(compare_groups(runs.assign(accuracy=1.0), ARMS), "augmentation", "AUC").adjusted_p == 1.0
    runs["accuracy"] = runs["accuracy"] - 0.2 * (runs["assigned augmentation"] == "off")
    assert find(compare_groups(runs, ARMS), "augmentation", "AUC").better == "on"


def test_as_run_is_never_called_better():
    found = compare_groups(make_runs({"on": 0.9, "off": 0.5}), ARMS)
    as_run = find(found, "augmentation", "accuracy", "ran")
    assert (as_run.role, as_run.better) == ("sensitivity", None)
    assert "better" not in as_run.interpretation
    assert "nothing follows from this alone" in as_run.interpretation


def test_groups_without_variation_that_differ_are_told_apart():
    runs = make_runs({"on": 0.9, "off": 0.8})
    runs["accuracy"] = np.where(runs["assigned augmentation"] == "on", 1.0, 0.95)
    said = find(compare_groups(runs, ARMS), "augmentation", "accuracy")
    assert said.better == "on"
    assert "the same within each group, so there is no interval; exact permutation test, p < 0.001" in (
        said.interpretation
    )
    same = find(compare_groups(runs.assign(accuracy=1.0), ARMS), "augmentation", "accuracy")
    assert same.interpretation == "All 40 runs gave the same, so nothing can be said of chance."
    few = find(compare_groups(runs.head(1), ARMS), "augmentation", "accuracy")
    assert "Too few" in few.interpretation


def test_an_interval_beyond_zero_is_not_enough():
    difference = Difference(value=0.02, low=0.001, high=0.039, p_value=0.04, first_count=20, second_count=20)
    one = Comparison("dropout", "assigned", OUTCOMES[0], "on", "off", difference, "primary", 0.08, 2, 20)
    assert one.better is None
    assert one.interpretation.startswith("40 runs cannot tell dropout on from dropout off: difference +2.0 percentage")
    assert "p = 0.080 (Holm, 2 comparisons)" in one.interpretation
    assert one.interpretation.endswith("The interval counts this comparison alone, the p value all 2.")


def test_in_percentage_points_and_where_lower_is_better():
    difference = Difference(value=0.019, low=0.0004, high=0.0376, p_value=0.01, first_count=35, second_count=36)
    accuracy, _, brier = OUTCOMES
    one = Comparison("x", "assigned", accuracy, "on", "off", difference, "primary", 0.02, 2)
    assert one.interpretation.startswith(
        "x on was better in 71 runs: difference +1.90 percentage points, 95 % interval +0.04 to +3.76, p = 0.020"
    )
    lower = Comparison("x", "assigned", brier, "on", "off", difference, "secondary", 0.02, 12)
    assert lower.interpretation.startswith("x off was better")


def test_no_interval_goes_beyond_what_is_possible():
    runs = make_runs({"on": 1.0, "off": 0.0}, people=4)
    runs["accuracy"] = [1.0, 0.0, 0.9, 1.0]
    for one in compare_groups(runs, ARMS):
        if one.difference and not np.isnan(one.difference.low):
            assert -one.outcome.highest <= one.difference.low <= one.difference.high <= one.outcome.highest


def test_the_comparisons_are_a_table():
    table = comparisons_table(compare_groups(make_runs({"on": 0.9, "off": 0.8}), ARMS))
    assert table["role"].value_counts().to_dict() == {"sensitivity": 6, "secondary": 4, "primary": 2}
    assert (table["adjusted_p"] >= table["p_value"]).all()
    assert comparisons_table([]).empty
