"""Classification metrics of predicted classes and of scores, as functions of arrays; each states its direction."""

import numpy as np


def confusion_counts(truth: np.ndarray, predicted: np.ndarray, *, classes: int) -> np.ndarray:
    """Confusion matrix: (K, K) counts, rows the truth, columns the prediction."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (truth, predicted), 1)
    return table


def binary_proportions(truth: np.ndarray, predicted: np.ndarray) -> dict[str, tuple[int, int]]:
    """(successes, trials) of the proportions of a 2 x 2 table; all are better when higher.

    Args:
        truth: (N,) 0 or 1.
        predicted: (N,) 0 or 1.
    """
    tp = int(((truth == 1) & (predicted == 1)).sum())
    tn = int(((truth == 0) & (predicted == 0)).sum())
    fp = int(((truth == 0) & (predicted == 1)).sum())
    fn = int(((truth == 1) & (predicted == 0)).sum())
    return {
        "accuracy": (tp + tn, tp + tn + fp + fn),
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "PPV": (tp, tp + fp),
        "NPV": (tn, tn + fn),
    }


def f1_score(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Harmonic mean of sensitivity and PPV, 0 to 1, higher is better; NaN if there is nothing positive at all."""
    tp = ((truth == 1) & (predicted == 1)).sum()
    errors = ((truth == 1) != (predicted == 1)).sum()
    return float(2 * tp / (2 * tp + errors)) if tp + errors else float("nan")


def brier_score(truth: np.ndarray, scores: np.ndarray) -> float:
    """Mean squared distance of the scores from the truth, 0 to 2 (two or more classes), lower is better.

    Args:
        truth: (N,) class indices.
        scores: (N, K) probabilities. With K = 2 the result is the usual binary Brier score (0 to 1), half of this.

    Source: Brier 1950.
    """
    if not len(truth):
        return float("nan")
    total = ((scores - np.eye(scores.shape[1])[truth]) ** 2).sum(axis=1).mean()
    return float(total / 2 if scores.shape[1] == 2 else total)


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray, *, classes: int) -> float:
    """Mean over classes of the recall, 0 to 1, higher is better; NaN if a class has no case."""
    recalls = [float((predicted[truth == k] == k).mean()) for k in range(classes) if (truth == k).any()]
    return float(np.mean(recalls)) if len(recalls) == classes else float("nan")


def auc(truth: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve, 0.5 is chance, 1 is best; NaN if only one class is present.

    The probability that a positive case scores higher than a negative one; ties count half (Hanley and McNeil 1982).
    Pass scores, never decisions.
    """
    from scipy.stats import rankdata

    m = int((truth == 1).sum())
    n = len(truth) - m
    if m == 0 or n == 0:
        return float("nan")
    return float((rankdata(scores)[truth == 1].sum() - m * (m + 1) / 2) / (m * n))


def auc_placements(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong's placement values: for each positive the share of negatives below it (ties half), and the reverse."""
    from scipy.stats import rankdata

    positive, negative = scores[truth == 1], scores[truth == 0]
    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    of_positive = (ranks[:m] - rankdata(positive)) / n
    of_negative = 1 - (ranks[m:] - rankdata(negative)) / m
    return of_positive, of_negative


def average_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """Area under the precision-recall curve as a step function; chance is the share of positives. Higher is better."""
    if truth.sum() == 0:
        return float("nan")
    true_positives, false_positives = _counts_by_threshold(truth, scores)
    recall_steps = np.diff(true_positives, prepend=0) / true_positives[-1]
    return float((recall_steps * true_positives / (true_positives + false_positives)).sum())


def partial_auc(truth: np.ndarray, scores: np.ndarray, *, min_specificity: float = 0.8) -> float:
    """Partial AUC over specificities from `min_specificity` to 1, standardised so that 0.5 is chance and 1 is best.

    Source: McClish 1989, doi 10.1177/0272989X8900900307.
    """
    if len(np.unique(truth)) < 2:
        return float("nan")
    true_positives, false_positives = _counts_by_threshold(truth, scores)
    max_fpr = 1 - min_specificity
    tpr, fpr = np.append(0, true_positives / true_positives[-1]), np.append(0, false_positives / false_positives[-1])
    within = fpr <= max_fpr
    tpr = np.append(tpr[within], np.interp(max_fpr, fpr, tpr))
    fpr = np.append(fpr[within], max_fpr)
    area = float((np.diff(fpr) * (tpr[1:] + tpr[:-1]) / 2).sum())
    chance = max_fpr**2 / 2
    return (1 + (area - chance) / (max_fpr - chance)) / 2


def _counts_by_threshold(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative true and false positives at each distinct score, from the highest down.

    The bootstrap calls this thousands of times for a few dozen cases, where scikit-learn's functions (the reference in
    the tests) would spend most of the time on validating arguments.
    """
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    true_positives = np.cumsum(truth[order] == 1)[last_of_ties]
    return true_positives, 1 + last_of_ties - true_positives
