"""Shortcut strength: how well each trivial rule separates the classes of a cohort."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.decisions import decide
from firstread.curation.baselines import RULES, fit_and_score
from firstread.curation.image_features import ImageFeatures
from firstread.evaluation.influence import Sample
from firstread.evaluation.intervals import proportion_interval

#: rules that use the picture itself, if only a little of it; the others use what is no part of the patient
_RULES_ON_PIXELS = (
    "rule: best single pixel",
    "rule: 8x8 thumbnail",
    "rule: nearest training image",
    "rule: mean brightness",
)
#: rules are fitted ten times each, so that of more cases than this a random sample is taken
MAX_RULE_CASES = 6_000
_MAX_BORDER_CASES = 12_000
#: images for which the most similar one of all others is looked for
_MAX_NEAREST = 1_000
#: image sizes that are tried as a rule, the most frequent ones
_MAX_SIZES = 20


@dataclass(frozen=True)
class ShortcutStrength:
    """Accuracy of one trivial rule.

    Attributes:
        name: of the rule.
        correct, total: cases, by cross-validation over all labeled cases (or counted in-sample, see `method`).
        low, high: 95 % interval of the accuracy, by patient where a patient has several images.
        method: "cross-validated" or "counted", and on how many of how many cases where it was a sample.
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
    """Strength of every rule of `RULES`, on all labeled cases and, with a split, from training to the other splits.

    Of more than `MAX_RULE_CASES` labeled cases a random sample is used, and `method` says so.
    """
    targets = cohort.targets
    all_labeled = np.flatnonzero(targets >= 0)
    labeled = _sample(all_labeled, MAX_RULE_CASES)
    is_sample = len(labeled) < len(all_labeled)
    suffix = f" on a random {len(labeled):,} of {len(all_labeled):,}" if is_sample else ""
    features, targets = [features[i] for i in labeled], targets[labeled]
    split = cohort.table["split"].to_numpy()[labeled]
    patients = cohort.components[labeled]
    class_count, total = len(cohort.classes), len(targets)
    majority_share = float(np.bincount(targets).max() / total)
    majority = _measure_majority_class(targets, split, patients)
    strengths = [replace(majority, method=majority.method + suffix)]
    for name, (columns_of, classifier) in RULES.items():
        columns = columns_of(features)
        predicted = _cross_validate(columns, targets, classifier=classifier, class_count=class_count, patients=patients)
        correct = int((predicted == targets).sum())
        low, high = _accuracy_interval(predicted == targets, patients)
        held_out = _score_held_out(columns, targets, split, classifier=classifier, class_count=class_count)
        description = _describe_size_rule(cohort.classes, features, targets, split) if "image size" in name else ""
        method = "cross-validated" + suffix
        strength = ShortcutStrength(name, correct, total, low, high, method, majority_share, held_out, description)
        strengths.append(strength)
    return strengths


def _sample(indices: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the indices, at random, in their order."""
    if len(indices) <= most:
        return indices
    return np.sort(np.random.default_rng(0).permutation(indices)[:most])


def measure_border_pixels(cohort: Cohort, pictures: np.ndarray) -> list[BorderPixel]:
    """Accuracy of the best single pixel of the outermost ring, for each two classes (one threshold, in-sample).

    Args:
        cohort: N cases with labels.
        pictures: (N, n, n) uint8, all of one size; of very many a random sample is used.
    """
    labeled = _sample(np.flatnonzero(cohort.targets >= 0), _MAX_BORDER_CASES)
    targets = cohort.targets[labeled]
    ring = np.ones(pictures.shape[1:], bool)
    ring[1:-1, 1:-1] = False
    pixels = pictures[labeled][:, ring]
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

    Args:
        cohort: N cases with labels.
        thumbnails: (N, n, n) uint8.

    Returns:
        (random, contiguous), or None if there are fewer than 100 cases.
    """
    targets = cohort.targets
    labeled = np.flatnonzero(targets >= 0)
    if len(labeled) < 100:
        return None
    targets = targets[labeled]
    pixels = thumbnails.reshape(len(thumbnails), -1)[labeled]
    in_random, in_contiguous = np.zeros(len(targets), bool), np.zeros(len(targets), bool)
    rng = np.random.default_rng(0)
    for k in np.unique(targets):
        members = np.flatnonzero(targets == k)
        fifth = max(1, len(members) // 5)
        in_contiguous[members[-fifth:]] = True
        in_random[rng.permutation(members)[:fifth]] = True
    return _nearest_accuracy(pixels, targets, in_random), _nearest_accuracy(pixels, targets, in_contiguous)


def _nearest_accuracy(pixels: np.ndarray, targets: np.ndarray, is_test: np.ndarray) -> float:
    """Share of test images (of at most 1,000 of them) whose nearest training image is of their class."""
    tested, train = _sample(np.flatnonzero(is_test), _MAX_NEAREST), np.flatnonzero(~is_test)
    queries = pixels[tested].astype(np.float32)
    best, nearest = np.full(len(tested), np.inf, np.float32), np.zeros(len(tested), np.int64)
    for start in range(0, len(train), 4096):
        rows = train[start : start + 4096]
        block = pixels[rows].astype(np.float32)
        distances = (block**2).sum(axis=1)[None] - 2 * queries @ block.T  # the queries' own part does not matter
        closest = distances.argmin(axis=1)
        values = distances[np.arange(len(tested)), closest]
        is_closer = values < best
        best[is_closer], nearest[is_closer] = values[is_closer], rows[closest[is_closer]]
    return float((targets[nearest] == targets[tested]).mean())


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


def _describe_size_rule(
    classes: Sequence[str], features: list[ImageFeatures], targets: np.ndarray, split: np.ndarray
) -> str:
    """The single image size that predicts a class best, as a sentence; empty if none is right in nine of ten cases."""
    best_accuracy, sentence = 0.0, ""
    sizes = [(one.width, one.height) for one in features]
    for size, count in Counter(sizes).most_common(_MAX_SIZES):
        has_size = np.array([one == size for one in sizes])
        for k, label in enumerate(classes):
            is_right = has_size == (targets == k)
            if is_right.mean() > best_accuracy and count > 3:
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
