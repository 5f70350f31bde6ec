"""Masks of boxes in files, and predictions of them, for the tests of segmentation."""

import numpy as np
import pandas as pd

from firstread.core.geometry import Geometry
from firstread.core.predictions import Predictions
from firstread.core.tasks import Segmentation
from firstread.core.volume import Volume
from firstread.readers.nifti import write_nifti

GRID = Geometry.from_spacing((8, 40, 40), spacing_mm_zyx=(5, 0.8, 0.8))


def boxes(*parts, grid=GRID):
    """Mask of boxes, each ((z0, z1), (y0, y1), (x0, x1))."""
    values = np.zeros(grid.size_zyx, bool)
    for (z0, z1), (y0, y1), (x0, x1) in parts:
        values[z0:z1, y0:y1, x0:x1] = True
    return Volume(values, grid)


BOX = boxes(((2, 6), (10, 20), (10, 20)))
NOTHING = boxes()


def shifted(mask, *, voxels, axis):
    return Volume(np.roll(mask.values, voxels, axis=axis), mask.geometry)


def predictions(folder, pairs, *, structures=("lesion",), model="net", **columns):
    """Predictions of (truth, predicted) a case; each a mask, or a label map for several structures."""
    rows = []
    for case, (truth, predicted) in enumerate(pairs):
        files = [
            None if mask is None else str(write_nifti(folder / f"{model}-{name}-{case}.nii.gz", mask))
            for name, mask in (("truth", truth), ("predicted", predicted))
        ]
        for value, structure in enumerate(structures, 1):
            row = {"case": f"c{case}", "structure": structure, "mask_file": files[1], "value": value, "volume_ml": 0.0}
            row |= {"truth_file": files[0], "truth_value": value}
            rows.append(row | {name: values[case] for name, values in columns.items()})
    return Predictions(pd.DataFrame(rows), Segmentation(tuple(structures)), model)
