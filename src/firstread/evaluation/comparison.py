"""`compare`: accuracies of several predictions of the same cases, with intervals and paired McNemar tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.errors import DataError
from firstread.core.files import to_jsonable
from firstread.core.predictions import Predictions

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Comparison:
    """Result of `compare`: accuracies, paired tests and a conclusion.

    Attributes:
        table: one row a set of predictions: `name`, `correct`, `cases`, `accuracy`, `low`, `high` (Wilson interval).
        pairs: one row a pair: `first`, `second`, `only_first_correct`, `only_second_correct`, `p_value` (exact
            McNemar test on the cases that both predicted).
        confidence: of the intervals, such as 0.95.
    """

    table: "pd.DataFrame"
    pairs: "pd.DataFrame"
    confidence: float

    @property
    def conclusion(self) -> str:
        """The conclusion in a sentence: significant differences, or that there is none."""
        significant = self.pairs[self.pairs["p_value"] * max(1, len(self.pairs)) < 1 - self.confidence]
        cases = int(self.table["cases"].min())
        if significant.empty:
            return (
                f"{len(self.table)} results on {cases} cases cannot be told apart: every difference is one that chance "
                "alone often makes."
            )
        return " ".join(
            f"{_better(row)} is better than {_worse(row)} on these cases (exact McNemar test, p = {row.p_value:.3g}, "
            f"{len(self.pairs)} pairs tested)."
            for row in significant.itertuples()
        )

    def figure(self) -> "Figure":
        """Figure of each accuracy with its interval, as points with error bars."""
        from firstread.core.figures import PALETTE, new_figure

        figure, axes = new_figure(panel_width_inches=7.5, panel_height_inches=0.9 + 0.45 * len(self.table))
        axis = axes[0, 0]
        rows = np.arange(len(self.table))[::-1]
        accuracy = self.table["accuracy"].to_numpy(float)
        below, above = accuracy - self.table["low"].to_numpy(float), self.table["high"].to_numpy(float) - accuracy
        spread = [below.clip(0), above.clip(0)]
        axis.errorbar(accuracy, rows, xerr=spread, fmt="o", color=PALETTE[0], capsize=4, linewidth=2)
        axis.set_yticks(rows, self.table["name"])
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(rows) - 0.4), xlabel=f"Accuracy, {self.confidence:.0%} interval")
        return figure

    def to_json(self) -> dict[str, Any]:
        """Results, pairs, confidence and conclusion as JSON-serializable values."""
        values: dict[str, Any] = to_jsonable(
            {
                "results": self.table.to_dict("records"),
                "pairs": self.pairs.to_dict("records"),
                "confidence": self.confidence,
                "conclusion": self.conclusion,
            }
        )
        return values

    def __repr__(self) -> str:
        return f"{self.table.to_string(index=False, float_format='{:.3f}'.format)}\n\n{self.conclusion}"

    def _repr_html_(self) -> str:
        from html import escape

        from firstread.core.figures import data_url, png_bytes

        table = self.table.to_html(index=False, float_format="{:.3f}".format, border=0)
        image = f'<img style="max-width:100%" alt="accuracies" src="{data_url(png_bytes(self.figure(), dpi=100))}">'
        return f"{table}{image}<p><b>{escape(self.conclusion)}</b></p>"


def compare(results: Mapping[str, Predictions], *, confidence: float = 0.95) -> Comparison:
    """Compare the accuracies of several predictions of the same cases, with intervals and paired tests.

    A radiologist should care because two accuracies that differ are seldom two networks that differ: with a few dozen
    cases, another seed reverses the order.

    Args:
        results: name -> predictions; each of the same cases. Cases without a truth are left out.
        confidence: of the Wilson intervals, and one minus the significance level of the pairs (with Bonferroni's
            correction).

    Returns:
        A table, a figure and a conclusion.

    Raises:
        DataError: nothing to compare, or the predictions are not of the same cases.

    Example:
        >>> import pandas as pd
        >>> from firstread.core.tasks import Classification
        >>> table = pd.DataFrame({"case": list("abcd"), "truth": list("nynn"), "score_n": [0.9, 0.2, 0.8, 0.7]})
        >>> answers = Predictions(table.assign(score_y=1 - table["score_n"]), Classification(("n", "y")))
        >>> comparison = fr.compare({"first": answers, "second": answers})
        >>> comparison.table["accuracy"].tolist()
        [1.0, 1.0]

    Source:
        Wilson 1927, doi 10.1080/01621459.1927.10502953; McNemar 1947, doi 10.1007/BF02295996.
    """
    import pandas as pd
    from scipy.stats import binomtest

    if not results:
        raise DataError("There is nothing to compare", expected="a dictionary of name and predictions")
    correct_by_name = {name: _correct_by_case(predictions) for name, predictions in results.items()}
    names = list(correct_by_name)
    cases = set(correct_by_name[names[0]].index)
    for name in names[1:]:
        if set(correct_by_name[name].index) != cases:
            raise DataError(
                "The predictions are not of the same cases", where=f'"{name}"', do="predict the same cohort with each"
            )
    rows = []
    for name, correct in correct_by_name.items():
        low, high = binomtest(int(correct.sum()), len(correct)).proportion_ci(confidence, method="wilson")
        rows.append((name, int(correct.sum()), len(correct), float(correct.mean()), low, high))
    pairs = [
        _mcnemar_test(first, second, correct_by_name[first], correct_by_name[second])
        for index, first in enumerate(names)
        for second in names[index + 1 :]
    ]
    return Comparison(
        table=pd.DataFrame(rows, columns=["name", "correct", "cases", "accuracy", "low", "high"]),
        pairs=pd.DataFrame(pairs, columns=["first", "second", "only_first_correct", "only_second_correct", "p_value"]),
        confidence=confidence,
    )


def _correct_by_case(predictions: Predictions) -> "pd.Series":
    """Whether each case with a known truth is predicted correctly, indexed by case."""
    import pandas as pd

    known = predictions.truth >= 0
    if not known.any():
        raise DataError("No case has a truth to compare with", where=predictions.model)
    correct = (predictions.predicted == predictions.truth)[known]
    return pd.Series(correct, index=predictions.table["case"].to_numpy()[known])


def _mcnemar_test(first: str, second: str, a: "pd.Series", b: "pd.Series") -> tuple[str, str, int, int, float]:
    """Exact McNemar test of two series of correctness: a row of `Comparison.pairs`."""
    from scipy.stats import binomtest

    b = b.loc[a.index]
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    p_value = 1.0 if only_a + only_b == 0 else float(binomtest(only_a, only_a + only_b).pvalue)
    return first, second, only_a, only_b, p_value


def _better(row: Any) -> str:
    """Name of the more accurate of a row of `Comparison.pairs`."""
    return str(row.first if row.only_first_correct > row.only_second_correct else row.second)


def _worse(row: Any) -> str:
    """Name of the less accurate of a row of `Comparison.pairs`."""
    return str(row.second if row.only_first_correct > row.only_second_correct else row.first)
