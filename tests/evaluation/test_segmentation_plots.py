"""Views of a volume as a radiologist looks at it."""

import numpy as np
import pytest

from firstread.core.geometry import Geometry
from firstread.evaluation.segmentation_plots import axial_view, pixel_aspect

#: columns of the array's axes (z, y, x) in (L, P, S)
AXIAL = np.array([[0, 0, 1.0], [0, 2, 0], [5, 0, 0]])
AXIAL_FLIPPED = np.array([[0, 0, -1.0], [0, -2, 0], [5, 0, 0]])
CORONAL = np.array([[0, 0, 1.0], [2, 0, 0], [0, -5, 0]])  # slices run to posterior, rows to the feet
SAGITTAL = np.array([[1.0, 0, 0], [0, 0, 2], [0, -5, 0]])


@pytest.mark.parametrize("axes", [AXIAL, AXIAL_FLIPPED, CORONAL, SAGITTAL])
def test_anterior_is_at_the_top_and_the_patients_right_at_the_left(axes):
    affine = np.eye(4)
    affine[:3, :3] = axes
    grid = Geometry((4, 5, 6), affine)
    indices = np.indices(grid.size_zyx).reshape(3, -1).T
    left, posterior, superior = grid.to_mm(indices).T.reshape(3, 4, 5, 6)
    assert (np.diff(axial_view(left, grid), axis=2) > 0).all()
    assert (np.diff(axial_view(posterior, grid), axis=1) > 0).all()
    assert (np.diff(axial_view(superior, grid), axis=0) > 0).all()
    assert pixel_aspect(grid) == 2
