"""Measuring a recipe rather than one network: cross-validation and repeated splits, over several seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.errors import SettingError, suggest
from firstread.core.predictions import Predictions, stack_predictions
from firstread.core.progress_bar import Progress
from firstread.learning.augmentation import Augmentation
from firstread.learning.models import Classifier, build_model
from firstread.learning.prediction import predict
from firstread.learning.settings import DEFAULTS, complete
from firstread.learning.training import train

_BUILD = ("backbone", "size", "dropout", "channels", "weights")


def check_recipe(recipe: Mapping[str, Any]) -> None:
    """Refuse a recipe that cannot be followed, before hours are spent on it.

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
    rest = {name: value for name, value in recipe.items() if name not in (*_BUILD, "phases", "augmentation")}
    for name in rest:
        if name not in DEFAULTS and name != "freeze":
            raise SettingError(
                f'A recipe has no "{name}".{suggest(name, (*_BUILD, "phases", "augmentation", *DEFAULTS))}'
            )
    for phase in recipe["phases"]:
        settings = {**rest, **phase}
        settings.pop("freeze", None)
        complete(settings, epochs=settings.pop("epochs", 0))


def train_by_recipe(cohort: Cohort, recipe: Mapping[str, Any], *, seed: int) -> Classifier:
    """A network trained from the beginning as a recipe says.

    Args:
        recipe: `backbone`, and if wanted `size`, `dropout`, `channels`, `weights`; `augmentation` (the fields of
            Augmentation); `phases`, a list of what `train` is called with, one after another; anything else is a setting
            of every phase.
    """
    check_recipe(recipe)
    rest = {name: value for name, value in recipe.items() if name not in (*_BUILD, "phases", "augmentation")}
    augmentation = Augmentation(**recipe["augmentation"]) if recipe.get("augmentation") else None
    built = {name: recipe[name] for name in _BUILD if name in recipe}
    model = build_model(built.pop("backbone"), classes=cohort.classes, seed=seed, **built)
    run = None
    for phase in recipe["phases"]:
        settings = {"seed": seed, "checkpoints": False, "quiet": True, **rest, **phase}
        run = train(model, cohort, augmentation=augmentation, resume=run, **settings)
        if run.facts.get("interrupted"):
            raise KeyboardInterrupt  # a half-trained network must not be measured
    return model


def cross_validate(
    cohort: Cohort, *, recipe: Mapping[str, Any], folds: int = 5, seeds: Sequence[int] = (0, 1, 2)
) -> Predictions:
    """Every case predicted once a seed, by a network that has not seen its patient.

    Returns:
        Predictions with the columns `fold` and `seed`; beside them the trivial rules', fitted on the same folds.
    """
    from firstread.core.splits import folds_by_patient

    cohort = cohort.where(cohort.targets >= 0)
    parts = []
    with Progress("Cross-validation", folds * len(seeds), unit="training") as bar:
        for seed in seeds:
            for fold, (_, held_out) in enumerate(folds_by_patient(cohort, folds=folds, seed=seed)):
                divided = cohort.with_column("split", np.where(held_out, "test", "train"))
                parts.append(_labelled(_predict_test(divided, recipe, seed=seed), fold=fold, seed=seed))
                bar.step()
    return stack_predictions(parts)


def repeat_split(
    cohort: Cohort, *, recipe: Mapping[str, Any], split: str = "random", seeds: Sequence[int] = (0, 1, 2)
) -> Predictions:
    """A fifth held out, "random" or "contiguous" in file order, once a seed.

    Returns:
        Predictions with the column `seed`, trivial rules beside them.
    """
    from firstread.core.splits import split_contiguous, split_random

    if split not in ("random", "contiguous"):
        raise SettingError(f'There is no split called "{split}" here.{suggest(split, ("random", "contiguous"))}')
    cohort = cohort.where(cohort.targets >= 0)
    fractions = (0.8, 0.0, 0.2)
    parts = []
    with Progress(f"Training, {split} split", len(seeds), unit="training") as bar:
        for seed in seeds:
            if split == "contiguous":
                divided = split_contiguous(cohort, fractions=fractions)
            else:
                divided = split_random(cohort, fractions=fractions, seed=seed)
            parts.append(_labelled(_predict_test(divided, recipe, seed=seed), seed=seed))
            bar.step()
    return stack_predictions(parts)


def _predict_test(cohort: Cohort, recipe: Mapping[str, Any], *, seed: int) -> Predictions:
    return predict(train_by_recipe(cohort, recipe, seed=seed), cohort.test)


def _labelled(predictions: Predictions, **columns: int) -> Predictions:
    def add(one: Predictions) -> Predictions:
        return Predictions(one.table.assign(**columns), one.classes, one.model)

    return add(predictions).with_baselines([add(baseline) for baseline in predictions.baselines])
