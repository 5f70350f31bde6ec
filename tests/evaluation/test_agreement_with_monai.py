"""The same numbers as MONAI's where both masks have voxels, and other ones, on purpose, where one is empty."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from firstread.core.geometry import Geometry
from firstread.core.volume import Volume
from firstread.evaluation.overlap import dice, jaccard
from firstread.evaluation.surface_distances import SurfaceDistances

torch = pytest.importorskip("torch")
monai = pytest.importorskip("monai.metrics")

SPACING = (5.0, 0.8, 0.8)
GRID = Geometry.from_spacing((10, 24, 24), spacing_mm_zyx=SPACING)


def blobs(seed):
    """Two masks that overlap in part, with holes and several pieces."""
    rng = np.random.default_rng(seed)
    base = gaussian_filter(rng.normal(size=GRID.size_zyx), (1, 3, 3))
    other = base + 0.6 * gaussian_filter(rng.normal(size=GRID.size_zyx), (1, 2, 2))
    return tuple(values > np.quantile(values, share) for values, share in ((base, 0.85), (other, 0.8)))


def tensors(*masks):
    return [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in masks]


@pytest.mark.parametrize("seed", range(5))
def test_dice_jaccard_and_surfaces_agree(seed):
    truth, predicted = blobs(seed)
    y, y_pred = tensors(truth, predicted)
    assert dice(truth, predicted) == pytest.approx(float(monai.compute_dice(y_pred, y)), abs=1e-6)
    assert jaccard(truth, predicted) == pytest.approx(float(monai.compute_iou(y_pred, y)), abs=1e-6)
    distances = SurfaceDistances.between(Volume(truth, GRID), Volume(predicted, GRID))
    for percentile in (95, 100):
        theirs = monai.compute_hausdorff_distance(
            y_pred, y, include_background=True, spacing=list(SPACING), percentile=percentile
        )
        assert distances.hausdorff_mm(percentile) == pytest.approx(float(theirs), abs=1e-4)
    for tolerance in (0.9, 2.0, 5.0):
        theirs = monai.compute_surface_dice(y_pred, y, [tolerance], include_background=True, spacing=list(SPACING))
        assert distances.surface_dice(tolerance) == pytest.approx(float(theirs), abs=1e-6)


def test_spacing_may_mix_whole_and_broken_numbers():
    truth, predicted = blobs(0)
    grid = Geometry.from_spacing((10, 24, 24), spacing_mm_zyx=(5, 0.8, 0.8))
    mixed = SurfaceDistances.between(Volume(truth, grid), Volume(predicted, grid)).hausdorff_mm()
    assert mixed == SurfaceDistances.between(Volume(truth, GRID), Volume(predicted, GRID)).hausdorff_mm()


def test_a_miss_that_monai_drops_from_its_mean_is_infinite_here():
    truth, _ = blobs(0)
    y, y_pred = tensors(truth, np.zeros_like(truth))
    theirs = monai.HausdorffDistanceMetric(include_background=True, percentile=95, reduction="mean")
    theirs(y_pred, y)
    assert float(theirs.aggregate()) == 0.0  # all missed looks perfect (MONAI issue 9095)
    empty = Volume(np.zeros_like(truth), GRID)
    assert SurfaceDistances.between(Volume(truth, GRID), empty).hausdorff_mm(95) == np.inf
