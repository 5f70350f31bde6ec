"""Plots of an evaluation: ROC, precision-recall, confusion matrix, calibration, comparison with trivial rules."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.figures import LINE_STYLES, PALETTE, new_figure
from firstread.core.predictions import Predictions
from firstread.evaluation.calibration import reliability_table
from firstread.evaluation.calibration_curve import calibration_curve
from firstread.evaluation.decision_curve import decision_curve, plot_decision_curve
from firstread.evaluation.scored_cases import ScoredCases

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


#: thresholds of the decision curve, 2 to 98 %
_PLOTTED_THRESHOLDS = tuple(percent / 100 for percent in range(2, 100, 4))


def plot_roc(ax: "Axes", predictions: Predictions, auc_texts: dict[str, str]) -> None:
    """Plot the ROC curve of the positive class, or of each class against the rest; `auc_texts` go to the legend."""
    from sklearn.metrics import roc_curve

    known = predictions.truth >= 0
    truth, scores = predictions.truth[known], predictions.scores[known]
    for number, index in enumerate(_plotted_classes(predictions)):
        positive = (truth == index).astype(int)
        if 0 < positive.sum() < len(positive):
            false_rate, true_rate, _ = roc_curve(positive, scores[:, index])
            label = f"{predictions.classes[index]}: {auc_texts[predictions.classes[index]]}"
            ax.plot(false_rate, true_rate, **_curve_style(number), linewidth=2, label=label)
    ax.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    ax.set(xlabel="1 - specificity", ylabel="Sensitivity", title="ROC: AUC with interval", aspect="equal")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.legend(loc="lower right", fontsize=9)


def plot_precision_recall(ax: "Axes", predictions: Predictions) -> None:
    """Plot the precision-recall curve; the thin line is the precision of chance."""
    from sklearn.metrics import precision_recall_curve

    known = predictions.truth >= 0
    truth, scores = predictions.truth[known], predictions.scores[known]
    for number, index in enumerate(_plotted_classes(predictions)):
        positive = (truth == index).astype(int)
        if positive.sum():
            precision, recall, _ = precision_recall_curve(positive, scores[:, index])
            ax.plot(recall, precision, **_curve_style(number), linewidth=2, label=predictions.classes[index])
            ax.axhline(positive.mean(), color=PALETTE[number % 7], linewidth=0.6)
    ax.set(xlabel="Sensitivity (recall)", ylabel="PPV (precision)", title="Precision and recall")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    ax.legend(loc="lower left", fontsize=9)


def plot_confusion(ax: "Axes", table: "pd.DataFrame") -> None:
    """Plot a confusion matrix: rows the truth, columns the prediction; counts in every cell."""
    counts = table.to_numpy()
    shares = counts / np.clip(counts.sum(axis=1, keepdims=True), 1, None)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        color = "white" if shares[row, column] > 0.55 else "black"
        ax.text(column, row, f"{count:g}", ha="center", va="center", color=color, fontsize=11)
    rotation, alignment = (0, "center") if len(table) < 4 else (35, "right")
    ax.set_xticks(range(len(table)), table.columns, rotation=rotation, ha=alignment)
    ax.set_yticks(range(len(table)), table.index)
    ax.set(xlabel="Answer", ylabel="Truth", title="Confusion matrix")
    ax.grid(False)


def plot_calibration(ax: "Axes", predictions: Predictions) -> None:
    """Plot the observed share against the score, for the positive class of two: bins, and a curve where cases allow."""
    cases = ScoredCases.of(predictions)
    arrays = (cases.truth, cases.scores[:, 1], cases.units.groups)
    table, curve = reliability_table(*arrays), calibration_curve(*arrays)
    if curve is not None:
        ax.plot(curve["score"], curve["observed"], color=PALETTE[1], linewidth=2, label="smooth curve")
        ax.fill_between(curve["score"], curve["low"], curve["high"], color=PALETTE[1], alpha=0.2, linewidth=0)
        ax.legend(loc="upper left", fontsize=9)
    spread = [(table["observed"] - table["low"]).clip(lower=0), (table["high"] - table["observed"]).clip(lower=0)]
    ax.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    ax.errorbar(table["score"], table["observed"], yerr=spread, fmt="o-", color=PALETTE[0], capsize=3)
    xlabel = f"Score for {predictions.classes[1]}"
    ax.set(xlabel=xlabel, ylabel="Share that were", title="Calibration", aspect="equal")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def plot_comparison(ax: "Axes", table: "pd.DataFrame") -> None:
    """Plot accuracies of the network (square) and of each trivial rule (circles), with intervals."""
    rows = np.arange(len(table))[::-1]
    for row, (_, entry) in zip(rows, table.iterrows(), strict=True):
        spread = [[max(0.0, entry["accuracy"] - entry["low"])], [max(0.0, entry["high"] - entry["accuracy"])]]
        style: dict[str, Any] = {"fmt": "o", "markersize": 6, "color": PALETTE[0]}
        if entry["role"] == "network":
            style = {"fmt": "s", "markersize": 8, "color": PALETTE[1]}
        ax.errorbar(entry["accuracy"], row, xerr=spread, capsize=3, linewidth=2, **style)
    ax.set_yticks(rows, table["name"])
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(rows) - 0.4))
    ax.set(xlabel="Accuracy, with interval", title="Beside trivial rules")


def plot_overview(
    predictions: Predictions, confusion: "pd.DataFrame", comparison: "pd.DataFrame", *, auc_texts: dict[str, str]
) -> "Figure":
    """Figure of ROC, confusion matrix, and the network beside the trivial rules if there are any."""
    panels = 3 if len(comparison) > 1 else 2
    figure, axes = new_figure(1, panels, panel_width_inches=4.9, panel_height_inches=4.3)
    plot_roc(axes[0, 0], predictions, auc_texts)
    plot_confusion(axes[0, 1], confusion)
    if panels == 3:
        plot_comparison(axes[0, 2], comparison)
    return figure


def plot_roc_and_confusion(
    predictions: Predictions, confusion: "pd.DataFrame", *, auc_texts: dict[str, str]
) -> "Figure":
    """Figure of ROC and confusion matrix, at the width of a notebook's page."""
    figure, axes = new_figure(1, 2, panel_width_inches=4.6, panel_height_inches=4.3)
    plot_roc(axes[0, 0], predictions, auc_texts)
    plot_confusion(axes[0, 1], confusion)
    return figure


def plot_beside_rules(comparison: "pd.DataFrame") -> "Figure":
    """Figure of the network beside the trivial rules, at the width of a notebook's page."""
    height_inches = 1.2 + 0.36 * len(comparison)
    figure, axes = new_figure(panel_width_inches=9.2, panel_height_inches=height_inches)
    plot_comparison(axes[0, 0], comparison)
    return figure


def plot_details(predictions: Predictions, *, prevalence: float | None = None) -> "Figure":
    """Figure of precision-recall, and for two classes calibration and net benefit (at a prevalence, if it is given)."""
    binary = len(predictions.classes) == 2
    figure, axes = new_figure(1, 1 + 2 * binary, panel_width_inches=4.9, panel_height_inches=4.3)
    plot_precision_recall(axes[0, 0], predictions)
    if binary:
        plot_calibration(axes[0, 1], predictions)
        cases = ScoredCases.of(predictions)
        curve = decision_curve(
            cases.truth, cases.scores[:, 1], cases.units.groups, prevalence=prevalence, thresholds=_PLOTTED_THRESHOLDS
        )
        plot_decision_curve(axes[0, 2], curve)
    return figure


def _plotted_classes(predictions: Predictions) -> Sequence[int]:
    """Indices of the classes with a curve: the positive one of two, or all."""
    return [1] if len(predictions.classes) == 2 else range(len(predictions.classes))


def _curve_style(number: int) -> dict[str, Any]:
    """Color and line style of curve `number`."""
    return {"color": PALETTE[number % 7], "linestyle": LINE_STYLES[number % 7]}
