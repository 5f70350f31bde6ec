"""Features of the pixels of a stack, for outliers and for what part of the body it shows."""

import numpy as np

from firstread.curation.curation_schemas import FEATURES
from firstread.curation.stack_sample import StackSample

#: HU of lung and other gas within the body, of fat, soft tissue and bone
_AIR_HU, _FAT_HU, _SOFT_HU, _BONE_HU = (-1500, -500), (-200, -30), (0, 150), (200, 4000)
_BINS = 64
_MAX_VALUES = 400_000


def measure_features(sample: StackSample) -> dict[str, float | None]:
    """Columns FEATURES of a stack: statistics of its values, and on CT the shares of tissues within the body."""
    values = sample.values.reshape(-1)
    values = values[:: max(1, len(values) // _MAX_VALUES)]
    values = values[np.isfinite(values)]
    found: dict[str, float | None] = dict.fromkeys(FEATURES)
    if not len(values):
        return found
    low, *percentiles, high = (float(value) for value in np.percentile(values, (0.5, 1, 10, 50, 90, 99, 99.5)))
    names = ("feature_p1", "feature_p10", "feature_p50", "feature_p90", "feature_p99")
    found |= dict(zip(names, percentiles, strict=True))
    counts = np.histogram(np.clip(values, low, high), bins=_BINS)[0] / len(values)
    scale = (high - low) or 1.0
    steps = np.abs(np.diff(sample.values, axis=-1)).mean() / scale
    found |= {
        "feature_mean": float(values.mean()),
        "feature_sd": float(values.std()),
        "feature_entropy": float(-(counts[counts > 0] * np.log2(counts[counts > 0])).sum()),
        "feature_edges": float(steps),
        "feature_symmetry": _symmetry(sample.values),
    }
    if sample.body is not None:
        found |= _tissues(sample)
    return {
        name: round(value, 4) if value is not None and np.isfinite(value) else None for name, value in found.items()
    }


def _tissues(sample: StackSample) -> dict[str, float | None]:
    body = sample.body
    if body is None or not body.any():
        return {}
    inside = sample.values[body]
    shares = {
        f"feature_{name}_share": float(((inside >= low) & (inside < high)).mean())
        for name, (low, high) in {"air": _AIR_HU, "fat": _FAT_HU, "soft": _SOFT_HU, "bone": _BONE_HU}.items()
    }
    areas = body.sum(axis=(1, 2)) * sample.pixel_mm**2
    return {**shares, "feature_body_share": float(body.mean()), "feature_body_area_mm2": float(np.median(areas))}


def _symmetry(values: np.ndarray) -> float | None:
    """Correlation of the mean picture with its mirror image."""
    mean = values.mean(axis=0)
    mirrored = mean[:, ::-1]
    if mean.std() == 0:
        return None
    return float(np.corrcoef(mean.ravel(), mirrored.ravel())[0, 1])
