"""Networks, one module a task: `build_model` builds one, `load_model` reads one from a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack, overload

from firstread.core.errors import SettingError
from firstread.core.registry import find_registered
from firstread.core.task_protocol import Task
from firstread.core.tasks import Classification, Segmentation
from firstread.core.windows import WindowLike
from firstread.learning.models.classifier import Classifier, per_image_standardization
from firstread.learning.models.model_file import load_model
from firstread.learning.models.protocol import Model
from firstread.learning.models.segmenter import Segmenter

__all__ = ["Classifier", "Model", "Segmenter", "build_model", "load_model", "per_image_standardization"]


class ClassifierSettings(TypedDict, total=False):
    """Settings of `Classifier.build`."""

    dropout: float | None
    size: int | None
    channels: int | None
    weights: str | Path | None


class SegmenterSettings(TypedDict, total=False):
    """Settings of `Segmenter.build`."""

    size: int
    slices: int
    spacing_mm_zyx: tuple[float, float, float]
    window: WindowLike
    images: tuple[str, ...]


@overload
def build_model(
    backbone: str | None = None, *, classes: Sequence[str], seed: int = 0, **settings: Unpack[ClassifierSettings]
) -> Classifier: ...


@overload
def build_model(
    backbone: str | None = None, *, task: Classification, seed: int = 0, **settings: Unpack[ClassifierSettings]
) -> Classifier: ...


@overload
def build_model(
    backbone: str | None = None, *, task: Segmentation, seed: int = 0, **settings: Unpack[SegmenterSettings]
) -> Segmenter: ...


@overload
def build_model(backbone: str | None = None, *, task: Task, seed: int = 0, **settings: Any) -> Model: ...


def build_model(
    backbone: str | None = None,
    *,
    classes: Sequence[str] | None = None,
    task: Task | None = None,
    dropout: float | None = None,
    size: int | None = None,
    channels: int | None = None,
    weights: str | Path | None = None,
    seed: int = 0,
    **options: Any,
) -> Model:
    """Build a network for a task.

    Args:
        backbone: of a classifier, a timm name, such as "resnet18", "inception_v3"; default the small one of the bundled
            weights. Of a segmentation "unet".
        classes: class names of a classification; with two, the second is the positive one. Short for
            `task=Classification(classes)`.
        task: what is predicted, such as `cohort.task`.
        dropout: fraction of the dense layer's cells that is switched off at each training step, 0 to below 1; default
            0.5 for a classifier.
        size: pixels on each side; default 299 for Inception, else 96.
        channels: 1 (grayscale) or 3 (color); default 3 with ImageNet weights, else 1.
        weights: "phantom" (bundled, for the default backbone), "imagenet" (from this computer's disk; never
            downloaded), "none" (random), or the path of a .safetensors file or of a .pth file that holds tensors only.
            Default: the first of "imagenet", "phantom", "none" that is available for this backbone.
        seed: of the random weights.
        **options: further settings of the task's network; those of `Segmenter.build` for a segmentation.

    Returns:
        The network, of the class that is registered for the task: a `Classifier`, a `Segmenter`.

    Raises:
        SettingError: an unknown backbone, an impossible value, or phantom weights of a backbone that has none.
        NetworkError: ImageNet weights were asked for and are not on this computer.
        MissingDependencyError: no installed package has a network for the task.

    Example:
        >>> build_model("resnet18", classes=["normal", "pneumothorax"], size=32, weights="none").classes
        ('normal', 'pneumothorax')
    """
    if isinstance(classes, str):
        raise SettingError("classes is one word", where=f"classes={classes!r}", expected="a list of class names")
    if (task is None) == (classes is None):
        given = "neither" if task is None else "both"
        raise SettingError(f"A network is built for classes or for a task, and {given} was given")
    task = task or Classification(tuple(classes or ()))
    settings = {"backbone": backbone, "dropout": dropout, "size": size, "channels": channels, "weights": weights}
    given_settings = {name: value for name, value in settings.items() if value is not None}
    network = find_registered("models", task.kind)
    try:
        model: Model = network.build(task, seed=seed, **given_settings, **options)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise SettingError(f"A network for {task.kind} has no such setting", where=str(error).split()[-1]) from error
    return model
