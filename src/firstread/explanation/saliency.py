"""Saliency maps: which parts of an image moved a network's score, by Grad-CAM (our own) or occlusion (MONAI's)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from firstread.core.case import Case
from firstread.core.errors import SettingError, suggest
from firstread.explanation.grad_cam import compute_grad_cam
from firstread.explanation.occlusion import compute_occlusion
from firstread.learning.examples import read_picture
from firstread.learning.models import Classifier
from firstread.learning.models.protocol import check_explainable

METHODS = ("grad-cam", "occlusion")


@dataclass(frozen=True)
class Explanation:
    """A saliency map of one image for one class.

    Attributes:
        map: (S, S) float, 0 (did not matter) to 1 (mattered most).
        image: (S, S) or (S, S, 3) uint8, as the network got it.
        target: the class that the map is for.
        scores: class -> score.
        method: "grad-cam" or "occlusion".
        title: title of the figure.
    """

    map: np.ndarray
    image: np.ndarray
    target: str
    scores: dict[str, float]
    method: str
    title: str = ""

    def show(self) -> Any:
        """Draw the image, and the image under its map; returns the figure."""
        from firstread.core.figures import new_figure

        figure, axes = new_figure(1, 2, panel_width_inches=3.6, panel_height_inches=3.5)
        for axis in axes[0]:
            axis.imshow(self.image, cmap="gray", vmin=0, vmax=255)
            axis.axis("off")
        overlay = axes[0, 1].imshow(self.map, cmap="inferno", alpha=0.25 + 0.45 * self.map, vmin=0, vmax=1)
        colorbar = figure.colorbar(overlay, ax=axes[0, 1], shrink=0.8, ticks=[0, 1])
        colorbar.ax.set_yticklabels(["little", "much"])
        axes[0, 0].set_title(self.title or "the image")
        axes[0, 1].set_title(
            f"{self.method}: what spoke\nfor {self.target} ({self.scores[self.target]:.2f})", fontsize=10
        )
        return figure


def explain(model: Classifier, case: Case, *, method: str = "grad-cam", target: str | None = None) -> Explanation:
    """Compute the saliency map of a class: which parts of the image moved its score, where the network lies.

    A map is a hint and no proof: look at `sanity_check` before you believe one.

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
        >>> explanation.map.shape, explanation.method
        ((96, 96), 'grad-cam')
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
    compute = compute_grad_cam if method == "grad-cam" else compute_occlusion
    saliency = _rescale_to_unit_range(compute(model, pixels, index))
    score_by_class = dict(zip(model.classes, map(float, scores), strict=True))
    title = f"truth: {case.label}" if case.label else case.case
    return Explanation(saliency, image, model.classes[index], score_by_class, method, title)


def _rescale_to_unit_range(values: np.ndarray) -> np.ndarray:
    values = np.nan_to_num(values.astype(np.float64))
    span = np.ptp(values)
    return (values - values.min()) / span if span > 0 else np.zeros_like(values)
