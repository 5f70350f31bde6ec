"""What bundled weights are worth: accuracy on published images after few training images, against random weights.

mednist/rsna: training images are drawn from the first third of each class's file order and tested on the last third, or, with odd
seeds, the other way round, because neighbouring slices are near-duplicates. Chest CT is left out: most of those images are not chest.
hello-world/openi: drawn at random, tested on all others.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import t as student
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import firstread as fr
from firstread.core.cohort import Cohort
from firstread.core.errors import NetworkError
from firstread.curation.baselines import trivial_baselines
from firstread.learning.devices import make_accelerator
from firstread.learning.feature_cache import FrozenBackbone
from firstread.learning.models import Classifier, build_model
from firstread.learning.prediction import scores
from firstread.learning.training import train
from firstread.learning.weights import DEFAULT_BACKBONE, imagenet_file

SEEDS = (0, 1, 2, 3, 4)
#: training images a class -> how often they are shown; chosen for the network with random weights
EPOCHS = {5: 60, 10: 40, 20: 30, 50: 20}
AUGMENTATION = fr.Augmentation(rotate_degrees=10, shift=0.05, zoom=0.1, flip=True)


def measure_few(*, quick: bool = False, backbone: str = DEFAULT_BACKBONE) -> dict[str, Any]:
    """Every way of learning with every number of images, on both published sets."""
    seeds = SEEDS[:2] if quick else SEEDS
    ways = _ways(backbone)
    rsna = fr.open_dataset("mednist/rsna")
    classes = tuple(name for name in rsna.classes if name != "chest CT")
    table = rsna.table[rsna.table["label"].isin(classes)].reset_index(drop=True)
    rsna = Cohort(table, classes, rsna.origin, rsna.steps)
    openi = fr.open_dataset("hello-world/openi")
    out: dict[str, Any] = {"backbone": backbone, "seeds": list(seeds)}
    for each in (10,) if quick else tuple(EPOCHS):
        out[f"mednist/rsna, {each} images a class, accuracy"] = _told(
            [{name: _accuracy(way, part, seed) for name, way in ways.items()} | _rules(part, accuracy)
             for seed in seeds for part in [two_ends(rsna, each, seed)]]
        )  # fmt: skip
    for count in (20,) if quick else (10, 20):
        out[f"hello-world/openi, {count} images, AUC"] = _told(
            [{name: _auc(way, part, seed) for name, way in ways.items()} | _rules(part, auc)
             for seed in seeds for part in [at_random(openi, count // 2, seed)]]
        )  # fmt: skip
    return out


def two_ends(cohort: Cohort, each: int, seed: int) -> Cohort:
    """`each` images of every class from one third of its file order; the third at the other end is the test split."""
    rng, split = np.random.default_rng(seed), np.full(len(cohort), "", dtype=object)
    for index in range(len(cohort.classes)):
        own = np.flatnonzero(cohort.targets == index)
        third = len(own) // 3
        ends = own[:third], own[-third:]
        learned, tested = ends if seed % 2 == 0 else ends[::-1]
        split[rng.choice(learned, each, replace=False)] = "train"
        split[tested] = "test"
    return _with_split(cohort, split)


def at_random(cohort: Cohort, each: int, seed: int) -> Cohort:
    """`each` images of every class to learn from, all others to test."""
    rng, split = np.random.default_rng(seed), np.full(len(cohort), "test", dtype=object)
    for index in range(len(cohort.classes)):
        split[rng.choice(np.flatnonzero(cohort.targets == index), each, replace=False)] = "train"
    return _with_split(cohort, split)


def _with_split(cohort: Cohort, split: np.ndarray) -> Cohort:
    table = cohort.table.assign(split=split)
    return Cohort(table[split != ""].reset_index(drop=True), cohort.classes, cohort.origin, cohort.steps)


Way = Callable[[Cohort, int], np.ndarray]


def _ways(backbone: str) -> dict[str, Way]:
    """Name -> a way to learn from a cohort's training split; it gives (N, K) scores of the test split."""

    def phantom(classes: tuple[str, ...], size: int, seed: int) -> Classifier:
        return build_model(backbone, classes=classes, size=size, dropout=0.2, weights="phantom", seed=seed)

    def random(classes: tuple[str, ...], size: int, seed: int) -> Classifier:
        model = build_model(backbone, classes=classes, size=size, dropout=0.2, weights="none", seed=seed)
        model.blueprint = replace(model.blueprint, per_image=True)  # the same network but for its weights
        return model

    def imagenet(classes: tuple[str, ...], size: int, seed: int) -> Classifier:
        return build_model(backbone, classes=classes, size=size, dropout=0.2, weights="imagenet", seed=seed)

    starts = {"phantom": phantom, "random": random}
    try:
        imagenet_file(backbone)
        starts["imagenet"] = imagenet
    except NetworkError:
        pass
    ways: dict[str, Way] = {}
    for name, start in starts.items():
        ways[f"{name}, frozen, linear head"] = lambda cohort, seed, start=start: frozen(start, cohort, seed)
        ways[f"{name}, all weights trained"] = lambda cohort, seed, start=start: trained(start, cohort, seed)
    return ways


def frozen(start: Callable, cohort: Cohort, seed: int) -> np.ndarray:
    """Features of the backbone as it is, and a logistic regression on them."""
    model = start(cohort.classes, _size(cohort), seed)
    images = [part.images(model.size, channels=model.channels) for part in (cohort.train, cohort.test)]
    if not model.fitted:
        model.measure_normalisation(images[0])
    reader = FrozenBackbone(model, make_accelerator(device="cpu"))
    learned, tested = (reader.features(part, batch_size=64).numpy() for part in images)
    head = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=5000))
    return head.fit(learned, cohort.train.targets).predict_proba(tested)


def trained(start: Callable, cohort: Cohort, seed: int) -> np.ndarray:
    """All weights trained by one cycle, augmented."""
    model = start(cohort.classes, _size(cohort), seed)
    each = len(cohort.train) // len(cohort.classes)
    rate = 2e-3 if model.blueprint.weights == "none" else 1e-3
    train(
        model, cohort, epochs=EPOCHS[each], schedule="one-cycle", learning_rate=rate, batch_size=16,
        augmentation=AUGMENTATION, seed=seed, checkpoints=False, quiet=True,
    )  # fmt: skip
    return scores(model, cohort.test.images(model.size, channels=model.channels))


def _size(cohort: Cohort) -> int:
    return 96 if len(cohort.classes) == 2 else 64


def accuracy(found: np.ndarray, truth: np.ndarray) -> float:
    """Share of right answers."""
    return float((found.argmax(1) == truth).mean())


def auc(found: np.ndarray, truth: np.ndarray) -> float:
    """Area under the ROC curve of the second class."""
    return float(roc_auc_score(truth, found[:, 1]))


def _accuracy(way: Way, cohort: Cohort, seed: int) -> float:
    return accuracy(way(cohort, seed), cohort.test.targets)


def _auc(way: Way, cohort: Cohort, seed: int) -> float:
    return auc(way(cohort, seed), cohort.test.targets)


def _rules(cohort: Cohort, score: Callable[[np.ndarray, np.ndarray], float]) -> dict[str, float]:
    return {
        rule.model: score(rule.scores, cohort.test.targets) for rule in trivial_baselines(cohort.train, cohort.test)
    }


def _told(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Mean over seeds with a 95% interval (Student's t over seeds: other images, other random weights), and the differences that matter."""
    out: dict[str, Any] = {name: _interval([row[name] for row in rows]) for name in rows[0]}
    pairs = {
        "frozen phantom minus trained from random": ("phantom, frozen, linear head", "random, all weights trained"),
        "trained phantom minus trained from random": ("phantom, all weights trained", "random, all weights trained"),
    }
    for name, (one, other) in pairs.items():
        out[name] = _interval([row[one] - row[other] for row in rows])
    return out


def _interval(values: list[float]) -> dict[str, Any]:
    mean, half = float(np.mean(values)), 0.0
    if len(values) > 1:
        half = float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return {
        "mean": round(mean, 4),
        "low": round(mean - half, 4),
        "high": round(mean + half, 4),
        "by_seed": [round(v, 4) for v in values],
    }
