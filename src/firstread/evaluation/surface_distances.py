"""Distances between the surfaces of two masks: Hausdorff distance, its 95th percentile, surface Dice.

A structure that was missed has no surface to measure to: its distance is infinite. MONAI and others give NaN there,
which then drops out of the mean, so that missing a structure improves the figure.
"""

from dataclasses import dataclass

import numpy as np

from firstread.core.masks import surface_distances_mm
from firstread.core.volume import Volume


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances between two surfaces, in millimetres.

    Attributes:
        from_truth: (N,) of each surface voxel of the truth to the prediction; infinite if nothing was predicted.
        from_predicted: (M,) of each surface voxel of the prediction to the truth; infinite if there is none.
    """

    from_truth: np.ndarray
    from_predicted: np.ndarray

    @classmethod
    def between(cls, truth: Volume, predicted: Volume) -> "SurfaceDistances":
        """Measure two masks."""
        return cls(surface_distances_mm(truth, predicted), surface_distances_mm(predicted, truth))

    def hausdorff_mm(self, percentile: float = 100.0) -> float:
        """Hausdorff distance, lower is better: the larger of the two directions; NaN if both masks are empty.

        Args:
            percentile: of the distances in each direction; 95 leaves out the worst twentieth of the surface (HD95).

        Source: Huttenlocher 1993, doi 10.1109/34.232073; percentiles as in Maier-Hein 2024, doi
        10.1038/s41592-023-02151-z.
        """
        directions = [self.from_truth, self.from_predicted]
        largest = [_percentile(distances, percentile) for distances in directions if len(distances)]
        return max(largest) if largest else float("nan")

    def surface_dice(self, tolerance_mm: float) -> float:
        """Surface Dice, 0 to 1, higher is better: share of both surfaces within a tolerance of the other.

        Args:
            tolerance_mm: distance that two readers may differ by. Surfaces are counted in voxels.

        Source: Nikolov 2021, doi 10.2196/26151.
        """
        distances = np.concatenate([self.from_truth, self.from_predicted])
        return float((distances <= tolerance_mm + 1e-9).mean()) if len(distances) else float("nan")


def _percentile(distances: np.ndarray, percentile: float) -> float:
    return float(np.percentile(distances, percentile)) if np.isfinite(distances).all() else float("inf")
