"""Shortcut strength: how well each trivial rule separates the classes of a cohort."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.decisions import decide
from firstread.curation.baselines import RULES, ImageFeatures, fit_and_score
from firstread.evaluation.influence import Sample
from firstread.evaluation.intervals import proportion_interval

#: rules that use the picture itself, if only a little of it; the others use what is no part of the patient
_RULES_ON_PIXELS = (
    "rule: best single pixel",
    "rule: 8x8 thumbnail",
    "rule: nearest training image",
    "rule: mean brightness",
)
_BORDER_IMAGE_SIZE = 64


@dataclass(frozen=True)
class ShortcutStrength:
    """Accuracy of one trivial rule.

    Attributes:
        name: of the rule.
        correct, total: cases, by cross-validation over all labeled cases (or counted in-sample, see `method`).
        low, high: 95 % interval of the accuracy, by patient where a patient has several images.
        method: "cross-validated" or "counted".
        majority_share: share of the most frequent class.
        held_out: split -> (correct, total), fitted on the training split alone.
        description: the rule itself as a sentence, where it has one.
    """

    name: str
    correct: int
    total: int
    low: float
    high: float
    method: str
    majority_share: float
    held_out: dict[str, tuple[int, int]] = field(default_factory=dict)
    description: str = ""

    @property
    def accuracy(self) -> float:
        """Share of correct answers."""
        return self.correct / self.total

    @property
    def uses_pixels(self) -> bool:
        """True if the rule uses the picture, and so perhaps anatomy."""
        return self.name in _RULES_ON_PIXELS


@dataclass(frozen=True)
class BorderPixel:
    """Accuracy of the best single border pixel for two classes."""

    first: str
    second: str
    accuracy: float


def measure_rules(cohort: Cohort, features: list[ImageFeatures]) -> list[ShortcutStrength]:
    """Strength of every rule of `RULES`, on all labeled cases and, with a split, from training to the other splits."""
    targets = cohort.targets
    labeled = np.flatnonzero(targets >= 0)
    features, targets = [features[i] for i in labeled], targets[labeled]
    split = cohort.table["split"].to_numpy()[labeled]
    patients = cohort.components[labeled]
    class_count, total = len(cohort.classes), len(targets)
    majority_share = float(np.bincount(targets).max() / total)
    strengths = [_measure_majority_class(targets, split, patients)]
    for name, (columns_of, classifier) in RULES.items():
        columns = columns_of(features)
        predicted = _cross_validate(columns, targets, classifier=classifier, class_count=class_count, patients=patients)
        correct = int((predicted == targets).sum())
        low, high = _accuracy_interval(predicted == targets, patients)
        held_out = _score_held_out(columns, targets, split, classifier=classifier, class_count=class_count)
        description = _describe_size_rule(cohort, features, targets) if name == "rule: image size" else ""
        strength = ShortcutStrength(name, correct, total, low, high, "cross-validated", majority_share, held_out)
        strengths.append(replace(strength, description=description))
    return strengths


def measure_border_pixels(cohort: Cohort) -> list[BorderPixel]:
    """Accuracy of the best single pixel of the outermost ring, for each two classes (one threshold, in-sample)."""
    labeled = cohort.where(cohort.targets >= 0)
    images, targets = labeled.images(_BORDER_IMAGE_SIZE), labeled.targets
    ring = np.ones((_BORDER_IMAGE_SIZE, _BORDER_IMAGE_SIZE), bool)
    ring[1:-1, 1:-1] = False
    pixels = images[:, ring]
    border_pixels = []
    for first, second in combinations(range(len(cohort.classes)), 2):
        if min((targets == first).sum(), (targets == second).sum()) < 10:
            continue
        in_pair = (targets == first) | (targets == second)
        accuracy = _best_threshold_accuracy(pixels[in_pair], targets[in_pair] == second)
        border_pixels.append(BorderPixel(cohort.classes[first], cohort.classes[second], accuracy))
    return border_pixels


def compare_random_and_contiguous_splits(cohort: Cohort, thumbnails: np.ndarray) -> tuple[float, float] | None:
    """Nearest-neighbour accuracy on a fifth of each class: a random fifth, and the last fifth in file order.

    Returns:
        (random, contiguous), or None if there are fewer than 100 cases.
    """
    targets = cohort.targets
    labeled = np.flatnonzero(targets >= 0)
    pixels, targets = thumbnails[labeled].reshape(len(labeled), -1), targets[labeled]
    if len(targets) < 100:
        return None
    in_random, in_contiguous = np.zeros(len(targets), bool), np.zeros(len(targets), bool)
    rng = np.random.default_rng(0)
    for k in np.unique(targets):
        members = np.flatnonzero(targets == k)
        fifth = max(1, len(members) // 5)
        in_contiguous[members[-fifth:]] = True
        in_random[rng.permutation(members)[:fifth]] = True
    return _nearest_accuracy(pixels, targets, in_random), _nearest_accuracy(pixels, targets, in_contiguous)


def _nearest_accuracy(pixels: np.ndarray, targets: np.ndarray, is_test: np.ndarray) -> float:
    scores = fit_and_score(
        pixels[~is_test],
        targets[~is_test],
        pixels[is_test],
        classifier="nearest",
        class_count=int(targets.max()) + 1,
    )
    return float((decide(scores) == targets[is_test]).mean())


def _measure_majority_class(targets: np.ndarray, split: np.ndarray, patients: np.ndarray) -> ShortcutStrength:
    """Strength of always predicting the most frequent class, the reference for every other rule."""
    correct, total = int(np.bincount(targets).max()), len(targets)
    low, high = _accuracy_interval(targets == np.bincount(targets).argmax(), patients)
    train = targets[split == "train"]
    held_out = {}
    if len(np.unique(train)) > 1:
        majority = int(np.bincount(train).argmax())
        for name in ("train", "validation", "test"):
            part = targets[split == name]
            if len(part):
                held_out[name] = (int((part == majority).sum()), len(part))
    name = "rule: most frequent class"
    return ShortcutStrength(name, correct, total, low, high, "counted", correct / total, held_out)


def _accuracy_interval(correct: np.ndarray, patients: np.ndarray) -> tuple[float, float]:
    found = proportion_interval(correct, Sample.of(np.array(_groups(patients))))
    return found.low, found.high


def _groups(patients: np.ndarray) -> list[str]:
    """Independent unit of each case: its patient where one is known, else the case."""
    return [str(index) if name is None else f"patient {name}" for index, name in enumerate(patients)]


def _iterate_folds(
    columns: np.ndarray, targets: np.ndarray, patients: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """At most ten folds; a patient's images stay together where patients are known."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    smallest_class = int(np.bincount(targets)[np.unique(targets)].min())
    groups = _groups(patients)
    count = min(10, len(set(groups)))
    if count < 2:
        yield from KFold(min(10, len(targets)), shuffle=True, random_state=0).split(columns)
    elif len(set(groups)) < len(groups):
        by_class = [len({groups[i] for i in np.flatnonzero(targets == k)}) for k in np.unique(targets)]
        stratify = min(by_class) >= count
        splitter = StratifiedGroupKFold(count, shuffle=True, random_state=0) if stratify else GroupKFold(count)
        yield from splitter.split(columns, targets, groups)
    else:
        splitter_class = StratifiedKFold if smallest_class >= 10 else KFold
        yield from splitter_class(count, shuffle=True, random_state=0).split(columns, targets)


def _cross_validate(
    columns: np.ndarray, targets: np.ndarray, *, classifier: str, class_count: int, patients: np.ndarray
) -> np.ndarray:
    predicted = np.zeros(len(targets), int)
    for train, test in _iterate_folds(columns, targets, patients):
        if len(np.unique(targets[train])) < 2:
            predicted[test] = targets[train][0]
            continue
        scores = fit_and_score(
            columns[train], targets[train], columns[test], classifier=classifier, class_count=class_count
        )
        predicted[test] = decide(scores)
    return predicted


def _score_held_out(
    columns: np.ndarray, targets: np.ndarray, split: np.ndarray, *, classifier: str, class_count: int
) -> dict[str, tuple[int, int]]:
    train = split == "train"
    if len(np.unique(targets[train])) < 2:
        return {}
    held_out = {}
    for name in ("train", "validation", "test"):
        part = split == name
        if name == "train" and classifier == "nearest":
            continue  # every training image is its own nearest neighbour
        if part.any():
            scores = fit_and_score(
                columns[train], targets[train], columns[part], classifier=classifier, class_count=class_count
            )
            held_out[name] = (int((decide(scores) == targets[part]).sum()), int(part.sum()))
    return held_out


def _describe_size_rule(cohort: Cohort, features: list[ImageFeatures], targets: np.ndarray) -> str:
    """The single image size that predicts a class best, as a sentence; empty if none is right in nine of ten cases."""
    best_accuracy, sentence = 0.0, ""
    split = cohort.table["split"].to_numpy()[np.flatnonzero(cohort.targets >= 0)]
    for size in {(one.width, one.height) for one in features}:
        has_size = np.array([(one.width, one.height) == size for one in features])
        for k, label in enumerate(cohort.classes):
            is_right = has_size == (targets == k)
            if is_right.mean() > best_accuracy and has_size.sum() > 3:
                best_accuracy = float(is_right.mean())
                parts = [
                    f"{int(is_right[split == s].sum())} of {int((split == s).sum())} in {s}"
                    for s in ("train", "validation", "test")
                    if (split == s).any()
                ]
                where = ", ".join(parts) or f"{int(is_right.sum())} of {len(is_right)}"
                sentence = f'"{size[0]} x {size[1]} means {label}" is right in {where}.'
    return sentence if best_accuracy > 0.9 else ""


def _best_threshold_accuracy(pixels: np.ndarray, positive: np.ndarray) -> float:
    """Best accuracy of one threshold on one column: pixels (N, F) uint8, positive (N,) bool."""
    total, best = len(positive), 0.0
    for column in pixels.T:
        below = np.cumsum(np.bincount(column, minlength=256))
        hits = np.cumsum(np.bincount(column[positive], minlength=256))
        right = (below - hits) + (hits[-1] - hits)  # negatives at or below the threshold, positives above it
        best = max(best, right.max() / total, 1 - right.min() / total)
    return float(best)
