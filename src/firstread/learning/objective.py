"""Objective: the loss that a training lowers, a network's own or one with class weights and label smoothing."""

from collections.abc import Mapping

import numpy as np
import torch

from firstread.core.cohort import Cohort
from firstread.core.errors import SettingError, suggest
from firstread.learning.models.protocol import Model
from firstread.learning.settings import TrainingSettings


class Objective:
    """Loss and score of a training.

    Args:
        model: whose loss and score they are.
        class_weights: (K,) weight of each class in the loss; None weighs every example alike.
        label_smoothing: share of the target that is spread evenly over all classes.
    """

    def __init__(
        self, model: Model, *, class_weights: tuple[float, ...] | None = None, label_smoothing: float = 0.0
    ) -> None:
        self.model, self.metric = model, model.metric
        self._weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self._label_smoothing = label_smoothing

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """How wrong the outputs are: scalar, lower is better."""
        if self._weights is None and not self._label_smoothing:
            return self.model.loss(outputs, targets)
        if self._weights is not None:
            self._weights = self._weights.to(outputs.device)
        return self.model.weighted_loss(  # type: ignore[attr-defined] # check_objective has asked for it
            outputs, targets, class_weights=self._weights, label_smoothing=self._label_smoothing
        )

    def score(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Numerators and denominators of the metric; class weights do not count."""
        return self.model.score(outputs, targets)

    def total_weight(self, targets: torch.Tensor) -> float:
        """Sum of the weights of some examples, by which means of their losses are weighted."""
        return len(targets) if self._weights is None else float(self._weights.to(targets.device)[targets].sum())


def make_objective(model: Model, cohort: Cohort, settings: TrainingSettings) -> Objective:
    """Objective of a training by its settings.

    Args:
        model: the network.
        cohort: its training split gives the "balanced" weights.
        settings: `class_weights` and `label_smoothing`.
    """
    weights = settings.class_weights
    if weights is None:
        values = None
    elif isinstance(weights, str):
        values = balanced_class_weights(cohort.train.targets, count=len(cohort.classes))
    else:
        values = tuple(float(weights[name]) for name in cohort.classes)
    return Objective(model, class_weights=values, label_smoothing=settings.label_smoothing)


def balanced_class_weights(targets: np.ndarray, *, count: int) -> tuple[float, ...]:
    """Weights with which every class counts alike: examples / (classes * examples of the class), as in scikit-learn.

    Args:
        targets: (N,) class index of each example; every class has one.
        count: number of classes.

    Example:
        >>> balanced_class_weights(np.array([0, 0, 0, 1]), count=2)
        (0.6666666666666666, 2.0)
    """
    frequencies = np.bincount(targets, minlength=count)
    return tuple(float(value) for value in len(targets) / (count * frequencies))


def check_objective(model: Model, settings: TrainingSettings) -> None:
    """Refuse settings of classes for a network without classes, and weights of classes that it does not have.

    Raises:
        SettingError: the message names the setting.
    """
    asked = {
        "class_weights": settings.class_weights is not None,
        "label_smoothing": settings.label_smoothing > 0,
        'sampler="balanced"': settings.sampler == "balanced",
    }
    names = [name for name, given in asked.items() if given]
    classes = tuple(getattr(model.task, "classes", ()))
    if names and (not classes or not hasattr(model, "weighted_loss")):
        raise SettingError(f"{names[0]} has no meaning here: {_why_not(model.task.kind)}", do="leave it out")
    if isinstance(settings.class_weights, Mapping):
        _check_names(settings.class_weights, classes)


def _why_not(kind: str) -> str:
    if kind == "segmentation":
        return (
            "in a segmentation an example is a slice, which has no class of its own; its Dice loss counts every "
            "structure alike, however small it is"
        )
    return f"it is for networks that answer one class for each case, and this one's task is {kind}"


def _check_names(weights: Mapping[str, float], classes: tuple[str, ...]) -> None:
    for name in weights:
        if name not in classes:
            raise SettingError(f'class_weights names "{name}", which is no class here.{suggest(str(name), classes)}')
    missing = [name for name in classes if name not in weights]
    if missing:
        raise SettingError(
            f"class_weights has no weight for {', '.join(missing)}",
            expected="a weight for each class: " + ", ".join(classes),
            do='1 leaves a class as it is; class_weights="balanced" takes the weights from the training split',
        )
