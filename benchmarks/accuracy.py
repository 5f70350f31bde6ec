"""What firstread reaches on the published images: cross-validated, by split, and from phantoms alone."""

from typing import Any

import numpy as np

import firstread as fr
from firstread.core.cohort import Cohort
from firstread.core.predictions import Predictions, stack_predictions
from firstread.learning.cross_validation import cross_validate, repeat_split, train_by_recipe
from firstread.learning.prediction import predict
from firstread.learning.weights import DEFAULT_BACKBONE
from firstread.lessons.lesson_info import find_lesson

SEEDS = (0, 1, 2)
#: phantoms only: image size, and everything else, is the same for both classes
TRANSFER = {
    "backbone": "resnet18", "size": 96, "weights": "none", "batch_size": 16, "augmentation": {"rotate_degrees": 15, "shift": 0.1, "zoom": 0.15, "shear_degrees": 10, "flip": True},
    "phases": [{"epochs": 4, "schedule": "one-cycle", "learning_rate": 1e-3}],
}  # fmt: skip
SIX = {
    "backbone": "resnet18", "size": 64, "weights": "none", "batch_size": 32, "augmentation": {"rotate_degrees": 10, "shift": 0.08, "zoom": 0.15, "flip": True},
    "phases": [{"epochs": 6, "schedule": "one-cycle", "learning_rate": 2e-3}],
}  # fmt: skip


def cross_validated_openi(*, quick: bool = False) -> dict[str, Any]:
    """hello-world/openi, five folds, all images brought to one square size."""
    plan = find_lesson("hello-world").values["measure"]["hello-world/openi"]
    cohort, seeds = fr.open_dataset("hello-world/openi"), _seeds(quick)
    predictions = cross_validate(cohort, recipe=plan["recipe"], folds=plan["folds"], seeds=seeds)
    return {"hello-world/openi, cross-validated": _told(predictions, seeds)}


def mednist_by_split(*, quick: bool = False) -> dict[str, Any]:
    """mednist/rsna with ResNet34 from random weights, random and contiguous split."""
    return _by_split(find_lesson("mednist").values["measure"]["mednist/rsna"]["recipe"], _seeds(quick), "ResNet34")


def mednist_from_bundled(*, quick: bool = False) -> dict[str, Any]:
    """mednist/rsna with the default backbone and its bundled weights, one cycle as in lesson 2."""
    transfer = find_lesson("mednist").values["recipe"]["transfer"]
    recipe = {"backbone": DEFAULT_BACKBONE, "size": 64, "weights": "phantom", "phases": [transfer]}
    return _by_split(recipe, _seeds(quick), "bundled weights, one cycle")


def phantoms_to_openi(*, quick: bool = False) -> dict[str, Any]:
    """A network that has seen phantom radiographs alone reads the 77 published ones."""
    phantoms = fr.simulate_patients(20 if quick else 240, size=192, seed=99)
    renamed = _rename(phantoms, {"abdomen radiograph": "abdomen", "chest radiograph": "chest"}, ("abdomen", "chest"))
    predictions = _transfer(renamed, fr.open_dataset("hello-world/openi"), TRANSFER, _seeds(quick))
    return {"phantoms alone, read on hello-world/openi": _told(predictions, _seeds(quick))}


def phantoms_to_rsna(*, quick: bool = False) -> dict[str, Any]:
    """A network that has seen the phantom set of six classes alone reads the published ones. Most of their chest CT is not chest."""
    predictions = _transfer(fr.open_dataset("mednist"), fr.open_dataset("mednist/rsna"), SIX, _seeds(quick))
    return {"phantoms alone, read on mednist/rsna": _told(predictions, _seeds(quick))}


def _seeds(quick: bool) -> tuple[int, ...]:
    return (0,) if quick else SEEDS


def _by_split(recipe: dict[str, Any], seeds: tuple[int, ...], name: str) -> dict[str, Any]:
    plan, cohort = find_lesson("mednist").values["measure"]["mednist/rsna"], fr.open_dataset("mednist/rsna")
    return {
        f"mednist/rsna, {name}, {split} split": _told(
            repeat_split(cohort, recipe=recipe, split=split, seeds=seeds), seeds
        )
        for split in plan["splits"]
    }


def _transfer(phantoms: Cohort, real: Cohort, recipe: dict[str, Any], seeds: tuple[int, ...]) -> Predictions:
    from firstread.curation.baselines import trivial_baselines

    everything = phantoms.with_column("split", ["train"] * len(phantoms))
    parts = []
    for seed in seeds:
        found = predict(train_by_recipe(everything, recipe, seed=seed), real, baselines=False)
        rules = [_seeded(rule, seed) for rule in trivial_baselines(everything, real)]
        parts.append(_seeded(found, seed).with_baselines(rules))
    return stack_predictions(parts)


def _seeded(predictions: Predictions, seed: int) -> Predictions:
    return Predictions(predictions.table.assign(seed=seed), predictions.classes, predictions.model)


def _rename(cohort: Cohort, names: dict[str, str], classes: tuple[str, ...]) -> Cohort:
    table = cohort.table.assign(label=[names[label] for label in cohort.table["label"]])
    return Cohort(table, classes, cohort.origin, cohort.steps)


def _told(predictions: Predictions, seeds: tuple[int, ...]) -> dict[str, Any]:
    found = fr.evaluate(predictions)
    by_seed = []
    for seed in seeds:
        part = predictions.table["seed"].to_numpy() == seed
        by_seed.append(float(np.mean(predictions.predicted[part] == predictions.truth[part])))
    return {"seeds": list(seeds), "accuracy_by_seed": by_seed, **found.to_json()}
