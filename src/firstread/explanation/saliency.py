"""Maps of what moved a network's answer: Grad-CAM and occlusion, by MONAI, with a sanity check."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from firstread.core.case import Case
from firstread.core.errors import SettingError, suggest
from firstread.core.images import resize_square, to_grayscale
from firstread.explanation.grad_cam import grad_cam
from firstread.explanation.occlusion import occlusion
from firstread.learning.models import Classifier

METHODS = ("grad-cam", "occlusion")


@dataclass(frozen=True)
class Explanation:
    """A map for one image.

    Attributes:
        map: (S, S) float, 0 (did not matter) to 1 (mattered most).
        image: (S, S) or (S, S, 3) uint8, as the network got it.
        target: the class that the map is for.
        scores: class -> score.
        method: "grad-cam" or "occlusion".
        title: what is shown above the figure.
    """

    map: np.ndarray
    image: np.ndarray
    target: str
    scores: dict[str, float]
    method: str
    title: str = ""

    def show(self) -> Any:
        """The image, and the image under its map; returns the figure."""
        from firstread.core.figures import new_figure

        figure, axes = new_figure(1, 2, width=3.6, height=3.5)
        for axis in axes[0]:
            axis.imshow(self.image, cmap="gray", vmin=0, vmax=255)
            axis.axis("off")
        drawn = axes[0, 1].imshow(self.map, cmap="inferno", alpha=0.25 + 0.45 * self.map, vmin=0, vmax=1)
        bar = figure.colorbar(drawn, ax=axes[0, 1], shrink=0.8, ticks=[0, 1])
        bar.ax.set_yticklabels(["little", "much"])
        axes[0, 0].set_title(self.title or "the image")
        axes[0, 1].set_title(
            f"{self.method}: what spoke\nfor {self.target} ({self.scores[self.target]:.2f})", fontsize=10
        )
        return figure


def explain(model: Classifier, case: Case, *, method: str = "grad-cam", target: str | None = None) -> Explanation:
    """Which parts of an image moved the score of a class?

    A map is a hint and no proof: look at `sanity_check` before you believe one.

    Args:
        model: a trained network.
        case: the image.
        method: "grad-cam" (fast, coarse: Selvaraju 2017, doi 10.1109/ICCV.2017.74) or "occlusion" (slow: covers each
            part in turn and watches the score: Zeiler 2014, doi 10.1007/978-3-319-10590-1_53).
        target: a class; default the one that the network says.

    Raises:
        SettingError: an unknown method or class.
    """
    if method not in METHODS:
        raise SettingError(f'There is no method "{method}".{suggest(method, METHODS)}')
    if target is not None and target not in model.classes:
        raise SettingError(f'The network knows no class "{target}".{suggest(target, model.classes)}')
    image = resize_square(to_grayscale(case.image()) if model.channels == 1 else _colour(case.image()), model.size)
    model.eval()
    pixels = model.prepare(image[None])
    with torch.inference_mode():
        scores = model.probabilities(model(pixels))[0].numpy()
    index = model.classes.index(target) if target else int(scores.argmax())
    found = grad_cam(model, pixels, index) if method == "grad-cam" else occlusion(model, pixels, index)
    named = dict(zip(model.classes, map(float, scores), strict=True))
    title = f"truth: {case.label}" if case.label else case.case
    return Explanation(_zero_to_one(found), image, model.classes[index], named, method, title)


def _zero_to_one(found: np.ndarray) -> np.ndarray:
    found = np.nan_to_num(found.astype(np.float64))
    span = np.ptp(found)
    return (found - found.min()) / span if span > 0 else np.zeros_like(found)


def _colour(image: np.ndarray) -> np.ndarray:
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
