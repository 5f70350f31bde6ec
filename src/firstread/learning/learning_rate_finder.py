"""`find_learning_rate`: range test of the learning rate (Smith 2015), which leaves the network as it was."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError, SettingError
from firstread.core.memory import release_memory
from firstread.core.progress_bar import ProgressBar
from firstread.core.run import Run
from firstread.learning.augmentation import Augmentation
from firstread.learning.devices import acquire_queue_slot, choose_placement, limit_cpu_threads
from firstread.learning.examples import Examples
from firstread.learning.learning_rate_curve import LearningRateCurve, smooth
from firstread.learning.models.protocol import Model, check_trainable
from firstread.learning.objective import Objective, make_objective
from firstread.learning.process_group import Processes
from firstread.learning.random_state import RandomStream
from firstread.learning.runs import load_training_examples
from firstread.learning.samplers import RandomSampler
from firstread.learning.settings import TrainingSettings
from firstread.learning.training_state import TrainingState, frozen_backbone, keeps_batch_norm

#: the loss has run away where its smoothed value is this many times the lowest one
_DIVERGENCE = 4.0
#: batches before a loss can be said to have run away
_FIRST_BATCHES = 10


def find_learning_rate(  # noqa: PLR0913 - settings, as those of train: each has a default
    model: Model,
    cohort: Cohort,
    *,
    freeze: bool = False,
    augmentation: Augmentation | None = None,
    schedule: str = "one-cycle",
    batch_size: int = 8,
    weight_decay: float | None = None,
    batch_norm: str = "auto",
    resume: Run | None = None,
    rates: tuple[float, float] = (1e-7, 10.0),
    steps: int = 100,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    quiet: bool = False,
) -> LearningRateCurve:
    """Find a learning rate: train a copy of a network with ever larger steps, and watch its loss fall and run away.

    A range test (Smith 2015, https://arxiv.org/abs/1506.01186) with the loss, the optimizer and the augmentation that
    `train` would use. It costs as much as `steps` batches, tells what to give `train` as `learning_rate`, and ends
    early when the loss has run away. The network itself is not touched, whatever happens; neither are the random
    numbers and the threads of the process.

    A suggestion from a hundred batches is a place to begin, not the best rate: look at the plot. The test split and
    the validation split are never opened.

    Args:
        model: from `build_model`, as it would be trained next.
        cohort: its training split is used.
        freeze: True for the head only, as in `train`.
        augmentation: as in `train`.
        schedule: "one-cycle" (AdamW) or "constant" (Adam): whose rate is looked for.
        batch_size: as in `train`; another one has another best rate.
        weight_decay: as in `train`.
        batch_norm: as in `train`.
        resume: the run that the training would go on from, as in `train`; its history decides what `batch_norm="auto"`
            means. The network is taken as it is.
        rates: lowest and highest rate; between them they grow by the same factor at each step.
        steps: number of batches; the training examples are shown again and again if they are fewer.
        seed: of the order of images, augmentation and dropout: the same seed gives the same curve.
        device: as in `train`.
        precision: as in `train`.
        quiet: True shows no progress.

    Returns:
        The curve: `rates`, `losses`, `suggestion`, `plot()`.

    Raises:
        DataError: no training images, or the loss is no number at the lowest rate.
        SettingError: an impossible setting.
        KeyboardInterrupt: interrupted; the network is as it was.

    Example:
        >>> cohort = fr.split_by_patient(fr.simulate_patients(10, size=48))
        >>> model = fr.build_model("test_resnet", classes=cohort.classes, size=32)
        >>> curve = fr.find_learning_rate(model, cohort, steps=40, quiet=True)
        >>> 1e-7 < curve.suggestion < 10
        True
    """
    check_trainable(model)
    if not hasattr(cohort, "tables"):
        raise SettingError(
            "find_learning_rate takes a network and a cohort, in this order", do="find_learning_rate(model, cohort)"
        )
    _check_range(rates, steps)
    if freeze and not hasattr(model, "freeze"):
        raise SettingError("freeze=True needs a network with a backbone and a head", where=type(model).__name__)
    settings = TrainingSettings(
        epochs=1,
        freeze=freeze,
        augmentation=augmentation,
        schedule=schedule,
        learning_rate=rates[0],
        batch_size=batch_size,
        weight_decay=weight_decay,
        batch_norm=batch_norm,
        seed=seed,
        device=device,
        precision=precision,
        checkpoints=False,
        quiet=quiet,
    )
    examples = load_training_examples(model, cohort.train)
    network: Any = copy.deepcopy(model)
    try:
        with acquire_queue_slot(device, quiet=quiet), limit_cpu_threads(), frozen_backbone(network, wanted=freeze):
            is_fixed = keeps_batch_norm(network, settings, resume)
            state = _make_state(network, examples, settings, batch_norm_is_fixed=is_fixed)
            objective = make_objective(network, cohort, settings)
            return _run_test(state, objective, settings, np.geomspace(*rates, steps))
    finally:
        del network
        release_memory()


def _check_range(rates: tuple[float, float], steps: int) -> None:
    numbers = isinstance(rates, (tuple, list)) and len(rates) == 2 and all(isinstance(r, (int, float)) for r in rates)
    if not numbers or not 0 < rates[0] < rates[1] <= 100:
        raise SettingError(
            f"rates={rates!r} is not possible", expected="the lowest and the highest, such as (1e-7, 10)"
        )
    if isinstance(steps, bool) or not isinstance(steps, int) or not 20 <= steps <= 10_000:
        raise SettingError(f"steps={steps!r} is not possible", expected="a whole number from 20 to 10,000")


def _make_state(
    network: Any, examples: Examples, settings: TrainingSettings, *, batch_norm_is_fixed: bool
) -> TrainingState:
    placement = choose_placement(device=settings.device, precision=settings.precision)
    return TrainingState(
        network,
        examples,
        settings,
        placement=placement,
        processes=Processes(),
        random=RandomStream(settings.seed, placement.device),
        batch_norm_is_fixed=batch_norm_is_fixed,
    )


def _run_test(
    state: TrainingState, objective: Objective, settings: TrainingSettings, rates: np.ndarray
) -> LearningRateCurve:
    state.network.train()
    losses: list[float] = []
    diverged = False
    with ProgressBar("Trying learning rates", len(rates), unit="step", quiet=settings.quiet) as bar:
        for rate, (inputs, targets) in zip(rates, _endless_batches(state, settings), strict=False):
            loss = objective.loss(state.network(inputs), targets)
            value = loss.item()
            if not losses:
                _check_first_loss(value, rate)
            if not np.isfinite(value):
                diverged = True
                break
            losses.append(value)
            smoothed = smooth(np.array(losses))
            if len(losses) > _FIRST_BATCHES and smoothed[-1] > _DIVERGENCE * smoothed.min():
                diverged = True
                break
            _step(state.optimizer, loss, rate)
            bar.update()
    return LearningRateCurve(rates[: len(losses)], np.array(losses), diverged)


def _step(optimizer: torch.optim.Optimizer, loss: torch.Tensor, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = float(rate)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    optimizer.zero_grad()


def _endless_batches(state: TrainingState, settings: TrainingSettings) -> Iterator[Any]:
    """Training batches of one epoch after another, drawn and augmented as `train` draws them."""
    generator, sampler = torch.Generator().manual_seed(settings.seed), RandomSampler(len(state.examples))
    while True:
        yield from state.training_batches(batch_size=settings.batch_size, generator=generator, sampler=sampler)


def _check_first_loss(loss: float, rate: float) -> None:
    if not np.isfinite(loss):
        raise DataError(
            "The loss is not a number before the first step, so it is not the learning rate",
            where=f"first batch, learning rate {rate:.1e}",
            do="look at the images and at the network's weights: one of them holds values that are not numbers",
        )
