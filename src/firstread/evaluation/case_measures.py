"""Measures of each case and structure of a segmentation, and of each lesion, from mask files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.columns import label_numbers
from firstread.core.errors import DataError, SettingError, suggest
from firstread.core.geometry import same_grid
from firstread.core.masks import read_labels, volume_ml
from firstread.core.predictions import CONTEXT_COLUMNS
from firstread.core.volume import Volume
from firstread.evaluation.lesion_matches import DEFAULT_RULE, LesionRule, match_lesions
from firstread.evaluation.overlap import dice, jaccard, volume_error_percent
from firstread.evaluation.surface_distances import SurfaceDistances

if TYPE_CHECKING:
    import pandas as pd

_CONTEXT = ("case", *CONTEXT_COLUMNS, "structure")


@dataclass(frozen=True)
class MeasureSettings:
    """What is measured of each case.

    Attributes:
        tolerance_mm: of the surface Dice.
        organ: structure whose share the others are, such as "liver"; None for no shares.
        lesions: how pieces are matched.
    """

    tolerance_mm: float = 2.0
    organ: str | None = None
    lesions: LesionRule = DEFAULT_RULE

    def __post_init__(self) -> None:
        if not 0 < self.tolerance_mm < np.inf:
            raise SettingError(f"tolerance_mm={self.tolerance_mm!r} is not possible", expected="a length above 0")


def check_table(table: "pd.DataFrame", settings: MeasureSettings) -> None:
    """Refuse rows without a predicted mask, and settings that name structures which the table does not have.

    Raises:
        DataError: a row has no predicted mask.
        SettingError: an unknown structure.
    """
    if table["mask_file"].isna().any():
        raise DataError(
            f"{int(table['mask_file'].isna().sum())} rows have no predicted mask",
            where="column 'mask_file'",
            expected="a file in every row; where nothing was found, a mask of zeros",
        )
    known = list(dict.fromkeys(table["structure"]))
    for name in (*(settings.lesions.structures or ()), *([settings.organ] if settings.organ else [])):
        if name not in known:
            raise SettingError(f'There is no structure "{name}".{suggest(name, known)}')


def measure_cases(table: "pd.DataFrame", settings: MeasureSettings) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Measure every case whose truth is known.

    Args:
        table: of predictions, with the columns of `Segmentation.schema()`, and where stated `patient`, `component`,
            `seed`.

    Returns:
        (cases, lesions): one row a case and structure; one row a piece, of the truth and of the prediction.
        `outcome` of a case is "segmented", "missed" (no voxel in common: Dice 0, and infinite distances where nothing
        was predicted at all), "absent" (rightly nothing) or "false positive"; the last two have no Dice, no distance.

    Raises:
        DataError: a mask cannot be read, or does not lie on the grid of its truth.
    """
    import pandas as pd

    cases, lesions = [], []
    keys = ["case", *[name for name in ("seed", "fold") if name in table]]
    for _, rows in table[table["truth_file"].notna()].groupby(keys, sort=False, dropna=False):
        files: dict[str, Volume] = {}
        pairs = {row["structure"]: read_pair(row, files) for _, row in rows.iterrows()}
        organ = pairs.get(settings.organ) if settings.organ else None
        for _, row in rows.iterrows():
            truth, predicted = pairs[row["structure"]]
            context = {name: row[name] for name in _CONTEXT if name in row}
            pieces = match_lesions(truth, predicted, settings.lesions)
            measures = measure_pair(truth, predicted, tolerance_mm=settings.tolerance_mm)
            count = int((pieces["mask"] == "truth").sum())
            cases.append({**context, **measures, "pieces": count, **_organ_shares(truth, predicted, organ)})
            lesions.append(pieces.assign(**context))
    return pd.DataFrame(cases), pd.concat(lesions, ignore_index=True) if lesions else pd.DataFrame()


def measure_pair(truth: Volume, predicted: Volume, *, tolerance_mm: float = 2.0) -> dict[str, Any]:
    """All measures of one predicted mask against its truth, on the same grid.

    Returns:
        `outcome`, `dice`, `jaccard`, `surface_dice`, `hd95_mm`, `hd_mm`, `truth_ml`, `predicted_ml`,
        `volume_error_ml`, `volume_error_percent`.
    """
    truth_ml, predicted_ml = volume_ml(truth), volume_ml(predicted)
    present = truth_ml > 0
    overlaps = bool((truth.values & predicted.values).any())
    outcome = ("segmented" if overlaps else "missed") if present else "false positive" if predicted_ml else "absent"
    undefined = float("nan")
    distances = SurfaceDistances.between(truth, predicted) if present else None
    return {
        "outcome": outcome,
        "dice": dice(truth.values, predicted.values) if present else undefined,
        "jaccard": jaccard(truth.values, predicted.values) if present else undefined,
        "surface_dice": distances.surface_dice(tolerance_mm) if distances else undefined,
        "hd95_mm": distances.hausdorff_mm(95) if distances else undefined,
        "hd_mm": distances.hausdorff_mm() if distances else undefined,
        "truth_ml": truth_ml,
        "predicted_ml": predicted_ml,
        "volume_error_ml": predicted_ml - truth_ml,
        "volume_error_percent": volume_error_percent(truth_ml, predicted_ml),
    }


def read_pair(row: "pd.Series", files: dict[str, Volume] | None = None) -> tuple[Volume, Volume]:
    """True and predicted mask of a row of predictions.

    Args:
        row: with `truth_file`, `mask_file`, and where stated `truth_value` and `value`.
        files: label maps that are read already, by path; what is read is added.

    Raises:
        DataError: a file cannot be read, or the two do not lie on the same grid.
    """
    files = {} if files is None else files
    truth_file, mask_file = Path(row["truth_file"]), Path(row["mask_file"])
    for file in (truth_file, mask_file):
        if str(file) not in files:
            files[str(file)] = read_labels(file)
    truth, predicted = files[str(truth_file)], files[str(mask_file)]
    same_grid(truth.geometry, predicted.geometry, names=(f"truth {truth_file.name}", f"prediction {mask_file.name}"))
    numbers = label_numbers(row.get("truth_value")), label_numbers(row.get("value"))
    return truth.labelled(numbers[0]), predicted.labelled(numbers[1])


def _organ_shares(truth: Volume, predicted: Volume, organ: tuple[Volume, Volume] | None) -> dict[str, float]:
    """Share of the organ, itself included, that a structure takes, true and predicted, in percent."""
    if organ is None:
        return {}
    shares = {}
    for name, mask, whole in (("truth", truth, organ[0]), ("predicted", predicted, organ[1])):
        total = int(np.count_nonzero(mask.values | whole.values))
        part = int(np.count_nonzero(mask.values))
        shares[f"{name}_share_percent"] = 100 * part / total if total else float("nan")
    return shares
