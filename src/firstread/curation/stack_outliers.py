"""Stacks unlike the others: principal components of the pixels' features, and how well the features tell classes apart.

Both are for looking, not for deciding: an outermost stack is often only rare, and no one is left out for it.

Sources: PCA, Jolliffe and Cadima 2016, doi 10.1098/rsta.2015.0202; LDA of features by lesion type as in Montagnon 2020,
Insights Imaging 11:22, doi 10.1186/s13244-019-0832-5, figure 5.
"""

from dataclasses import dataclass

import numpy as np

#: fewer stacks have no outermost one
MIN_STACKS = 8
_MIN_PER_CLASS = 4
_FOLDS = 5


@dataclass(frozen=True, eq=False)
class FeaturePlane:
    """Stacks in the plane of their first two principal components.

    Attributes:
        points: (stacks, 2), in standard deviations of each component.
        explained: (2,) share of the features' variance.
        distances: (stacks,) from the middle, over all components kept, in robust standard deviations.
    """

    points: np.ndarray
    explained: np.ndarray
    distances: np.ndarray

    def outermost(self, count: int) -> list[int]:
        """Rows of the stacks farthest from the middle, the farthest first."""
        return [int(row) for row in np.argsort(-self.distances, kind="stable")[:count]]


@dataclass(frozen=True, eq=False)
class ClassPlane:
    """Stacks in the plane that separates classes best, and how far that holds for patients who were not in the fit.

    Attributes:
        points: (stacks, 1 or 2).
        classes: (stacks,) names.
        accuracy: share of stacks of left-out patients whose class is named rightly; higher is better.
        majority: accuracy of the rule that always names the most frequent class.
    """

    points: np.ndarray
    classes: np.ndarray
    accuracy: float
    majority: float


def project_features(features: np.ndarray) -> FeaturePlane | None:
    """Principal components of features, each scaled by its own spread.

    Args:
        features: (stacks, features); NaN where one was not measured.

    Returns:
        None for fewer than `MIN_STACKS` stacks, or features that do not vary.

    Example:
        >>> features = np.random.default_rng(0).normal(size=(40, 5))
        >>> features[7] += 9
        >>> project_features(features).outermost(1)
        [7]
    """
    scaled = _scale(features)
    if scaled is None or len(scaled) < MIN_STACKS:
        return None
    from sklearn.decomposition import PCA

    fitted = PCA(n_components=min(*scaled.shape, 10), svd_solver="full").fit(scaled)
    scores = fitted.transform(scaled) * np.sign(fitted.components_[:, :1].sum(axis=1) + 1e-12)
    kept = scores[:, np.cumsum(fitted.explained_variance_ratio_) - fitted.explained_variance_ratio_ < 0.95]
    robust = (kept - np.median(kept, axis=0)) / _spread(kept)
    points = np.zeros((len(scores), 2))
    width = min(2, scores.shape[1])
    points[:, :width] = scores[:, :width] / np.maximum(scores[:, :width].std(axis=0), 1e-12)
    explained = np.zeros(2)
    explained[:width] = fitted.explained_variance_ratio_[:width]
    return FeaturePlane(points, explained, np.linalg.norm(robust, axis=1) / np.sqrt(robust.shape[1]))


def separate_classes(features: np.ndarray, classes: np.ndarray, patients: np.ndarray) -> ClassPlane | None:
    """Linear discriminant analysis of features by class, checked on patients who were left out.

    Args:
        features: (stacks, features); NaN where one was not measured.
        classes: (stacks,) names.
        patients: (stacks,) whose stacks stay together when the accuracy is measured.

    Returns:
        None for fewer than two classes of at least four patients each.
    """
    scaled = _scale(features)
    names = [name for name in np.unique(classes) if len(np.unique(patients[classes == name])) >= _MIN_PER_CLASS]
    if scaled is None or len(names) < 2:
        return None
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    used = np.isin(classes, names)
    values, truth, groups = scaled[used], classes[used], patients[used]
    model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")
    folds = StratifiedGroupKFold(min(_FOLDS, _MIN_PER_CLASS), shuffle=True, random_state=0)
    guesses = cross_val_predict(model, values, truth, groups=groups, cv=folds)
    points = model.fit(values, truth).transform(values)[:, :2]
    majority = max(float(np.mean(truth == name)) for name in names)
    return ClassPlane(points, truth, float(np.mean(guesses == truth)), majority)


def _scale(features: np.ndarray) -> np.ndarray | None:
    """Features as multiples of their spread; what was not measured is the median; what does not vary is left out."""
    measured = features[:, np.isfinite(features).any(axis=0)]
    if not measured.size:
        return None
    medians = np.nanmedian(np.where(np.isfinite(measured), measured, np.nan), axis=0)
    filled = np.where(np.isfinite(measured), measured, medians)
    varying = filled.std(axis=0) > 1e-9 * (1 + np.abs(medians))
    if not varying.any():
        return None
    filled = filled[:, varying]
    return np.asarray((filled - filled.mean(axis=0)) / filled.std(axis=0))


def _spread(values: np.ndarray) -> np.ndarray:
    """Robust standard deviation of each column: from the median absolute deviation."""
    deviation = 1.4826 * np.median(np.abs(values - np.median(values, axis=0)), axis=0)
    return np.asarray(np.where(deviation > 1e-9, deviation, np.maximum(values.std(axis=0), 1e-9)))
