"""How scores become a class: the one rule that predictions, evaluation, comparison and data checks use."""

import numpy as np


def decide(scores: np.ndarray, *, threshold: float = 0.5) -> np.ndarray:
    """Class of each row of scores.

    Of two classes the second (positive) from `threshold` on, so that a score of exactly 0.5 is positive; of more the
    one with the highest score, and the first of equals.

    Args:
        scores: (N, K) probabilities.
        threshold: for two classes, of the score of the positive class.

    Returns:
        (N,) int64 class indices.

    Example:
        >>> decide(np.array([[0.5, 0.5], [0.6, 0.4]])).tolist()
        [1, 0]
    """
    scores = np.asarray(scores)
    if scores.shape[1] == 2:
        return (scores[:, 1] >= threshold).astype(np.int64)
    highest: np.ndarray = scores.argmax(axis=1).astype(np.int64)
    return highest
