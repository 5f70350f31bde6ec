"""Accuracy benchmarks on published images: cross-validation, repeated splits, transfer from phantoms alone."""

from typing import Any

import numpy as np

import firstread as fr
from firstread.core.cohort import Cohort
from firstread.core.predictions import Predictions, concat_predictions
from firstread.learning.cross_validation import cross_validate, repeat_split, train_by_recipe
from firstread.learning.prediction import predict
from firstread.learning.weights import DEFAULT_BACKBONE
from firstread.lessons.lesson_info import find_lesson

SEEDS = (0, 1, 2)
#: training on phantom radiographs of two classes, which share image size and all other settings
TRANSFER_RECIPE = {
    "backbone": "resnet18",
    "size": 96,
    "weights": "none",
    "batch_size": 16,
    "augmentation": {"rotate_degrees": 15, "shift": 0.1, "zoom": 0.15, "shear_degrees": 10, "flip": True},
    "phases": [{"epochs": 4, "schedule": "one-cycle", "learning_rate": 1e-3}],
}
SIX_CLASSES_RECIPE = {
    "backbone": "resnet18",
    "size": 64,
    "weights": "none",
    "batch_size": 32,
    "augmentation": {"rotate_degrees": 10, "shift": 0.08, "zoom": 0.15, "flip": True},
    "phases": [{"epochs": 6, "schedule": "one-cycle", "learning_rate": 2e-3}],
}


def cross_validate_openi(*, quick: bool = False) -> dict[str, Any]:
    """Five-fold cross-validation on hello-world/openi, all images resized to one square size."""
    plan = find_lesson("hello-world").values["measure"]["hello-world/openi"]
    cohort, seeds = fr.open_dataset("hello-world/openi"), _seeds(quick)
    predictions = cross_validate(cohort, recipe=plan["recipe"], folds=plan["folds"], seeds=seeds)
    return {"hello-world/openi, cross-validated": _summarize(predictions, seeds)}


def mednist_by_split(*, quick: bool = False) -> dict[str, Any]:
    """ResNet34 from random weights on mednist/rsna, random and contiguous split."""
    return _by_split(find_lesson("mednist").values["measure"]["mednist/rsna"]["recipe"], _seeds(quick), "ResNet34")


def mednist_with_bundled_weights(*, quick: bool = False) -> dict[str, Any]:
    """Default backbone with bundled weights on mednist/rsna, one cycle as in lesson 2."""
    transfer = find_lesson("mednist").values["recipe"]["transfer"]
    recipe = {"backbone": DEFAULT_BACKBONE, "size": 64, "weights": "phantom", "phases": [transfer]}
    return _by_split(recipe, _seeds(quick), "bundled weights, one cycle")


def phantoms_to_openi(*, quick: bool = False) -> dict[str, Any]:
    """Train on phantom radiographs alone, test on the 77 published ones."""
    phantoms = fr.simulate_patients(20 if quick else 240, size=192, seed=99)
    names = {"abdomen radiograph": "abdomen", "chest radiograph": "chest"}
    renamed = _rename_classes(phantoms, names, ("abdomen", "chest"))
    predictions = _transfer(renamed, fr.open_dataset("hello-world/openi"), TRANSFER_RECIPE, _seeds(quick))
    return {"phantoms alone, read on hello-world/openi": _summarize(predictions, _seeds(quick))}


def phantoms_to_rsna(*, quick: bool = False) -> dict[str, Any]:
    """Train on the phantom set of six classes alone, test on the published one, whose chest CT is mostly not chest."""
    phantoms, published = fr.open_dataset("mednist"), fr.open_dataset("mednist/rsna")
    predictions = _transfer(phantoms, published, SIX_CLASSES_RECIPE, _seeds(quick))
    return {"phantoms alone, read on mednist/rsna": _summarize(predictions, _seeds(quick))}


def _seeds(quick: bool) -> tuple[int, ...]:
    return (0,) if quick else SEEDS


def _by_split(recipe: dict[str, Any], seeds: tuple[int, ...], name: str) -> dict[str, Any]:
    plan, cohort = find_lesson("mednist").values["measure"]["mednist/rsna"], fr.open_dataset("mednist/rsna")
    results = {}
    for split in plan["splits"]:
        predictions = repeat_split(cohort, recipe=recipe, split=split, seeds=seeds)
        results[f"mednist/rsna, {name}, {split} split"] = _summarize(predictions, seeds)
    return results


def _transfer(phantoms: Cohort, published: Cohort, recipe: dict[str, Any], seeds: tuple[int, ...]) -> Predictions:
    from firstread.curation.baselines import trivial_baselines

    training = phantoms.with_column("split", ["train"] * len(phantoms))
    by_seed = []
    for seed in seeds:
        predictions = predict(train_by_recipe(training, recipe, seed=seed), published, baselines=False)
        rules = [_with_seed(rule, seed) for rule in trivial_baselines(training, published)]
        by_seed.append(_with_seed(predictions, seed).with_baselines(rules))
    return concat_predictions(by_seed)


def _with_seed(predictions: Predictions, seed: int) -> Predictions:
    return Predictions(predictions.table.assign(seed=seed), predictions.task, predictions.model)


def _rename_classes(cohort: Cohort, names: dict[str, str], classes: tuple[str, ...]) -> Cohort:
    table = cohort.table.assign(label=[names[label] for label in cohort.table["label"]])
    return Cohort.from_table(table, classes, cohort.origin, cohort.steps)


def _summarize(predictions: Predictions, seeds: tuple[int, ...]) -> dict[str, Any]:
    evaluation = fr.evaluate(predictions)
    by_seed = []
    for seed in seeds:
        rows = predictions.table["seed"].to_numpy() == seed
        by_seed.append(float(np.mean(predictions.predicted[rows] == predictions.truth[rows])))
    return {"seeds": list(seeds), "accuracy_by_seed": by_seed, **evaluation.to_json()}
