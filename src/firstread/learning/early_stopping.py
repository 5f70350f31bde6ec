"""Early stopping: the best validation loss so far, and the number of epochs since."""

from collections.abc import Sequence
from typing import Any

import numpy as np


class EarlyStopping:
    """Tracks the best validation loss of a training, and stops after `patience` epochs without a better one.

    Args:
        patience: epochs without improvement after which to stop; None never stops.
        history: rows of this training so far, without those of its parents.
    """

    def __init__(self, patience: int | None, history: Sequence[dict[str, Any]]) -> None:
        self.patience = patience
        self.best_loss, self.epochs_since_best = float(np.inf), 0
        for row in history:
            self.update(row.get("validation_loss"))

    def update(self, loss: float | None) -> bool:
        """Add an epoch's validation loss, None without validation; True if it is the best so far."""
        improved = loss is not None and loss < self.best_loss
        if improved and loss is not None:
            self.best_loss = loss
        self.epochs_since_best = 0 if improved else self.epochs_since_best + 1
        return improved

    @property
    def should_stop(self) -> bool:
        """True if `patience` is used up."""
        return self.patience is not None and self.epochs_since_best >= self.patience
