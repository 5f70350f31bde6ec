"""How well each trivial rule separates the classes of a cohort."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from firstread.core.cohort import Cohort
from firstread.curation.baselines import RULES, Looks, fit_and_score

#: rules that see the picture itself, if only a little of it; the others see what is no part of the patient
_SEE_THE_PICTURE = (
    "rule: best single pixel",
    "rule: 8x8 thumbnail",
    "rule: nearest training image",
    "rule: mean brightness",
)
_BORDER_SIZE = 64


@dataclass(frozen=True)
class Separation:
    """How far one rule gets.

    Attributes:
        right, cases: by cross-validation over all labelled cases (simple cuts: fitted and read on the same cases, as `how` says).
        low, high: Wilson's 95 % interval of the accuracy.
        held_out: split -> (right, cases), fitted on the training split alone.
        most_frequent: share of the most frequent class.
        words: the rule itself, where it can be said.
    """

    name: str
    right: int
    cases: int
    low: float
    high: float
    how: str
    most_frequent: float
    held_out: dict[str, tuple[int, int]] = field(default_factory=dict)
    words: str = ""

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / self.cases

    @property
    def about_anatomy(self) -> bool:
        """True if the rule sees the picture."""
        return self.name in _SEE_THE_PICTURE


@dataclass(frozen=True)
class BorderPixel:
    """Two classes that one border pixel tells apart."""

    first: str
    second: str
    accuracy: float


def measure_rules(cohort: Cohort, looks: list[Looks]) -> list[Separation]:
    """Every rule of `RULES`, on all labelled cases and, where there is a split, from training to the rest."""
    from scipy.stats import binomtest

    targets = cohort.targets
    known = np.flatnonzero(targets >= 0)
    looks, targets = [looks[i] for i in known], targets[known]
    split = cohort.table["split"].to_numpy()[known]
    patients = cohort.table["patient"].to_numpy(dtype=object)[known]
    classes = len(cohort.classes)
    out = [_most_frequent(targets, split)]
    for name, (features, kind) in RULES.items():
        values = features(looks)
        predicted = _cross_validated(values, targets, kind=kind, classes=classes, patients=patients)
        right, cases = int((predicted == targets).sum()), len(targets)
        low, high = binomtest(right, cases).proportion_ci(method="wilson")
        held = _held_out(values, targets, split, kind=kind, classes=classes)
        words = _size_in_words(cohort, looks, targets) if name == "rule: image size" else ""
        share = float(np.bincount(targets).max() / len(targets))
        out.append(Separation(name, right, cases, float(low), float(high), "cross-validated", share, held, words))
    return out


def pairwise_border_pixels(cohort: Cohort) -> list[BorderPixel]:
    """For each two classes, how well the best single pixel of the outermost ring tells them apart (one cut, in-sample)."""
    known = cohort.where(cohort.targets >= 0)
    images, targets = known.images(_BORDER_SIZE), known.targets
    ring = np.ones((_BORDER_SIZE, _BORDER_SIZE), bool)
    ring[1:-1, 1:-1] = False
    values = images[:, ring]
    out = []
    for first, second in combinations(range(len(cohort.classes)), 2):
        chosen = (targets == first) | (targets == second)
        if min((targets == first).sum(), (targets == second).sum()) < 10:
            continue
        best = _best_cut(values[chosen], targets[chosen] == second)
        out.append(BorderPixel(cohort.classes[first], cohort.classes[second], best))
    return out


def random_against_contiguous(cohort: Cohort, thumbnails: np.ndarray) -> tuple[float, float] | None:
    """Accuracy of the nearest neighbour on a fifth of each class: drawn at random, and the last fifth in file order.

    Returns:
        (random, contiguous), or None if there are fewer than 100 cases.
    """
    targets = cohort.targets
    known = np.flatnonzero(targets >= 0)
    flat, targets = thumbnails[known].reshape(len(known), -1), targets[known]
    if len(targets) < 100:
        return None
    shuffled, contiguous = np.zeros(len(targets), bool), np.zeros(len(targets), bool)
    rng = np.random.default_rng(0)
    for k in np.unique(targets):
        members = np.flatnonzero(targets == k)
        fifth = max(1, len(members) // 5)
        contiguous[members[-fifth:]] = True
        shuffled[rng.permutation(members)[:fifth]] = True
    return _nearest(flat, targets, shuffled), _nearest(flat, targets, contiguous)


def _nearest(flat: np.ndarray, targets: np.ndarray, held_out: np.ndarray) -> float:
    classes = int(targets.max()) + 1
    scores = fit_and_score(flat[~held_out], targets[~held_out], flat[held_out], kind="nearest", classes=classes)
    return float((scores.argmax(axis=1) == targets[held_out]).mean())


def _most_frequent(targets: np.ndarray, split: np.ndarray) -> Separation:
    """The rule that always says the class it met most often: what every other rule is to be measured against."""
    from scipy.stats import binomtest

    right = int(np.bincount(targets).max())
    low, high = binomtest(right, len(targets)).proportion_ci(method="wilson")
    train = targets[split == "train"]
    held = {}
    if len(np.unique(train)) > 1:
        always = int(np.bincount(train).argmax())
        for name in ("train", "validation", "test"):
            part = targets[split == name]
            if len(part):
                held[name] = (int((part == always).sum()), len(part))
    share = right / len(targets)
    return Separation("rule: most frequent class", right, len(targets), low, high, "counted", share, held)


def _folds(values: np.ndarray, targets: np.ndarray, patients: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """At most ten folds; a patient's images stay together where patients are known."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    fewest = int(np.bincount(targets)[np.unique(targets)].min())
    names = [str(index) if name is None else f"patient {name}" for index, name in enumerate(patients)]
    count = min(10, len(set(names)))
    if count < 2:
        yield from KFold(min(10, len(targets)), shuffle=True, random_state=0).split(values)
    elif len(set(names)) < len(names):
        by_class = [len({names[i] for i in np.flatnonzero(targets == k)}) for k in np.unique(targets)]
        balanced = min(by_class) >= count
        cutter = StratifiedGroupKFold(count, shuffle=True, random_state=0) if balanced else GroupKFold(count)
        yield from cutter.split(values, targets, names)
    else:
        cutter = StratifiedKFold if fewest >= 10 else KFold
        yield from cutter(count, shuffle=True, random_state=0).split(values, targets)


def _cross_validated(
    values: np.ndarray, targets: np.ndarray, *, kind: str, classes: int, patients: np.ndarray
) -> np.ndarray:
    predicted = np.zeros(len(targets), int)
    for train, test in _folds(values, targets, patients):
        if len(np.unique(targets[train])) < 2:
            predicted[test] = targets[train][0]
            continue
        predicted[test] = fit_and_score(values[train], targets[train], values[test], kind=kind, classes=classes).argmax(
            axis=1
        )
    return predicted


def _held_out(
    values: np.ndarray, targets: np.ndarray, split: np.ndarray, *, kind: str, classes: int
) -> dict[str, tuple[int, int]]:
    train = split == "train"
    if len(np.unique(targets[train])) < 2:
        return {}
    out = {}
    for name in ("train", "validation", "test"):
        part = split == name
        if name == "train" and kind == "nearest":
            continue  # every training image is its own nearest one
        if part.any():
            predicted = fit_and_score(values[train], targets[train], values[part], kind=kind, classes=classes).argmax(
                axis=1
            )
            out[name] = (int((predicted == targets[part]).sum()), int(part.sum()))
    return out


def _size_in_words(cohort: Cohort, looks: list[Looks], targets: np.ndarray) -> str:
    """The single image size that says most about a class, as a sentence."""
    best, words = 0.0, ""
    split = cohort.table["split"].to_numpy()[np.flatnonzero(cohort.targets >= 0)]
    for size in {(one.width, one.height) for one in looks}:
        has = np.array([(one.width, one.height) == size for one in looks])
        for k, label in enumerate(cohort.classes):
            agree = has == (targets == k)
            if agree.mean() > best and has.sum() > 3:
                best = float(agree.mean())
                parts = [
                    f"{int(agree[split == s].sum())} of {int((split == s).sum())} in {s}"
                    for s in ("train", "validation", "test")
                    if (split == s).any()
                ]
                words = f'"{size[0]} x {size[1]} means {label}" is right in {", ".join(parts) or f"{int(agree.sum())} of {len(agree)}"}.'
    return words if best > 0.9 else ""


def _best_cut(values: np.ndarray, positive: np.ndarray) -> float:
    """Best accuracy of one cut of one column: values (N, F) uint8, positive (N,) bool."""
    total, best = len(positive), 0.0
    for column in values.T:
        below = np.cumsum(np.bincount(column, minlength=256))
        hits = np.cumsum(np.bincount(column[positive], minlength=256))
        right = (below - hits) + (hits[-1] - hits)  # negatives at or below the cut, positives above it
        best = max(best, right.max() / total, 1 - right.min() / total)
    return float(best)
