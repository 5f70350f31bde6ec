"""Figures of an evaluation: ROC, precision-recall, confusion matrix, calibration, model beside trivial rules."""

from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.figures import LINE_STYLES, PALETTE, new_figure
from firstread.core.predictions import Predictions
from firstread.evaluation.calibration import reliability_table

if TYPE_CHECKING:
    import pandas as pd


def draw_roc(axis: Any, predictions: Predictions, areas: "dict[str, str]") -> None:
    """ROC curve of the positive class, or of each class against the rest; `areas` holds what the legend says of each."""
    from sklearn.metrics import roc_curve

    known = predictions.truth >= 0
    truth, scores = predictions.truth[known], predictions.scores[known]
    wanted = [1] if len(predictions.classes) == 2 else range(len(predictions.classes))
    for number, index in enumerate(wanted):
        positive = (truth == index).astype(int)
        if 0 < positive.sum() < len(positive):
            false_rate, true_rate, _ = roc_curve(positive, scores[:, index])
            style = {"color": PALETTE[number % 7], "linestyle": LINE_STYLES[number % 7]}
            axis.plot(
                false_rate,
                true_rate,
                **style,
                linewidth=2,
                label=f"{predictions.classes[index]}: {areas[predictions.classes[index]]}",
            )
    axis.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    axis.set(xlabel="1 - specificity", ylabel="Sensitivity", title="ROC: AUC with interval", aspect="equal")
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axis.legend(loc="lower right", fontsize=9)


def draw_precision_recall(axis: Any, predictions: Predictions) -> None:
    """Precision-recall curve; the thin line is what chance would give."""
    from sklearn.metrics import precision_recall_curve

    known = predictions.truth >= 0
    truth, scores = predictions.truth[known], predictions.scores[known]
    wanted = [1] if len(predictions.classes) == 2 else range(len(predictions.classes))
    for number, index in enumerate(wanted):
        positive = (truth == index).astype(int)
        if positive.sum():
            precision, recall, _ = precision_recall_curve(positive, scores[:, index])
            style = {"color": PALETTE[number % 7], "linestyle": LINE_STYLES[number % 7]}
            axis.plot(recall, precision, **style, linewidth=2, label=predictions.classes[index])
            axis.axhline(positive.mean(), color=PALETTE[number % 7], linewidth=0.6)
    axis.set(xlabel="Sensitivity (recall)", ylabel="PPV (precision)", title="Precision and recall")
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    axis.legend(loc="lower left", fontsize=9)


def draw_confusion(axis: Any, table: "pd.DataFrame") -> None:
    """Confusion matrix: rows the truth, columns the answer; counts in every cell."""
    counts = table.to_numpy()
    shares = counts / np.clip(counts.sum(axis=1, keepdims=True), 1, None)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.55 else "black"
        axis.text(column, row, f"{count:g}", ha="center", va="center", color=colour, fontsize=11)
    axis.set_xticks(
        range(len(table)),
        table.columns,
        rotation=0 if len(table) < 4 else 35,
        ha="center" if len(table) < 4 else "right",
    )
    axis.set_yticks(range(len(table)), table.index)
    axis.set(xlabel="Answer", ylabel="Truth", title="Confusion matrix")
    axis.grid(False)


def draw_calibration(axis: Any, predictions: Predictions) -> None:
    """Observed share against score, in groups of equal size, for the positive class of two."""
    known = predictions.truth >= 0
    table = reliability_table(predictions.truth[known], predictions.scores[known, 1])
    spread = [(table["observed"] - table["low"]).clip(lower=0), (table["high"] - table["observed"]).clip(lower=0)]
    axis.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    axis.errorbar(table["score"], table["observed"], yerr=spread, fmt="o-", color=PALETTE[0], capsize=3)
    axis.set(
        xlabel=f"Score for {predictions.classes[1]}", ylabel="Share that were", title="Calibration", aspect="equal"
    )
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def draw_comparison(axis: Any, table: "pd.DataFrame") -> None:
    """Accuracy of the network and of each trivial rule, with intervals; the network is the square."""
    rows = np.arange(len(table))[::-1]
    for row, (_, entry) in zip(rows, table.iterrows(), strict=True):
        network = entry["role"] == "network"
        spread = [[max(0.0, entry["accuracy"] - entry["low"])], [max(0.0, entry["high"] - entry["accuracy"])]]
        axis.errorbar(
            entry["accuracy"], row, xerr=spread, fmt="s" if network else "o", markersize=8 if network else 6,
            color=PALETTE[1] if network else PALETTE[0], capsize=3, linewidth=2,
        )  # fmt: skip
    axis.set_yticks(rows, table["name"])
    axis.set(
        xlim=(-0.02, 1.02), ylim=(-0.6, len(rows) - 0.4), xlabel="Accuracy, with interval", title="Beside trivial rules"
    )


def overview(
    predictions: Predictions, confusion: "pd.DataFrame", comparison: "pd.DataFrame", *, areas: dict[str, str]
) -> Any:
    """One figure: ROC, confusion matrix, and the network beside the trivial rules if there are any."""
    panels = 3 if len(comparison) > 1 else 2
    figure, axes = new_figure(1, panels, width=4.9, height=4.3)
    draw_roc(axes[0, 0], predictions, areas)
    draw_confusion(axes[0, 1], confusion)
    if panels == 3:
        draw_comparison(axes[0, 2], comparison)
    return figure


def details(predictions: Predictions) -> Any:
    """One figure: precision-recall, and for two classes calibration."""
    binary = len(predictions.classes) == 2
    figure, axes = new_figure(1, 1 + binary, width=4.9, height=4.3)
    draw_precision_recall(axes[0, 0], predictions)
    if binary:
        draw_calibration(axes[0, 1], predictions)
    return figure
