"""Saliency maps: which parts of an image moved a network's score, by Grad-CAM or occlusion, both computed here."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from firstread.core.case import Case
from firstread.core.errors import SettingError, suggest
from firstread.explanation.grad_cam import compute_grad_cam, find_target_layer
from firstread.explanation.occlusion import compute_occlusion, patch_side
from firstread.learning.examples import read_picture
from firstread.learning.models import Classifier
from firstread.learning.models.protocol import check_explainable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

METHODS = ("grad-cam", "occlusion")


@dataclass(frozen=True)
class Explanation:
    """A saliency map of one image for one class.

    Attributes:
        map: (S, S) float, 0 (did not matter) to 1 (mattered most); all 0 where nothing spoke for the class.
        image: (S, S) or (S, S, 3) uint8, as the network got it.
        target: the class that the map is for.
        scores: class -> score.
        method: "grad-cam" or "occlusion".
        title: title of the figure.
        resolution: how finely the method sees: the grid of Grad-CAM's layer, or the patch of occlusion.
        layer: the layer of the backbone that Grad-CAM reads; "" for occlusion.
    """

    map: np.ndarray
    image: np.ndarray
    target: str
    scores: dict[str, float]
    method: str
    title: str = ""
    resolution: str = ""
    layer: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether nothing in the image spoke for the class, so that there is no map."""
        return not self.map.max() > 0

    @property
    def peak(self) -> tuple[int, int] | None:
        """Row and column of the map's largest value; None if it is blank."""
        if self.is_blank:
            return None
        row, column = np.unravel_index(int(self.map.argmax()), self.map.shape)
        return int(row), int(column)

    def show(self, *others: "Explanation") -> "Figure":
        """Draw the image, and the image under its map with a ring around the peak; returns the figure.

        Args:
            others: further maps of the same image, drawn beside this one.
        """
        from firstread.core.figures import new_figure

        maps = (self, *others)
        figure, axes = new_figure(1, 1 + len(maps), panel_width_inches=3.6, panel_height_inches=3.6)
        axes[0, 0].imshow(self.image, cmap="gray", vmin=0, vmax=255)
        axes[0, 0].set_title(self.title or "the image")
        axes[0, 0].axis("off")
        for axis, explanation in zip(axes[0, 1:], maps, strict=True):
            overlay = _draw_map(axis, explanation)
        colorbar = figure.colorbar(overlay, ax=axes[0, -1], shrink=0.8, ticks=[0, 1])
        colorbar.ax.set_yticklabels(["little", "much"])
        return figure

    def __str__(self) -> str:
        method = f"{self.method} ({f'layer {self.layer}, ' if self.layer else ''}{self.resolution})"
        said = f"{method}, for {self.target} ({self.scores[self.target]:.2f})"
        if self.peak is None:
            return f"{said}: this map is blank, nothing in the image spoke for {self.target}."
        down, right = ((value + 0.5) / side for value, side in zip(self.peak, self.map.shape, strict=True))
        return f"{said}: its peak lies {right:.0%} of the width from the left, {down:.0%} of the height from the top."


def explain(model: Classifier, case: Case, *, method: str = "grad-cam", target: str | None = None) -> Explanation:
    """Compute the saliency map of a class: which parts of the image moved its score, where the network lies.

    A map is a hint and no proof: look at `sanity_check` before you believe one. Grad-CAM is coarse and can miss a small
    thing on which everything depends; where the place matters, look at occlusion too.

    Args:
        model: a trained network.
        case: the image.
        method: "grad-cam" (fast, coarse: Selvaraju 2017, doi 10.1109/ICCV.2017.74) or "occlusion" (slow: covers each
            part in turn and watches the score: Zeiler 2014, doi 10.1007/978-3-319-10590-1_53).
        target: a class; default the one that the network says.

    Raises:
        SettingError: an unknown method or class, or a network that answers no classes.

    Example:
        >>> cohort = fr.split_by_patient(fr.simulate_patients(10, size=64))
        >>> model = fr.build_model(classes=cohort.classes, size=96)
        >>> explanation = fr.explain(model, cohort.test[0])
        >>> explanation.map.shape, explanation.method, explanation.resolution
        ((96, 96), 'grad-cam', '6 x 6 grid')
        >>> figure = explanation.show(fr.explain(model, cohort.test[0], method="occlusion"))  # side by side
    """
    check_explainable(model)
    if method not in METHODS:
        raise SettingError(f'There is no method "{method}".{suggest(method, METHODS)}')
    if target is not None and target not in model.classes:
        raise SettingError(f'The network knows no class "{target}".{suggest(target, model.classes)}')
    image = read_picture(case, model.inputs)
    model.eval()
    pixels = model.prepare(image[None])
    with torch.inference_mode():
        scores = model.probabilities(model(pixels))[0].cpu().numpy()
    index = model.classes.index(target) if target else int(scores.argmax())
    layer, resolution = _describe_method(model, method)
    return Explanation(
        compute_map(model, pixels, index, method=method),
        image,
        model.classes[index],
        dict(zip(model.classes, map(float, scores), strict=True)),
        method,
        f"truth: {case.label}" if case.label else case.case,
        resolution,
        layer,
    )


def compute_map(model: Classifier, pixels: torch.Tensor, index: int, *, method: str) -> np.ndarray:
    """Saliency map of output `index` of a network in evaluation mode: (1, C, S, S) pixels -> (S, S), 0 to 1."""
    compute = compute_grad_cam if method == "grad-cam" else compute_occlusion
    return _rescale_to_unit_range(compute(model, pixels, index))


def _describe_method(model: Classifier, method: str) -> tuple[str, str]:
    """Layer and resolution of a method's maps, in words."""
    if method == "grad-cam":
        layer = find_target_layer(model)
        return layer.name, f"{layer.rows} x {layer.columns} grid"
    side = patch_side(model.size)
    return "", f"patches of {side} x {side} pixels"


def _rescale_to_unit_range(values: np.ndarray) -> np.ndarray:
    values = np.nan_to_num(values.astype(np.float64))
    span = np.ptp(values)
    return (values - values.min()) / span if span > 0 else np.zeros_like(values)


def _draw_map(axis: "Axes", explanation: Explanation) -> "AxesImage":
    """Draw the image under its map; returns the overlay, for the colorbar."""
    axis.imshow(explanation.image, cmap="gray", vmin=0, vmax=255)
    overlay = axis.imshow(explanation.map, cmap="inferno", alpha=0.25 + 0.45 * explanation.map, vmin=0, vmax=1)
    axis.axis("off")
    method = f"{explanation.method}, {explanation.resolution}"
    target = f"{explanation.target} ({explanation.scores[explanation.target]:.2f})"
    if explanation.peak is None:
        axis.set_title(f"{method}\nthis map is blank: nothing spoke\nfor {target}", fontsize=10)
        return overlay
    row, column = explanation.peak
    axis.plot(column, row, marker="o", markersize=16, markerfacecolor="none", markeredgecolor="white")
    axis.set_title(f"{method}\nwhat spoke for {target}; ring: the peak", fontsize=10)
    return overlay
