"""Trivial rules: how well a class can be told from something that is not anatomy.

Each rule looks at one thing (the size of the file, the size of the image, its brightness, its border, a thumbnail, the most
similar training image) and is fitted on training cases only. If such a rule does as well as a network, the network's
accuracy says little about anatomy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.images import read_image, resize_square, to_grayscale
from firstread.core.predictions import Predictions
from firstread.core.progress_bar import track

if TYPE_CHECKING:
    import pandas as pd

THUMBNAIL = 32
LOGISTIC_THUMBNAIL = 8


@dataclass(frozen=True)
class Looks:
    """The little that trivial rules see of an image.

    Attributes:
        file_bytes: size of the file.
        width, height: pixels.
        coloured: share of pixels whose channels differ.
        mean: of the gray values, 0 to 255.
        thumbnail: (32, 32) float32 gray values.
    """

    file_bytes: int
    width: int
    height: int
    coloured: float
    mean: float
    thumbnail: np.ndarray


def look(cohort: Cohort) -> list[Looks]:
    """What the rules see of every image of a cohort; remembered while the program runs."""
    rows = zip(cohort.table["file"], cohort.table["frame"], strict=True)
    frames = [(file, None if frame is None else int(frame)) for file, frame in rows]
    window = tuple(cohort.window) if isinstance(cohort.window, list) else cohort.window
    return [
        _look(file, frame, window, Path(file).stat().st_mtime_ns)
        for file, frame in track(frames, "Looking for shortcuts", total=len(frames))
    ]


@lru_cache(maxsize=60_000)
def _look(file: str, frame: int | None, window: Any, _changed: int) -> Looks:
    image = read_image(file, frame=frame, window=window)
    coloured = float((np.ptp(image.astype(np.int16), axis=2) > 24).mean()) if image.ndim == 3 else 0.0
    gray = to_grayscale(image)
    return Looks(
        Path(file).stat().st_size, image.shape[1], image.shape[0], coloured, float(gray.mean()),
        resize_square(gray, THUMBNAIL).astype(np.float32),
    )  # fmt: skip


Features = Callable[[list[Looks]], np.ndarray]


def _border(looks: list[Looks]) -> np.ndarray:
    ring = np.ones((THUMBNAIL, THUMBNAIL), bool)
    ring[2:-2, 2:-2] = False
    return np.array([[one.thumbnail[ring].mean(), one.thumbnail[ring].std()] for one in looks])


def _small(looks: list[Looks]) -> np.ndarray:
    step = THUMBNAIL // LOGISTIC_THUMBNAIL
    stack = np.stack([one.thumbnail for one in looks])
    blocks = stack.reshape(len(looks), LOGISTIC_THUMBNAIL, step, LOGISTIC_THUMBNAIL, step)
    return blocks.mean(axis=(2, 4)).reshape(len(looks), -1)


def _pixels(looks: list[Looks]) -> np.ndarray:
    return np.stack([one.thumbnail.ravel() for one in looks])


#: rule -> what it looks at, and the kind of reader that decides
RULES: dict[str, tuple[Features, str]] = {
    "rule: file size": (lambda looks: np.array([[one.file_bytes] for one in looks], float), "tree"),
    "rule: image size": (lambda looks: np.array([[one.width, one.height] for one in looks], float), "tree"),
    "rule: aspect ratio": (lambda looks: np.array([[one.width / one.height] for one in looks], float), "tree"),
    "rule: coloured pixels": (lambda looks: np.array([[one.coloured] for one in looks]), "tree"),
    "rule: mean brightness": (lambda looks: np.array([[one.mean] for one in looks]), "tree"),
    "rule: border": (_border, "tree"),
    "rule: best single pixel": (_pixels, "pixel"),
    "rule: 8x8 thumbnail": (_small, "logistic"),
    "rule: nearest training image": (_pixels, "nearest"),
}


def trivial_baselines(train: Cohort, test: Cohort) -> tuple[Predictions, ...]:
    """Let every trivial rule, fitted on `train`, read `test`.

    Args:
        train: cases with labels; those without are left out.
        test: cases to read; labels may be missing.

    Returns:
        One Predictions for each rule; the first always says the most frequent class.

    Raises:
        DataError: the training cases are of one class only.
    """
    targets = train.targets
    train = train.where(targets >= 0)
    targets = targets[targets >= 0]
    if len(np.unique(targets)) < 2:
        raise DataError("Trivial rules need training cases of at least two classes", where=train.origin.name)
    seen, unseen = look(train), look(test)
    share = np.bincount(targets, minlength=len(train.classes)) / len(targets)
    always = np.eye(len(train.classes))[share.argmax()]
    out = [_predictions(test.table, np.tile(always, (len(test), 1)), train, "rule: most frequent class")]
    for name, (features, kind) in RULES.items():
        scores = fit_and_score(features(seen), targets, features(unseen), kind=kind, classes=len(train.classes))
        out.append(_predictions(test.table, scores, train, name))
    return tuple(out)


def fit_and_score(
    known: np.ndarray, targets: np.ndarray, unknown: np.ndarray, *, kind: str, classes: int
) -> np.ndarray:
    """(M, K) probabilities for `unknown` (M, F) from a simple reader fitted on `known` (N, F).

    Args:
        kind: "tree" (a few cuts), "pixel" (one cut of the best single feature), "logistic", or "nearest".
    """
    if kind == "pixel":
        column = _best_column(known, targets, classes=classes)
        known, unknown = known[:, [column]], unknown[:, [column]]
    reader = _reader(kind, classes=classes)
    reader.fit(known, targets)
    scores = np.zeros((len(unknown), classes))
    if len(unknown):
        scores[:, reader.classes_] = reader.predict_proba(unknown)
    return scores


def _reader(kind: str, *, classes: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    if kind == "logistic":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.1))
    if kind == "nearest":
        return KNeighborsClassifier(n_neighbors=1)
    return DecisionTreeClassifier(max_leaf_nodes=2 * classes, min_samples_leaf=2, random_state=0)


def _best_column(values: np.ndarray, targets: np.ndarray, *, classes: int) -> int:
    """The one feature that tells the classes apart best: the best of the 16 whose class means differ most."""
    from sklearn.feature_selection import f_classif

    varying = np.flatnonzero(np.ptp(values, axis=0) > 0)
    if not len(varying):
        return 0
    with np.errstate(all="ignore"):
        differ = np.nan_to_num(f_classif(values[:, varying], targets)[0])
    candidates = varying[np.argsort(-differ, kind="stable")[:16]]
    fits = [
        _reader("tree", classes=classes).fit(values[:, [c]], targets).score(values[:, [c]], targets) for c in candidates
    ]
    return int(candidates[int(np.argmax(fits))])


def _predictions(cases: "pd.DataFrame", scores: np.ndarray, train: Cohort, name: str) -> Predictions:
    return Predictions.from_scores(cases, scores, classes=train.classes, model=name)
