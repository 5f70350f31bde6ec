"""Metrics of a decision and of a score. Each states its direction; each is a plain function of arrays."""

import numpy as np


def confusion_counts(truth: np.ndarray, predicted: np.ndarray, *, classes: int) -> np.ndarray:
    """(K, K) counts: rows the truth, columns the answer."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (truth, predicted), 1)
    return table


def binary_proportions(truth: np.ndarray, called: np.ndarray) -> dict[str, tuple[int, int]]:
    """(successes, trials) of the proportions of a 2 x 2 table; all are better when higher.

    Args:
        truth: (N,) 0 or 1.
        called: (N,) 0 or 1, what was answered.
    """
    tp = int(((truth == 1) & (called == 1)).sum())
    tn = int(((truth == 0) & (called == 0)).sum())
    fp = int(((truth == 0) & (called == 1)).sum())
    fn = int(((truth == 1) & (called == 0)).sum())
    return {
        "accuracy": (tp + tn, tp + tn + fp + fn),
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "PPV": (tp, tp + fp),
        "NPV": (tn, tn + fn),
    }


def f1_score(truth: np.ndarray, called: np.ndarray) -> float:
    """Harmonic mean of sensitivity and PPV, 0 to 1, higher is better; NaN if there is nothing positive at all."""
    tp = ((truth == 1) & (called == 1)).sum()
    wrong = ((truth == 1) != (called == 1)).sum()
    return float(2 * tp / (2 * tp + wrong)) if tp + wrong else float("nan")


def brier_score(truth: np.ndarray, scores: np.ndarray) -> float:
    """Mean squared distance of the scores from the truth, 0 to 2 (two or more classes), lower is better.

    Args:
        truth: (N,) class indices.
        scores: (N, K) probabilities. With K = 2 the usual binary Brier score (0 to 1) is half of this and is what is returned.

    Source: Brier 1950.
    """
    if not len(truth):
        return float("nan")
    total = ((scores - np.eye(scores.shape[1])[truth]) ** 2).sum(axis=1).mean()
    return float(total / 2 if scores.shape[1] == 2 else total)


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray, *, classes: int) -> float:
    """Mean over classes of the share recognised, 0 to 1, higher is better; NaN if a class has no case."""
    shares = [float((predicted[truth == k] == k).mean()) for k in range(classes) if (truth == k).any()]
    return float(np.mean(shares)) if len(shares) == classes else float("nan")


def auc(truth: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve, 0.5 is chance, 1 is best; NaN if only one class is present.

    The chance that a positive case scores higher than a negative one; ties count half (Hanley and McNeil 1982). Pass
    scores, never decisions.
    """
    from scipy.stats import rankdata

    m = int((truth == 1).sum())
    n = len(truth) - m
    if m == 0 or n == 0:
        return float("nan")
    return float((rankdata(scores)[truth == 1].sum() - m * (m + 1) / 2) / (m * n))


def average_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """Area under the precision-recall curve as a step function; chance is the share of positives. Higher is better."""
    if truth.sum() == 0:
        return float("nan")
    hits, alarms = _counts_by_threshold(truth, scores)
    return float((np.diff(hits, prepend=0) / hits[-1] * hits / (hits + alarms)).sum())


def partial_auc(truth: np.ndarray, scores: np.ndarray, *, specificity_from: float = 0.8) -> float:
    """AUC over specificities from `specificity_from` to 1, standardised so that 0.5 is chance and 1 is best.

    Source: McClish 1989, doi 10.1177/0272989X8900900307.
    """
    if len(np.unique(truth)) < 2:
        return float("nan")
    hits, alarms = _counts_by_threshold(truth, scores)
    end = 1 - specificity_from
    true_rate, false_rate = np.append(0, hits / hits[-1]), np.append(0, alarms / alarms[-1])
    within = false_rate <= end
    true_rate = np.append(true_rate[within], np.interp(end, false_rate, true_rate))
    false_rate = np.append(false_rate[within], end)
    area = float((np.diff(false_rate) * (true_rate[1:] + true_rate[:-1]) / 2).sum())
    chance = end**2 / 2
    return (1 + (area - chance) / (end - chance)) / 2


def _counts_by_threshold(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives at each score that occurs, from the highest down.

    The bootstrap asks thousands of times, of a few dozen cases: scikit-learn's functions, which tests compare these with, spend that time on looking at their arguments.
    """
    order = np.argsort(-scores, kind="stable")
    last_of_equals = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    hits = np.cumsum(truth[order] == 1)[last_of_equals]
    return hits, 1 + last_of_equals - hits
