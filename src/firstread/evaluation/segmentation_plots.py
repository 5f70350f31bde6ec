"""Plots of a segmentation: Dice by case beside trivial rules, Bland-Altman of volumes, contours in the worst case."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.errors import DataError
from firstread.core.figures import PALETTE, new_figure
from firstread.core.geometry import Geometry, same_grid
from firstread.core.volume import Volume

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TRUTH_COLOR, _PREDICTED_COLOR = "#00E5FF", "#FFB000"
_MISSED_MARKER = "X"


@dataclass(frozen=True)
class Contours:
    """Masks of a case that are drawn as contours.

    Attributes:
        case: its identifier.
        truth: (z, y, x) bool.
        predicted: (z, y, x) bool, on the same grid.
        scan: that is drawn under them, or None.
    """

    case: str
    truth: Volume
    predicted: Volume
    scan: Volume | None = None

    def background(self) -> np.ndarray:
        """Picture under the contours: uint8 (z, y, x); the true mask in gray where no scan fits."""
        if self.scan is not None and not self.scan.is_color:
            with suppress(DataError):
                same_grid(self.scan.geometry, self.truth.geometry)
                return self.scan.shown("abdomen" if self.scan.unit == "HU" else None)
        return self.truth.values * np.uint8(70)


def plot_overview(cases: "pd.DataFrame", comparison: "pd.DataFrame", worst: Mapping[str, Contours | None]) -> "Figure":
    """Figure with a row for each structure: Dice by case, Bland-Altman of volumes, the worst case."""
    structures = list(dict.fromkeys(cases["structure"]))
    models = len(dict.fromkeys(cases["name"]))
    height = max(3.9, 1.4 + 0.65 * models)
    figure, axes = new_figure(len(structures), 3, panel_width_inches=5.0, panel_height_inches=height)
    for row, structure in enumerate(structures):
        mine = cases[cases["structure"] == structure]
        plot_dice(axes[row, 0], mine, comparison[comparison["structure"] == structure])
        plot_bland_altman(axes[row, 1], mine[mine["role"] == "network"])
        contours = worst[structure]
        if contours is not None:
            case = mine[(mine["role"] == "network") & (mine["case"] == contours.case)].iloc[0]
            plot_contours(axes[row, 2], contours, title=f"Worst: {contours.case}, {_outcome(case)}")
        else:
            _leave_empty(axes[row, 2], f"No case has {structure}")
    return figure


def plot_dice(ax: "Axes", cases: "pd.DataFrame", comparison: "pd.DataFrame") -> None:
    """Plot the Dice of each case as a dot, a line a model, with the mean and its interval; missed ones as crosses."""
    rng = np.random.default_rng(0)
    names = list(comparison["name"])
    for row, (_, entry) in enumerate(comparison.iterrows()):
        y, color = len(names) - 1 - row, PALETTE[1] if entry["role"] == "network" else PALETTE[0]
        mine = cases[(cases["name"] == entry["name"]) & cases["dice"].notna()]
        heights = y + 0.18 + rng.uniform(-0.1, 0.1, len(mine))
        missed = (mine["outcome"] == "missed").to_numpy()
        ax.scatter(mine["dice"][~missed], heights[~missed], s=22, color=color, alpha=0.55, linewidths=0)
        ax.scatter(mine["dice"][missed], heights[missed], s=45, color=color, marker=_MISSED_MARKER, linewidths=0)
        spread = np.nan_to_num([[max(0, entry["Dice"] - entry["low"])], [max(0, entry["high"] - entry["Dice"])]])
        ax.errorbar(entry["Dice"], y - 0.15, xerr=spread, fmt="s", color=color, capsize=4, linewidth=2, markersize=7)
        text = f"{entry['Dice']:.3f}, {entry['missed']} missed"
        ax.text(0.0, y - 0.32, text, fontsize=9, va="top", color="#333333")
    labels = [f"{name.removeprefix('rule: ')}" for name in names]
    ax.set_yticks(range(len(names))[::-1], labels)
    structure = cases["structure"].iloc[0]
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.75, len(names) - 0.45), xlabel="Dice: each case, and mean with interval")
    ax.set_title(f"{structure}: network and trivial rules")


def plot_bland_altman(ax: "Axes", cases: "pd.DataFrame") -> None:
    """Plot predicted minus true volume against their mean, with the bias and the limits of agreement.

    Source: Bland and Altman 1986, doi 10.1016/S0140-6736(86)90837-8.
    """
    cases = cases[cases["truth_ml"] > 0]
    mean, difference = (cases["truth_ml"] + cases["predicted_ml"]) / 2, cases["volume_error_ml"]
    missed = (cases["outcome"] == "missed").to_numpy()
    ax.axhline(0, color="#999999", linewidth=1)
    ax.scatter(mean[~missed], difference[~missed], s=26, color=PALETTE[1], alpha=0.7, linewidths=0)
    ax.scatter(mean[missed], difference[missed], s=50, color=PALETTE[1], marker=_MISSED_MARKER, label="missed")
    if len(cases) > 1:
        bias, spread = float(difference.mean()), 1.96 * float(difference.std(ddof=1))
        ax.axhline(bias, color=PALETTE[0], linewidth=2, label=f"mean {bias:+.1f} ml")
        label = f"95 % of cases: {bias - spread:+.0f} to {bias + spread:+.0f} ml"
        ax.axhline(bias - spread, color=PALETTE[0], linewidth=1.3, linestyle="--", label=label)
        ax.axhline(bias + spread, color=PALETTE[0], linewidth=1.3, linestyle="--")
    ax.margins(y=0.1)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.5 * (high - low))  # room for the legend
    ax.set(
        xlabel="Mean of truth and prediction, ml", ylabel="Prediction minus truth, ml", title="Volume (Bland-Altman)"
    )
    handles, labels = ax.get_legend_handles_labels()
    shown = [
        (handle, label) for handle, label in zip(handles, labels, strict=True) if label != "missed" or missed.any()
    ]
    if shown:
        ax.legend(*zip(*shown, strict=True), fontsize=9, loc="upper left")


def plot_contours(ax: "Axes", contours: Contours, *, title: str = "") -> None:
    """Draw the axial slice in which truth and prediction differ most, with both contours."""
    geometry = contours.truth.geometry
    truth, predicted = (axial_view(mask.values, geometry) for mask in (contours.truth, contours.predicted))
    differing = (truth ^ predicted).sum(axis=(1, 2))
    index = int(differing.argmax()) if differing.any() else int(truth.sum(axis=(1, 2)).argmax())
    background = axial_view(contours.background(), geometry)[index]
    ax.imshow(background, cmap="gray", vmin=0, vmax=255, aspect=pixel_aspect(geometry), interpolation="nearest")
    for mask, color, style, name in (
        (truth[index], _TRUTH_COLOR, "solid", "truth"),
        (predicted[index], _PREDICTED_COLOR, "dashed", "prediction"),
    ):
        if mask.any():
            ax.contour(mask.astype(float), [0.5], colors=[color], linestyles=[style], linewidths=1.8)
        ax.plot([], [], color=color, linestyle=style, label=name if mask.any() else f"{name}: nothing here")
    ax.legend(fontsize=9, loc="upper left", labelcolor="white", facecolor="black", framealpha=0.55, frameon=True)
    _zoom(ax, truth[index] | predicted[index])
    ax.set(xticks=[], yticks=[], title=title)
    ax.grid(False)


def axial_view(values: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Values (z, y, x) of any orientation as a radiologist looks at them: (slices from the feet, rows, columns).

    Anterior is at the top and the patient's right at the left; oblique axes are taken for the nearest ones.
    """
    order, flipped = _axial_axes(geometry)
    view = values.transpose(order)
    return view[tuple(slice(None, None, -1) if flip else slice(None) for flip in flipped)]


def pixel_aspect(geometry: Geometry) -> float:
    """Height of a pixel of `axial_view` as a multiple of its width."""
    (_, row, column), _ = _axial_axes(geometry)
    return geometry.spacing_mm_zyx[row] / geometry.spacing_mm_zyx[column]


def _axial_axes(geometry: Geometry) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Axes of the array that run to superior, posterior and left, and whether each runs the other way."""
    from scipy.optimize import linear_sum_assignment

    axes = geometry.affine_lps[:3, :3] / np.linalg.norm(geometry.affine_lps[:3, :3], axis=0)
    directions, arrays = linear_sum_assignment(np.abs(axes), maximize=True)  # each direction (L, P, S) its own axis
    of_direction = dict(zip(directions.tolist(), arrays.tolist(), strict=True))
    s, p, left = of_direction[2], of_direction[1], of_direction[0]
    return (s, p, left), (bool(axes[2, s] < 0), bool(axes[1, p] < 0), bool(axes[0, left] < 0))


def _zoom(ax: "Axes", mask: np.ndarray) -> None:
    """Show the mask with as much around it again, at least 48 pixels; nothing changes for an empty one."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return
    reach = max(24.0, np.ptp(rows) * 0.8, np.ptp(columns) * 0.8)
    row, column = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
    height, width = mask.shape
    ax.set_xlim(max(-0.5, column - reach), min(width - 0.5, column + reach))
    ax.set_ylim(min(height - 0.5, row + reach), max(-0.5, row - reach))


def _outcome(case: "pd.Series") -> str:
    return "missed" if case["outcome"] == "missed" else f"Dice {case['dice']:.3f}"


def _leave_empty(ax: "Axes", text: str) -> None:
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes)
    ax.axis("off")
