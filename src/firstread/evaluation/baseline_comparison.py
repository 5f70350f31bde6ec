"""The network beside the trivial rules: accuracy and AUC of each, and the paired difference to the network."""

from typing import TYPE_CHECKING

import numpy as np

from firstread.core.predictions import Predictions
from firstread.evaluation.intervals import Estimate
from firstread.evaluation.paired_differences import PairedDifference, correct_p_values, paired_differences
from firstread.evaluation.scored_cases import PairedCases, ScoredCases
from firstread.evaluation.scorer import Scorer

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("name", "role", "accuracy", "low", "high", "AUC", "AUC low", "AUC high")
DIFFERENCE_COLUMNS = ("difference", "difference low", "difference high", "p_value")


def compare_with_baselines(predictions: Predictions, *, threshold: float, confidence: float) -> "pd.DataFrame":
    """Accuracy and AUC of the predictions and of each baseline, and network minus rule in accuracy, one row each.

    Args:
        predictions: of a network, with its baselines.
        threshold: of the network; rules decide at 0.5.
        confidence: of the intervals.

    Returns:
        Columns `COLUMNS` and `DIFFERENCE_COLUMNS`; p-values are corrected for the number of rules (Holm).
    """
    import pandas as pd

    network = ScoredCases.of(predictions, threshold=threshold)
    rows = [_row(predictions.model, "network", network, confidence)]
    rules = [ScoredCases.of(rule) for rule in predictions.baselines]
    differences = correct_p_values([_network_minus_rule(network, rule, confidence) for rule in rules])
    rows += [
        _row(one.model, "trivial rule", rule, confidence)
        for one, rule in zip(predictions.baselines, rules, strict=True)
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    found = [(one.estimate.value, one.estimate.low, one.estimate.high, one.p_corrected) for one in differences]
    columns = pd.DataFrame([(np.nan,) * 4, *found], columns=DIFFERENCE_COLUMNS)
    return pd.concat([table, columns], axis=1)


def describe_baselines(comparison: "pd.DataFrame", *, confidence: float = 0.95) -> list[str]:
    """What the rules say of the network: which of them it was not shown to beat."""
    rules = comparison[comparison["role"] == "trivial rule"]
    if not len(rules):
        return ["No trivial rule stands beside these predictions: the training cases are not known."]
    notes = []
    accuracy = comparison["accuracy"].iloc[0]
    as_good = rules[rules["accuracy"] >= accuracy]
    if len(as_good):
        names = ", ".join(
            f"{name} ({value:.3f})" for name, value in zip(as_good["name"], as_good["accuracy"], strict=True)
        )
        notes.append(f"A trivial rule does as well as the network or better: {names}. What has it learnt?")
    beaten = (rules["p_value"] < 1 - confidence) & (rules["difference low"] > 0)
    open_rules = rules[~beaten & (rules["accuracy"] < accuracy)]
    if len(open_rules):
        closest = open_rules.loc[open_rules["accuracy"].idxmax()]
        notes.append(
            f"The network is ahead of {len(open_rules)} of {len(rules)} rules, but is not shown to be better than they "
            f"are on these cases; closest is {closest['name']}: difference {closest['difference']:.3f} "
            f"[{closest['difference low']:.3f}, {closest['difference high']:.3f}], p = {closest['p_value']:.2g} "
            f"corrected for {len(rules)} rules."
        )
    return notes


def _row(name: str, role: str, cases: ScoredCases, confidence: float) -> tuple[str | float, ...]:
    scorer = Scorer(cases, confidence=confidence)
    accuracy, auc = scorer.accuracy(), scorer.auc()
    return name, role, accuracy.value, accuracy.low, accuracy.high, auc.value, auc.low, auc.high


def _network_minus_rule(network: ScoredCases, rule: ScoredCases, confidence: float) -> PairedDifference:
    """Paired difference in accuracy; not defined where the rule has other cases."""
    if set(network.units.cases) != set(rule.units.cases):
        undefined = Estimate(np.nan, np.nan, np.nan, "other cases")
        return PairedDifference("network", "rule", "accuracy", undefined, np.nan, np.nan, "none")
    paired = PairedCases.of({"network": network, "rule": rule})
    return paired_differences(paired, "network", "rule", metrics=("accuracy",), confidence=confidence)[0]
