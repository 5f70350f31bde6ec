"""Few-shot transfer of the bundled weights: accuracy and AUC on published images after few training images.

mednist/rsna: training images are drawn from the first third of each class's file order and tested on the last third,
or, with odd seeds, the other way round, because neighbouring slices are near-duplicates. Chest CT is left out: most of
those images are not chest. hello-world/openi: drawn at random, tested on all others.

Kept are accuracy and AUC (macro, of more than two classes) of each draw, and by class the right answers and the number
of test cases. Neither set states patients. The interval over draws holds no cases: the draws share their test images.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
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
from firstread.learning.devices import choose_placement
from firstread.learning.examples import ArrayExamples
from firstread.learning.feature_cache import FeatureCache
from firstread.learning.models import Classifier, build_model
from firstread.learning.prediction import predict_scores
from firstread.learning.training import train
from firstread.learning.weights import DEFAULT_BACKBONE, imagenet_file

SEEDS = (0, 1, 2, 3, 4)
#: training images per class -> epochs; chosen for the network with random weights
EPOCHS = {5: 60, 10: 40, 20: 30, 50: 20}
AUGMENTATION = fr.Augmentation(rotate_degrees=10, shift=0.05, zoom=0.1, flip=True)


def measure_few_shot(*, quick: bool = False, backbone: str = DEFAULT_BACKBONE) -> dict[str, Any]:
    """Measure every initialization and training method for every number of images, on both published datasets."""
    seeds = SEEDS[:2] if quick else SEEDS
    methods = _methods(backbone)
    rsna = fr.open_dataset("mednist/rsna")
    classes = tuple(name for name in rsna.classes if name != "chest CT")
    table = rsna.table[rsna.table["label"].isin(classes)].reset_index(drop=True)
    rsna = Cohort.from_table(table, classes, rsna.origin, rsna.steps)
    openi = fr.open_dataset("hello-world/openi")
    results: dict[str, Any] = {"backbone": backbone, "seeds": list(seeds)}
    for per_class in (10,) if quick else tuple(EPOCHS):
        rows = [_score(methods, split_by_file_order(rsna, per_class, seed), seed) for seed in seeds]
        results |= _by_metric(f"mednist/rsna, {per_class} images a class", rows)
    for count in (20,) if quick else (10, 20):
        rows = [_score(methods, split_at_random(openi, count // 2, seed), seed) for seed in seeds]
        results |= _by_metric(f"hello-world/openi, {count} images", rows)
    return results


def split_by_file_order(cohort: Cohort, per_class: int, seed: int) -> Cohort:
    """Train on `per_class` images from one end third of each class's file order, test on the third at the other end."""
    rng, split = np.random.default_rng(seed), np.full(len(cohort), "", dtype=object)
    for index in range(len(cohort.classes)):
        own = np.flatnonzero(cohort.targets == index)
        third = len(own) // 3
        ends = own[:third], own[-third:]
        training, test = ends if seed % 2 == 0 else ends[::-1]
        split[rng.choice(training, per_class, replace=False)] = "train"
        split[test] = "test"
    return _with_split(cohort, split)


def split_at_random(cohort: Cohort, per_class: int, seed: int) -> Cohort:
    """Train on `per_class` random images of each class, test on all others."""
    rng, split = np.random.default_rng(seed), np.full(len(cohort), "test", dtype=object)
    for index in range(len(cohort.classes)):
        split[rng.choice(np.flatnonzero(cohort.targets == index), per_class, replace=False)] = "train"
    return _with_split(cohort, split)


def _with_split(cohort: Cohort, split: np.ndarray) -> Cohort:
    table = cohort.table.assign(split=split)
    return Cohort.from_table(table[split != ""].reset_index(drop=True), cohort.classes, cohort.origin, cohort.steps)


#: (classes, image size, seed) -> initialized model
Initializer = Callable[[tuple[str, ...], int, int], Classifier]
#: (cohort, seed) -> (N, K) scores of its test split, after training on its training split
Method = Callable[[Cohort, int], np.ndarray]


def _methods(backbone: str) -> dict[str, Method]:
    """Training methods by name: each initialization of the weights, frozen and trained."""

    def phantom(classes: tuple[str, ...], size: int, seed: int) -> Classifier:
        return build_model(backbone, classes=classes, size=size, dropout=0.2, weights="phantom", seed=seed)

    def random(classes: tuple[str, ...], size: int, seed: int) -> Classifier:
        model = build_model(backbone, classes=classes, size=size, dropout=0.2, weights="none", seed=seed)
        # the same architecture as with phantom weights
        model.blueprint = replace(model.blueprint, per_image_normalization=True)
        return model

    def imagenet(classes: tuple[str, ...], size: int, seed: int) -> Classifier:
        return build_model(backbone, classes=classes, size=size, dropout=0.2, weights="imagenet", seed=seed)

    initializers: dict[str, Initializer] = {"phantom": phantom, "random": random}
    try:
        imagenet_file(backbone)
        initializers["imagenet"] = imagenet
    except NetworkError:
        pass
    methods: dict[str, Method] = {}
    for name, initialize in initializers.items():
        methods[f"{name}, frozen, linear head"] = partial(fit_linear_head, initialize)
        methods[f"{name}, all weights trained"] = partial(train_all_weights, initialize)
    return methods


def fit_linear_head(initialize: Initializer, cohort: Cohort, seed: int) -> np.ndarray:
    """Logistic regression on features of the frozen backbone."""
    model = initialize(cohort.classes, _image_size(cohort), seed)
    images = [part.images(model.size, channels=model.channels) for part in (cohort.train, cohort.test)]
    if not model.fitted:
        model.fit_normalization(images[0])
    features = FeatureCache(model, choose_placement(device="cpu"))
    parts = [ArrayExamples(part, np.zeros(len(part), int)) for part in images]
    training, test = (np.asarray(features.extract(part, batch_size=64).inputs) for part in parts)
    head = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=5000))
    return head.fit(training, cohort.train.targets).predict_proba(test)


def train_all_weights(initialize: Initializer, cohort: Cohort, seed: int) -> np.ndarray:
    """Train all weights with one cycle and augmentation."""
    model = initialize(cohort.classes, _image_size(cohort), seed)
    per_class = len(cohort.train) // len(cohort.classes)
    train(
        model,
        cohort,
        epochs=EPOCHS[per_class],
        schedule="one-cycle",
        learning_rate=2e-3 if model.blueprint.weights == "none" else 1e-3,
        batch_size=16,
        augmentation=AUGMENTATION,
        seed=seed,
        checkpoints=False,
        quiet=True,
    )
    return predict_scores(model, cohort.test.images(model.size, channels=model.channels))


def _image_size(cohort: Cohort) -> int:
    return 96 if len(cohort.classes) == 2 else 64


@dataclass(frozen=True)
class DrawResult:
    """One method's result on the test images of one draw.

    Attributes:
        right: right answers by class.
    """

    accuracy: float
    auc: float
    right: dict[str, int]


@dataclass(frozen=True)
class Draw:
    """Results of every method and trivial rule on one draw, and the number of test cases by class."""

    methods: dict[str, DrawResult]
    cases: dict[str, int]


def score_draw(scores: np.ndarray, truth: np.ndarray, classes: tuple[str, ...]) -> DrawResult:
    """Accuracy, AUC and right answers by class: scores (N, K), truth (N,)."""
    right = scores.argmax(1) == truth
    area = roc_auc_score(truth, scores[:, 1] if len(classes) == 2 else scores, multi_class="ovr")
    counts = {name: int(right[truth == index].sum()) for index, name in enumerate(classes)}
    return DrawResult(float(right.mean()), float(area), counts)


def _score(methods: dict[str, Method], cohort: Cohort, seed: int) -> Draw:
    """Evaluate every method and trivial rule on one split of a cohort."""
    test, classes = cohort.test, cohort.classes
    found = {name: score_draw(method(cohort, seed), test.targets, classes) for name, method in methods.items()}
    rules = trivial_baselines(cohort.train, test)
    found |= {rule.model: score_draw(rule.scores, test.targets, classes) for rule in rules}
    cases = test.table.groupby("label").size().to_dict()
    return Draw(found, {str(name): int(count) for name, count in cases.items()})


def _by_metric(name: str, draws: list[Draw]) -> dict[str, Any]:
    """The entries of one number of training images: one a metric, and what was tested."""
    return {
        f"{name}, accuracy": _summarize([{m: one.accuracy for m, one in draw.methods.items()} for draw in draws]),
        f"{name}, AUC": _summarize([{m: one.auc for m, one in draw.methods.items()} for draw in draws]),
        f"{name}, tested": {
            "cases": [draw.cases for draw in draws],
            "right": {method: [draw.methods[method].right for draw in draws] for method in draws[0].methods},
        },
    }


def _summarize(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Mean and 95% interval of each method over seeds (other images, other random weights), and of two differences."""
    summary: dict[str, Any] = {name: interval_over_seeds([row[name] for row in rows]) for name in rows[0]}
    pairs = {
        "frozen phantom minus trained from random": ("phantom, frozen, linear head", "random, all weights trained"),
        "trained phantom minus trained from random": ("phantom, all weights trained", "random, all weights trained"),
    }
    for name, (one, other) in pairs.items():
        summary[name] = interval_over_seeds([row[one] - row[other] for row in rows])
    return summary


def interval_over_seeds(values: list[float]) -> dict[str, Any]:
    """Mean with its 95% interval by Student's t, where each value is that of one seed."""
    mean, half = float(np.mean(values)), 0.0
    if len(values) > 1:
        half = float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return {
        "mean": round(mean, 4),
        "low": round(mean - half, 4),
        "high": round(mean + half, 4),
        "by_seed": [round(v, 4) for v in values],
    }
