"""Trivial baselines: how well a class can be predicted from something that is not anatomy.

Each rule uses one thing (the size of the file, the size of the image, its brightness, its border, a thumbnail, the most
similar training image) and is fitted on training cases only. If such a rule does as well as a network, the network's
accuracy says little about anatomy.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.predictions import Predictions
from firstread.core.tasks import Classification
from firstread.curation.image_features import THUMBNAIL_SIZE, ImageFeatures, image_features

if TYPE_CHECKING:
    import pandas as pd

LOGISTIC_THUMBNAIL_SIZE = 8

#: from the features of N images to the columns (N, F) that a rule uses
FeatureColumns = Callable[[list[ImageFeatures]], np.ndarray]


def _border_columns(features: list[ImageFeatures]) -> np.ndarray:
    ring = np.ones((THUMBNAIL_SIZE, THUMBNAIL_SIZE), bool)
    ring[2:-2, 2:-2] = False
    rings = np.stack([one.pixels[ring] for one in features]).astype(np.float32)
    return np.stack([rings.mean(axis=1), rings.std(axis=1)], axis=1)


def _small_thumbnail_columns(features: list[ImageFeatures]) -> np.ndarray:
    step = THUMBNAIL_SIZE // LOGISTIC_THUMBNAIL_SIZE
    stack = np.stack([one.pixels for one in features])
    blocks = stack.reshape(len(features), LOGISTIC_THUMBNAIL_SIZE, step, LOGISTIC_THUMBNAIL_SIZE, step)
    return blocks.mean(axis=(2, 4)).reshape(len(features), -1)


def _pixel_columns(features: list[ImageFeatures]) -> np.ndarray:
    return np.stack([one.pixels.ravel() for one in features]).astype(np.float32)


#: rule -> its columns, and its classifier
RULES: dict[str, tuple[FeatureColumns, str]] = {
    "rule: file size": (lambda features: np.array([[one.file_bytes] for one in features], float), "tree"),
    "rule: image size": (lambda features: np.array([[one.width, one.height] for one in features], float), "tree"),
    "rule: aspect ratio": (lambda features: np.array([[one.width / one.height] for one in features], float), "tree"),
    "rule: coloured pixels": (lambda features: np.array([[one.colored_fraction] for one in features]), "tree"),
    "rule: mean brightness": (lambda features: np.array([[one.mean_gray] for one in features]), "tree"),
    "rule: border": (_border_columns, "tree"),
    "rule: best single pixel": (_pixel_columns, "pixel"),
    "rule: 8x8 thumbnail": (_small_thumbnail_columns, "logistic"),
    "rule: nearest training image": (_pixel_columns, "nearest"),
}


def trivial_baselines(train: Cohort, test: Cohort) -> tuple[Predictions, ...]:
    """Predictions of every trivial rule for `test`, fitted on `train`.

    Args:
        train: cases with labels; those without are left out.
        test: cases to predict; labels may be missing.

    Returns:
        One Predictions for each rule; the first always predicts the most frequent class.

    Raises:
        DataError: the training cases are of one class only.
    """
    targets = train.targets
    train = train.where(targets >= 0)
    targets = targets[targets >= 0]
    class_count = len(train.classes)
    if len(np.unique(targets)) < 2:
        raise DataError("Trivial rules need training cases of at least two classes", where=train.origin.name)
    train_features, test_features = image_features(train), image_features(test)
    class_shares = np.bincount(targets, minlength=class_count) / len(targets)
    majority = np.tile(np.eye(class_count)[class_shares.argmax()], (len(test), 1))
    predictions = [_predictions(test.table, majority, train, "rule: most frequent class")]
    for name, (columns_of, classifier) in RULES.items():
        train_columns, test_columns = columns_of(train_features), columns_of(test_features)
        scores = fit_and_score(train_columns, targets, test_columns, classifier=classifier, class_count=class_count)
        predictions.append(_predictions(test.table, scores, train, name))
    return tuple(predictions)


def fit_and_score(
    train: np.ndarray, targets: np.ndarray, test: np.ndarray, *, classifier: str, class_count: int
) -> np.ndarray:
    """(M, K) probabilities for `test` (M, F) from a simple classifier fitted on `train` (N, F).

    Args:
        classifier: "tree" (a few cuts), "pixel" (one cut of the best single feature), "logistic", or "nearest".
    """
    if classifier == "pixel":
        column = _best_column(train, targets, class_count=class_count)
        train, test = train[:, [column]], test[:, [column]]
    model = _make_classifier(classifier, class_count=class_count)
    model.fit(train, targets)
    scores = np.zeros((len(test), class_count))
    if len(test):
        scores[:, model.classes_] = model.predict_proba(test)
    return scores


def _make_classifier(classifier: str, *, class_count: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    if classifier == "logistic":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.1))
    if classifier == "nearest":
        return KNeighborsClassifier(n_neighbors=1)
    return DecisionTreeClassifier(max_leaf_nodes=2 * class_count, min_samples_leaf=2, random_state=0)


def _best_column(columns: np.ndarray, targets: np.ndarray, *, class_count: int) -> int:
    """The single feature that separates the classes best, of the 16 whose class means differ most."""
    from sklearn.feature_selection import f_classif

    varying = np.flatnonzero(np.ptp(columns, axis=0) > 0)
    if not len(varying):
        return 0
    with np.errstate(all="ignore"):
        f_values = np.nan_to_num(f_classif(columns[:, varying], targets)[0])
    candidates = varying[np.argsort(-f_values, kind="stable")[:16]]
    accuracies = []
    for column in candidates:
        model = _make_classifier("tree", class_count=class_count).fit(columns[:, [column]], targets)
        accuracies.append(model.score(columns[:, [column]], targets))
    return int(candidates[int(np.argmax(accuracies))])


def _predictions(cases: "pd.DataFrame", scores: np.ndarray, train: Cohort, name: str) -> Predictions:
    task = train.task if isinstance(train.task, Classification) else None
    return Predictions.from_scores(cases, scores, classes=train.classes, task=task, model=name)
