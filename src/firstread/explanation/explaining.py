"""Maps of what moved a network's answer: Grad-CAM and occlusion, by MONAI, with a sanity check."""

import copy
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from firstread.core.errors import SettingError, suggest
from firstread.core.images import resize_square, to_grayscale
from firstread.core.study import Study
from firstread.learning.loop import images_at_once
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


def explain(model: Classifier, study: Study, *, method: str = "grad-cam", target: str | None = None) -> Explanation:
    """Which parts of an image moved the score of a class?

    A map is a hint and no proof: look at `sanity_check` before you believe one.

    Args:
        model: a trained network.
        study: the image.
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
    image = resize_square(to_grayscale(study.image()) if model.channels == 1 else _colour(study.image()), model.size)
    model.eval()
    pixels = model.prepare(image[None])
    with torch.inference_mode():
        scores = model.probabilities(model(pixels))[0].numpy()
    index = model.classes.index(target) if target else int(scores.argmax())
    found = _grad_cam(model, pixels, index) if method == "grad-cam" else _occlusion(model, pixels, index)
    named = dict(zip(model.classes, map(float, scores), strict=True))
    title = f"truth: {study.label}" if study.label else study.case
    return Explanation(_zero_to_one(found), image, model.classes[index], named, method, title)


def sanity_check(model: Classifier, study: Study, *, method: str = "grad-cam", draws: int = 3) -> str:
    """Would a network that has learnt nothing have drawn the same map? In a sentence.

    Compares the map with those of the same network with random weights, by rank correlation. A map that stays the same shows the
    image and not what was learnt. Source: Adebayo 2018, arXiv 1810.03292.
    """
    likeness = sanity_correlation(model, study, method=method, draws=draws)
    if np.isnan(likeness):
        return "This map is blank: nothing in the image spoke for the answer, so there is nothing to check."
    if likeness > 0.5:
        return (
            f"Do not trust this map: networks with random weights draw nearly the same (rank correlation {likeness:.2f}). "
            "It shows the image, not what was learnt."
        )
    return (
        f"This map depends on what was learnt: networks with random weights draw another one (rank correlation "
        f"{likeness:.2f}; 1 would be the same map)."
    )


def sanity_correlation(model: Classifier, study: Study, *, method: str = "grad-cam", draws: int = 3) -> float:
    """Mean rank correlation (-1 to 1) of the map with those of randomised networks; NaN if the map is blank."""
    from scipy.stats import spearmanr

    own = explain(model, study, method=method)
    if np.ptp(own.map) == 0:
        return float("nan")
    values = []
    for seed in range(draws):
        other = explain(_randomised(model, seed), study, method=method, target=own.target)
        if np.ptp(other.map) > 0:
            values.append(float(spearmanr(own.map.ravel(), other.map.ravel()).statistic))
        else:
            values.append(0.0)
    return float(np.mean(values))


class _Signed(nn.Module):
    """A network of one output seen as two, so that the negative class has a score to explain."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, C, S, S) -> (N, K) logits."""
        logits = self.model(pixels)
        return torch.cat([-logits, logits], dim=1) if logits.shape[1] == 1 else logits


def _grad_cam(model: Classifier, pixels: torch.Tensor, index: int) -> np.ndarray:
    """(1, C, S, S) pixels -> (S, S) map: the last map's features, each weighted by how much the score rises with it, without those that speak against it."""
    seen: list[torch.Tensor] = []

    def look(_: nn.Module, __: Any, features: torch.Tensor) -> torch.Tensor:
        seen.append(features)
        return features.clone()  # what follows may change its input in place

    hook = model.backbone.get_submodule(last_map_layer(model)).register_forward_hook(look)
    try:
        with torch.enable_grad():
            score = _Signed(model)(pixels.clone().requires_grad_())[0, index]
            (slope,) = torch.autograd.grad(score, seen[0])
    finally:
        hook.remove()
    found = (slope.mean(dim=(2, 3), keepdim=True) * seen[0].detach()).sum(dim=1, keepdim=True).relu()
    found = torch.nn.functional.interpolate(found, size=pixels.shape[2:], mode="bilinear", align_corners=False)
    return found[0, 0].numpy()


def _occlusion(model: Classifier, pixels: torch.Tensor, index: int) -> np.ndarray:
    from monai.visualize import OcclusionSensitivity

    patch = max(8, model.size // 8)
    watch = OcclusionSensitivity(
        nn_module=_Signed(model),
        mask_size=patch,
        overlap=0.5,
        n_batch=images_at_once(model.size),
        mode="mean_patch",
        verbose=False,
    )
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # MONAI's way of indexing; its result is tested
        scores, _ = watch(x=pixels)
        whole = _Signed(model)(pixels)[0, index]
    lost = (whole - scores[0, index]).clamp_min(0)[None, None]
    lost = torch.nn.functional.interpolate(lost, size=pixels.shape[2:], mode="bilinear", align_corners=False)
    return lost[0, 0].numpy()


@torch.inference_mode()
def last_map_layer(model: Classifier) -> str:
    """Name of the last layer of the backbone whose output is still a map fine enough to point with, at least 5 x 5 if any is."""
    shapes: list[tuple[str, tuple[int, ...]]] = []
    hooks = [
        layer.register_forward_hook(
            lambda _m, _i, out, name=name: shapes.append((name, tuple(getattr(out, "shape", ()))))
        )
        for name, layer in model.backbone.named_modules()
        if name
    ]
    try:
        model.eval()
        model.backbone(torch.zeros(1, model.channels, model.size, model.size))
    finally:
        for hook in hooks:
            hook.remove()
    for finest in (5, 2):
        maps = [n for n, shape in shapes if len(shape) == 4 and min(shape[2:]) >= finest and shape[1] >= shape[2]]
        if maps:
            return maps[-1]
    raise SettingError("This backbone has no layer that Grad-CAM can read", do='use method="occlusion"')


def _randomised(model: Classifier, seed: int) -> Classifier:
    other = copy.deepcopy(model)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for layer in other.modules():
            if hasattr(layer, "reset_parameters") and not isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.reset_parameters()
    return other.eval()


def _zero_to_one(found: np.ndarray) -> np.ndarray:
    found = np.nan_to_num(found.astype(np.float64))
    span = np.ptp(found)
    return (found - found.min()) / span if span > 0 else np.zeros_like(found)


def _colour(image: np.ndarray) -> np.ndarray:
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
