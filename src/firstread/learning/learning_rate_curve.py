"""LearningRateCurve: loss by learning rate in a range test, and the rates that can be read from it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: weight of the mean so far against the newest batch in the smoothed loss
_SMOOTHING = 0.9
#: batches at the beginning whose smoothed loss is not yet one
_FIRST_BATCHES = 5


@dataclass(frozen=True, eq=False)
class LearningRateCurve:
    """Loss of training batches while the learning rate grows (Smith 2015, https://arxiv.org/abs/1506.01186).

    Attributes:
        rates: (N,) learning rate of each step, growing.
        raw_losses: (N,) loss of each batch, before the step with that rate.
        diverged: True if the test ended because the loss had run away, False if it came to the last rate.
    """

    rates: np.ndarray
    raw_losses: np.ndarray
    diverged: bool

    def __post_init__(self) -> None:
        for name in ("rates", "raw_losses"):
            values = np.array(getattr(self, name), dtype=np.float64)
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    @property
    def losses(self) -> np.ndarray:
        """(N,) smoothed loss: exponentially weighted mean over the batches so far."""
        return smooth(self.raw_losses)

    @property
    def steepest(self) -> float | None:
        """Rate at which the smoothed loss falls fastest, by the logarithm of the rate; None where it never falls."""
        losses, low = self.losses, _FIRST_BATCHES
        high = self._lowest
        if high - low < 2:
            return None
        slopes = np.gradient(losses, np.log(self.rates))[low : high + 1]
        index = int(slopes.argmin())
        return float(self.rates[low + index]) if slopes[index] < 0 else None

    @property
    def valley(self) -> float | None:
        """Rate in the middle of the longest fall of the smoothed loss, as fastai suggests; None where it never falls.

        The longest fall is the longest sequence of steps, not all of them neighbours, of which each has a lower loss
        than the one before; its middle lies well before the loss turns.
        """
        found = longest_fall(self.losses[: self._lowest + 1])
        if self.steepest is None or len(found) < 3:
            return None
        return float(self.rates[found[len(found) // 2]])

    @property
    def suggestion(self) -> float | None:
        """Rate to begin with: `valley`, the more careful of the two; None where the loss never falls."""
        return self.valley

    @property
    def table(self) -> "pd.DataFrame":
        """One row a step: learning_rate, loss, smoothed_loss."""
        import pandas as pd

        return pd.DataFrame({"learning_rate": self.rates, "loss": self.raw_losses, "smoothed_loss": self.losses})

    def plot(self) -> "Figure":
        """Plot the loss by learning rate, with the suggested rate marked."""
        from firstread.core.figures import PALETTE, new_figure

        figure, axes = new_figure(panel_width_inches=7.0, panel_height_inches=4.0)
        axis = axes[0, 0]
        axis.plot(self.rates, self.raw_losses, ".", color=PALETTE[4], markersize=4, label="each batch")
        axis.plot(self.rates, self.losses, color=PALETTE[0], label="smoothed")
        marks = (("suggested", self.suggestion, PALETTE[1], "--"), ("steepest fall", self.steepest, PALETTE[2], ":"))
        for name, rate, color, style in marks:
            if rate is not None:
                axis.axvline(rate, color=color, linestyle=style, label=f"{name}: {rate:.1e}")
        axis.set_xscale("log")
        low, high = float(self.losses.min()), float(self.losses[0])
        axis.set_ylim(max(0.0, low - 0.2 * (high - low) - 0.05), max(high, low) * 1.6 + 0.05)
        axis.set(xlabel="learning rate: how far each weight moves in a step", ylabel="loss: how wrong the network is")
        axis.set_title("Too small: nothing moves. Too large: it runs away.")
        axis.legend(fontsize=9)
        return figure

    @property
    def _lowest(self) -> int:
        return int(self.losses.argmin())

    def __repr__(self) -> str:
        span = f"{len(self.rates)} rates from {self.rates[0]:.1e} to {self.rates[-1]:.1e}"
        end = "where the loss ran away" if self.diverged else "without the loss running away"
        if self.suggestion is None:
            return f"Learning-rate range test: {span}, {end}. The loss never fell: no rate can be suggested."
        return (
            f"Learning-rate range test: {span}, {end}. Suggested: {self.suggestion:.1e} (middle of the longest fall); "
            f"the loss falls fastest at {self.steepest:.1e}."
        )


def smooth(losses: np.ndarray) -> np.ndarray:
    """Exponentially weighted mean of the losses so far, corrected for its beginning: (N,) -> (N,).

    Example:
        >>> smooth(np.array([2.0, 2.0, 2.0])).round(6).tolist()
        [2.0, 2.0, 2.0]
    """
    smoothed, mean = np.empty(len(losses)), 0.0
    for index, loss in enumerate(losses):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * float(loss)
        smoothed[index] = mean / (1 - _SMOOTHING ** (index + 1))
    return smoothed


def longest_fall(losses: np.ndarray) -> list[int]:
    """Indices of the longest strictly falling subsequence of (N,) losses, the earliest of equally long ones.

    Example:
        >>> longest_fall(np.array([3.0, 5.0, 2.0, 4.0, 1.0]))
        [0, 2, 4]
    """
    lengths, before = np.ones(len(losses), int), np.full(len(losses), -1)
    for index in range(1, len(losses)):
        higher = np.flatnonzero(losses[:index] > losses[index])
        if len(higher):
            before[index] = higher[lengths[higher].argmax()]
            lengths[index] = lengths[before[index]] + 1
    found = [int(lengths.argmax())] if len(losses) else []
    while found and before[found[-1]] >= 0:
        found.append(int(before[found[-1]]))
    return found[::-1]
