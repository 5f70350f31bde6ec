"""Lesion by lesion: pieces of a predicted mask matched to those of the truth, one to one; missed, merged, split.

The rule. A lesion is a connected piece. A predicted piece may answer one lesion only, and a lesion be answered by one
piece only. Pairs must overlap by an intersection over union of at least `min_iou`; of all ways to pair them the one
with the largest sum is taken. What is left over is a missed lesion or a false positive, so that no blob over two
lesions counts as two hits. Such a blob is counted as merged, and a lesion in several pieces as split.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.errors import SettingError
from firstread.core.masks import bounding_slices, connected_components
from firstread.core.volume import Volume

if TYPE_CHECKING:
    import pandas as pd

#: equivalent diameters in mm at which size classes part
SIZE_CLASSES = ("< 10 mm", "10-20 mm", "> 20 mm")
#: two pieces touch if their overlap is at least this share of the smaller one
_TOUCHING_SHARE = 0.1


@dataclass(frozen=True)
class LesionRule:
    """How pieces are found and matched.

    Attributes:
        structures: that are counted by piece; None takes those that are not one piece in at least nine of ten cases.
        min_iou: intersection over union from which a lesion and a predicted piece may match.
        connectivity: 26 (voxels that touch at a corner are one piece), 18 or 6.
    """

    structures: tuple[str, ...] | None = None
    min_iou: float = 0.1
    connectivity: int = 26

    def __post_init__(self) -> None:
        if not 0 < self.min_iou <= 1:
            raise SettingError(f"min_iou={self.min_iou!r} is not possible", expected="above 0 to 1, such as 0.1")

    def describe(self) -> str:
        """The rule in a sentence."""
        return (
            f"A lesion is found if one predicted piece, and no other lesion's, overlaps it with an intersection over "
            f"union of at least {self.min_iou:g}; pieces touch by {self.connectivity} neighbours."
        )


DEFAULT_RULE = LesionRule()
_COLUMNS = ("mask", "number", "volume_ml", "diameter_mm", "size", "matched", "iou", "dice", "touches")


def match_lesions(truth: Volume, predicted: Volume, rule: LesionRule = DEFAULT_RULE) -> "pd.DataFrame":
    """Match the pieces of two masks on the same grid.

    Returns:
        One row a piece: `mask` ("truth", "predicted"), `number`, `volume_ml`, `diameter_mm` (of a sphere of the same
        volume), `size`, `matched` (found, or no false positive), `iou` and `dice` with its partner (0 without one),
        `touches` (pieces of the other mask that it overlaps by a tenth of the smaller one).
    """
    import pandas as pd
    from scipy.optimize import linear_sum_assignment

    overlaps, truth_sizes, predicted_sizes = _overlaps(truth, predicted, rule.connectivity)
    sums = truth_sizes[:, None] + predicted_sizes[None, :]
    iou, dice = overlaps / (sums - overlaps), 2 * overlaps / sums
    iou[iou < rule.min_iou] = 0
    paired = np.zeros(iou.shape, bool)
    paired[linear_sum_assignment(iou, maximize=True)] = True
    paired &= iou > 0
    touching = overlaps >= np.maximum(1, _TOUCHING_SHARE * np.minimum(truth_sizes[:, None], predicted_sizes[None, :]))
    tables, voxel_ml = [paired, iou * paired, dice * paired, touching], truth.geometry.voxel_volume_ml
    return pd.concat(
        [
            _piece_rows("truth", truth_sizes * voxel_ml, tables),
            _piece_rows("predicted", predicted_sizes * voxel_ml, [table.T for table in tables]),
        ],
        ignore_index=True,
    )


def _piece_rows(mask: str, volumes_ml: np.ndarray, tables: list[np.ndarray]) -> "pd.DataFrame":
    """Rows of the pieces of one mask from tables (pieces, pieces of the other mask): paired, iou, dice, touching."""
    import pandas as pd

    matched, iou, dice, touches = (table.sum(axis=1) for table in tables)
    diameters = [equivalent_diameter_mm(volume) for volume in volumes_ml]
    columns = (
        [mask] * len(volumes_ml),
        range(1, len(volumes_ml) + 1),
        volumes_ml,
        diameters,
        [size_class(diameter) for diameter in diameters],
        matched.astype(bool),
        iou,
        dice,
        touches,
    )
    return pd.DataFrame(dict(zip(_COLUMNS, columns, strict=True)))


def equivalent_diameter_mm(volume_ml: float) -> float:
    """Diameter of a sphere of the same volume.

    Example:
        >>> round(equivalent_diameter_mm(4.18879), 3)
        20.0
    """
    return float((6000 * volume_ml / np.pi) ** (1 / 3))


def size_class(diameter_mm: float) -> str:
    """One of `SIZE_CLASSES`; exactly 10 and 20 mm belong to the middle one."""
    return SIZE_CLASSES[0] if diameter_mm < 10 else SIZE_CLASSES[1] if diameter_mm <= 20 else SIZE_CLASSES[2]


def _overlaps(truth: Volume, predicted: Volume, connectivity: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Common voxels of each pair of pieces (T, P), and the voxels of each piece (T,) and (P,); floats."""
    part = bounding_slices(truth.values | predicted.values)
    if part is None:
        return np.zeros((0, 0)), np.zeros(0), np.zeros(0)
    (a, count_a), (b, count_b) = (
        connected_components(_cropped(mask, part), connectivity=connectivity) for mask in (truth, predicted)
    )
    pairs = np.bincount((a.astype(np.int64) * (count_b + 1) + b).ravel(), minlength=(count_a + 1) * (count_b + 1))
    table = pairs.reshape(count_a + 1, count_b + 1).astype(float)
    return table[1:, 1:], table[1:].sum(axis=1), table[:, 1:].sum(axis=0)


def _cropped(mask: Volume, part: tuple[slice, ...]) -> Volume:
    values = mask.values[part]
    start = [piece.start for piece in part]
    return replace(mask, values=values, geometry=mask.geometry.cropped(start, values.shape))
