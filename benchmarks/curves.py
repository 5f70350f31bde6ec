"""Curves of the lessons' own recipes: does fine-tuning spoil what was learnt before, and what do the groups differ by?

Lesson 1, for every seed and each of its four groups, on the phantoms and on the published images: validation loss at
the end of the frozen epochs and after each unfrozen one, and accuracy on what is held out. The phantoms are also read
in four hundred fresh ones that no lesson uses, beside the trivial rules, because forty cases cannot tell the groups
apart. Lesson 2: validation loss before and after its second training.

Registered as `curves` and `curves-openi` (lesson 1) and `curves-mednist` (lesson 2).
"""

import tempfile
from itertools import product
from typing import Any

import firstread as fr
from few_shot import interval_over_seeds
from firstread.core.cohort import Cohort
from firstread.core.run import Run
from firstread.curation.baselines import trivial_baselines
from firstread.evaluation.intervals import wilson_interval
from firstread.learning.models import Classifier
from firstread.lessons.lesson_info import find_lesson

SEEDS = (0, 1, 2, 3, 4)
LESSON_2_SEEDS = (0, 1, 2)
#: of the fresh phantoms; lessons simulate seed 0, pretraining seed 7001, `transfer` seed 99
FRESH_SEED, FRESH_PER_CLASS = 5000, 200
GROUPS = tuple(product(("on", "off"), repeat=2))


def measure_curves(name: str, *, quick: bool = False) -> dict[str, Any]:
    """Rows by seed and group, the mean over seeds of each group, and the trivial rules, on one data set of lesson 1."""
    cohort = fr.open_dataset(name)
    held_out = cohort.test if len(cohort.test) >= 10 else cohort.validation
    tests = {f"{len(held_out)} held-out": held_out}
    if name == "hello-world":
        fresh = fresh_phantoms(10 if quick else FRESH_PER_CLASS)
        tests[f"{len(fresh)} fresh"] = fresh
    rows = [
        measure_group(cohort, tests, seed=seed, augmentation=group[0], dropout=group[1])
        for seed in (SEEDS[:1] if quick else SEEDS)
        for group in GROUPS
    ]
    return {
        "rows": rows,
        "groups": {f"augmentation {a}, dropout {d}": _mean_of(rows, a, d) for a, d in GROUPS},
        "rules": {test: measure_rules(cohort.train, part) for test, part in tests.items()},
        "worse after unfreezing": sum(row["worse"] for row in rows),
    }


def measure_mednist_curves(*, quick: bool = False) -> dict[str, Any]:
    """Rows by seed for lesson 2."""
    rows = [measure_lesson_2(seed, quick=quick) for seed in (LESSON_2_SEEDS[:1] if quick else LESSON_2_SEEDS)]
    return {"mednist": rows}


def fresh_phantoms(per_class: int) -> Cohort:
    """Phantom radiographs that no lesson uses, with the classes of lesson 1."""
    cohort = fr.simulate_patients(per_class, size=128, seed=FRESH_SEED)
    labels = [label.removesuffix(" radiograph") for label in cohort.table["label"]]
    return Cohort.from_table(cohort.table.assign(label=labels), ("abdomen", "chest"), cohort.origin, cohort.steps)


def measure_group(
    cohort: Cohort, tests: dict[str, Cohort], *, seed: int, augmentation: str, dropout: str
) -> dict[str, Any]:
    """Train one group of lesson 1 with one seed, as the lesson does."""
    recipe = find_lesson("hello-world").values["recipe"]
    model: Classifier = fr.build_model(
        recipe["backbone"],
        classes=cohort.classes,
        size=recipe["size"],
        weights=recipe["weights"],
        dropout=recipe["dropout"] if dropout == "on" else 0.0,
        seed=seed,
    )
    used = fr.Augmentation(**recipe["augmentation"]) if augmentation == "on" else None
    settings: dict[str, Any] = {"augmentation": used, "seed": seed, "quiet": True}
    with tempfile.TemporaryDirectory() as folder:
        first = fr.train(model, cohort, freeze=True, folder=folder, **settings, **recipe["frozen"])
        frozen = {name: _accuracy(model, part) for name, part in tests.items()}
        run = fr.train(model, cohort, resume=first, **settings, **recipe["unfrozen"])
    losses = _validation_losses(run)
    before, after = losses[first.epochs - 1], losses[first.epochs :]
    return {
        "seed": seed,
        "augmentation": augmentation,
        "dropout": dropout,
        "validation loss before": round(before, 4),
        "validation loss after": [round(loss, 4) for loss in after],
        "worse": after[-1] > before,
        "training loss": [round(row["train_loss"], 4) for row in run.history],
        "accuracy frozen": frozen,
        "accuracy": {name: _accuracy(model, part) for name, part in tests.items()},
        "seconds of training": round(sum(row["seconds"] for row in run.history), 1),
    }


def measure_rules(train: Cohort, test: Cohort) -> dict[str, str]:
    """Accuracy of every trivial rule on a test cohort, with Wilson's interval."""
    found = {}
    for rule in trivial_baselines(train, test):
        right = int((rule.table["prediction"] == rule.table["truth"]).sum())
        found[rule.model] = str(wilson_interval(right, len(test)))
    return found


def measure_lesson_2(seed: int, *, quick: bool) -> dict[str, Any]:
    """Train ResNet34 once, then further, and the network with bundled weights, by the recipes of lesson 2."""
    cohort, recipe = fr.open_dataset("mednist"), find_lesson("mednist").values["recipe"]
    settings: dict[str, Any] = {"seed": seed, "quiet": True, "checkpoints": False}
    model = fr.build_model(
        recipe["backbone"],
        classes=cohort.classes,
        size=recipe["size"],
        dropout=recipe["dropout"],
        weights=recipe["weights"],
        seed=seed,
    )
    run = fr.train(model, cohort, batch_size=recipe["batch_size"], **settings, **recipe["first"])
    after_one = _accuracy(model, cohort.test)
    more = {**recipe["more"], "epochs": 1} if quick else recipe["more"]
    run = fr.train(model, cohort, resume=run, batch_size=recipe["batch_size"], **settings, **more)
    transferred = fr.build_model(classes=cohort.classes, size=recipe["size"], weights="phantom", seed=seed)
    fr.train(transferred, cohort, **settings, **recipe["transfer"])
    losses = _validation_losses(run)
    return {
        "seed": seed,
        "validation loss before": round(losses[0], 4),
        "validation loss after": [round(loss, 4) for loss in losses[1:]],
        "validation accuracy": [round(row["validation_accuracy"], 4) for row in run.history],
        "test accuracy after one cycle": after_one,
        "test accuracy at the end": _accuracy(model, cohort.test),
        "test accuracy with bundled weights after one cycle": _accuracy(transferred, cohort.test),
    }


def _validation_losses(run: Run) -> list[float]:
    return [float(row["validation_loss"]) for row in run.history]


def _accuracy(model: Classifier, cohort: Cohort) -> float:
    table = fr.predict(model, cohort, baselines=False).table
    return round(float((table["prediction"] == table["truth"]).mean()), 4)


def _mean_of(rows: list[dict[str, Any]], augmentation: str, dropout: str) -> dict[str, Any]:
    """Means over seeds of one group, with Student's 95 % interval over the seeds."""
    own = [row for row in rows if (row["augmentation"], row["dropout"]) == (augmentation, dropout)]
    columns: dict[str, list[float]] = {
        "validation loss before": [row["validation loss before"] for row in own],
        "validation loss after": [row["validation loss after"][-1] for row in own],
    }
    for part, column in product(own[0]["accuracy"], ("accuracy frozen", "accuracy")):
        columns[f"{column}, {part}"] = [row[column][part] for row in own]
    return {name: interval_over_seeds(values) for name, values in columns.items()}
