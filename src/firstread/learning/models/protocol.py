"""Model protocol: what `train`, `predict` and `explain` ask of a network, whatever its task."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import torch

from firstread.core.errors import SettingError
from firstread.core.task_protocol import Task
from firstread.learning.input_spec import InputSpec


class Model(Protocol):
    """A network, an `nn.Module` that knows its task; registered as an entry point of the group `firstread.models`.

    The class that is registered under a task's kind also has `build(task, **settings)` and
    `from_description(description)`. Optional are `freeze(frozen)`, `frozen`, `backbone` and `head` (then `freeze=True`
    trains the head alone), `fitted` with `fit_normalization(inputs)` (then it is called before the first epoch), and
    `weighted_loss(outputs, targets, class_weights=, label_smoothing=)` (then those settings of `train` are possible).

    Attributes:
        task: what is predicted of a case.
        inputs: what goes in.
        metric: name of what `score` measures, such as "accuracy".
        default_learning_rates: schedule -> learning rate, where `train` is given none.
    """

    metric: ClassVar[str]
    default_learning_rates: ClassVar[Mapping[str, float]]

    @property
    def task(self) -> Task:
        """What is predicted of a case."""

    @property
    def inputs(self) -> InputSpec:
        """What goes in."""

    @property
    def device(self) -> torch.device:
        """Where the network lies: on the device that it was trained on."""

    def prepare(self, inputs: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Examples as they are stored -> a batch (N, C, H, W) on the network's device."""

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """How wrong the outputs are: scalar, lower is better."""

    def score(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Numerators and denominators of the metric, (M,) each: they are summed up, and their mean ratio is shown."""

    def probabilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """Outputs -> probabilities, as `Task.decode` takes them, with N in front."""

    def describe(self) -> dict[str, Any]:
        """Plain values from which `from_description` builds the network again."""

    def save(self, path: str | Path) -> Path:
        """Write weights and description to one file."""

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """A prepared batch -> outputs."""

    # what an nn.Module brings along
    def state_dict(self) -> dict[str, torch.Tensor]:
        """All parameters and buffers by name."""

    def load_state_dict(self, state_dict: Mapping[str, torch.Tensor]) -> Any:
        """Set all parameters and buffers."""

    def parameters(self) -> Any:
        """All parameters."""

    def eval(self) -> Self:
        """Set evaluation mode."""


_ASKED_BY_TRAINING = ("task", "inputs", "metric", "prepare", "loss", "score", "describe", "state_dict")
_ASKED_BY_PREDICTION = ("task", "inputs", "prepare", "probabilities")
_ASKED_BY_EXPLANATION = ("backbone", "classes", "prepare", "probabilities")


def check_trainable(model: object) -> None:
    """Refuse what cannot be trained.

    Raises:
        SettingError: it lacks a part of the protocol; the message names it.
    """
    _check(
        model, _ASKED_BY_TRAINING, "train takes a network and a cohort, in this order", "train(model, cohort, epochs=5)"
    )


def check_predictor(model: object) -> None:
    """Refuse what cannot predict; see `check_trainable`."""
    _check(model, _ASKED_BY_PREDICTION, "predict takes a network and a cohort or one case, in this order", "")


def check_explainable(model: object) -> None:
    """Refuse what has no map to explain: maps are for networks with a backbone and a score for each class."""
    _check(model, _ASKED_BY_EXPLANATION, "explain takes a classifier and a case, in this order", "explain(model, case)")


def _check(model: object, names: tuple[str, ...], what: str, do: str) -> None:
    missing = [name for name in names if not hasattr(model, name)]
    if missing:
        lacks = f"{type(model).__name__}, which has no {', '.join(missing)}"
        raise SettingError(what, where=lacks, expected="what build_model gave back", do=do)
