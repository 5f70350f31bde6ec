"""Cross-validation and repeated splits of a training recipe, over several seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.errors import SettingError, suggest
from firstread.core.predictions import Predictions, concat_predictions
from firstread.core.progress_bar import ProgressBar
from firstread.learning.augmentation import Augmentation
from firstread.learning.models import Model, build_model
from firstread.learning.prediction import predict
from firstread.learning.settings import SETTING_NAMES, TrainingSettings, refuse_unknown_settings
from firstread.learning.training import train

_MODEL_KEYS = ("backbone", "size", "dropout", "channels", "weights")


def check_recipe(recipe: Mapping[str, Any]) -> None:
    """Validate a training recipe: keys, values, phases.

    Raises:
        SettingError: no backbone, no phases, a phase without epochs, or a name with a typo.
    """
    for name in ("backbone", "phases"):
        if not recipe.get(name):
            raise SettingError(
                f'The recipe has no "{name}"',
                expected='such as {"backbone": "resnet18", "phases": [{"epochs": 5, "freeze": True}, {"epochs": 3}]}',
            )
    known = {field.name for field in fields(Augmentation)}
    for name in recipe.get("augmentation") or {}:
        if name not in known:
            raise SettingError(f'Augmentation has no "{name}".{suggest(name, known)}')
    phase_settings = _phase_settings(recipe)
    for name in phase_settings:
        if name not in SETTING_NAMES:
            raise SettingError(f'A recipe has no "{name}".{suggest(name, (*_MODEL_KEYS, "phases", *SETTING_NAMES))}')
    for phase in recipe["phases"]:
        settings = {**phase_settings, **phase}
        refuse_unknown_settings({name: value for name, value in settings.items() if name not in SETTING_NAMES})
        TrainingSettings(**settings)


def train_by_recipe(cohort: Cohort, recipe: Mapping[str, Any], *, seed: int) -> Model:
    """Build a network and train it from scratch by a recipe.

    Args:
        recipe: `backbone`, optionally `size`, `dropout`, `channels`, `weights`; `augmentation` (the fields of
            Augmentation); `phases`, a list of the arguments of successive `train` calls; anything else is a setting of
            every phase. With `patience` a phase ends with its best epoch, from which the next one goes on.
    """
    check_recipe(recipe)
    phase_settings = _phase_settings(recipe)
    augmentation = Augmentation(**recipe["augmentation"]) if recipe.get("augmentation") else None
    model_arguments = {name: recipe[name] for name in _MODEL_KEYS if name in recipe}
    model = build_model(model_arguments.pop("backbone"), classes=cohort.classes, seed=seed, **model_arguments)
    run = None
    for phase in recipe["phases"]:
        settings = {"seed": seed, "checkpoints": False, "quiet": True, **phase_settings, **phase}
        run = train(model, cohort, augmentation=augmentation, resume=run, **settings)
        if run.metadata.get("interrupted"):
            raise KeyboardInterrupt  # a half-trained network must not be evaluated
    return model


def cross_validate(
    cohort: Cohort, *, recipe: Mapping[str, Any], folds: int = 5, seeds: Sequence[int] = (0, 1, 2)
) -> Predictions:
    """K-fold cross-validation by patient: every case predicted once a seed, by a network not trained on its patient.

    Returns:
        Predictions with the columns `fold` and `seed`, with the trivial baselines fitted on the same folds.

    Raises:
        SettingError: an impossible recipe, or one with `patience`, which needs a validation split.
    """
    from firstread.core.splits import folds_by_patient

    _refuse_patience(recipe)
    cohort = cohort.where(cohort.targets >= 0)
    parts = []
    with ProgressBar("Cross-validation", folds * len(seeds), unit="training") as bar:
        for seed in seeds:
            for fold, (_, held_out) in enumerate(folds_by_patient(cohort, folds=folds, seed=seed)):
                split_cohort = cohort.with_column("split", np.where(held_out, "test", "train"))
                parts.append(_add_columns(_train_and_predict(split_cohort, recipe, seed=seed), fold=fold, seed=seed))
                bar.update()
    return concat_predictions(parts)


def repeat_split(
    cohort: Cohort, *, recipe: Mapping[str, Any], split: str = "random", seeds: Sequence[int] = (0, 1, 2)
) -> Predictions:
    """Repeated hold-out: predict a random or contiguous (in file order) fifth by training on the rest, once a seed.

    Returns:
        Predictions with the column `seed`, with the trivial baselines.

    Raises:
        SettingError: an unknown split, an impossible recipe, or one with `patience`, which needs a validation split.
    """
    from firstread.core.splits import split_contiguous, split_random

    if split not in ("random", "contiguous"):
        raise SettingError(f'There is no split called "{split}" here.{suggest(split, ("random", "contiguous"))}')
    _refuse_patience(recipe)
    cohort = cohort.where(cohort.targets >= 0)
    fractions = (0.8, 0.0, 0.2)
    parts = []
    with ProgressBar(f"Training, {split} split", len(seeds), unit="training") as bar:
        for seed in seeds:
            if split == "contiguous":
                split_cohort = split_contiguous(cohort, fractions=fractions)
            else:
                split_cohort = split_random(cohort, fractions=fractions, seed=seed)
            parts.append(_add_columns(_train_and_predict(split_cohort, recipe, seed=seed), seed=seed))
            bar.update()
    return concat_predictions(parts)


def _phase_settings(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of `train` that apply to every phase."""
    return {name: value for name, value in recipe.items() if name not in (*_MODEL_KEYS, "phases", "augmentation")}


def _refuse_patience(recipe: Mapping[str, Any]) -> None:
    """Refuse early stopping where all that is not held out is for training: no validation split chooses the epoch."""
    check_recipe(recipe)
    if any({**_phase_settings(recipe), **phase}.get("patience") for phase in recipe["phases"]):
        raise SettingError(
            "patience chooses the epoch by a validation split, and there is none here: all cases that are not held out "
            "are for training",
            do="fix the epochs of each phase, or call train_by_recipe with a cohort that has a validation split",
        )


def _train_and_predict(cohort: Cohort, recipe: Mapping[str, Any], *, seed: int) -> Predictions:
    return predict(train_by_recipe(cohort, recipe, seed=seed), cohort.test)


def _add_columns(predictions: Predictions, **columns: int) -> Predictions:
    def add(part: Predictions) -> Predictions:
        return Predictions(part.table.assign(**columns), part.task, part.model)

    return add(predictions).with_baselines([add(baseline) for baseline in predictions.baselines])
