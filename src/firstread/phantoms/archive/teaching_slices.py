"""Liver slices of a department and of a clean test set, for the experiment of lesson 4: what a choice of data does.

The department's first patients are those of the pile. Its slices have two faults of the pile: a quarter of the series
was imported twice, and most patients without a lesion were scanned without contrast medium under the name of the portal
venous phase. The clean test set, of other patients, has neither.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firstread.core.geometry import Geometry
from firstread.core.volume import Volume
from firstread.core.windows import apply_window
from firstread.phantoms.abdomen import LABELS, AbdomenPatient, label_map, lesion_map, simulate_ct
from firstread.phantoms.archive.studies import ARCHIVE_VERSION
from firstread.phantoms.archive.teaching_pile import PATIENTS, SEED, draw_anatomy

#: patients of the department and of the clean test set
DEPARTMENT, CLEAN = 60, 60
SIZE = 96
_SLICES, _SPACING_MM, _PIXEL_MM, _MATRIX = 6, 18.0, 2.2, 120
#: the liver lies to the right of the middle of the body, and somewhat in front
_SHIFT_MM = (-45.0, -10.0, 0.0)
#: a slice shows the liver if so much of it is in it
_FEWEST_LIVER_MM2 = 3_900.0
_MARGIN_PIXELS = 4
_WINDOW = (90.0, 180.0)
_SHARE_TWICE, _SHARE_UNENHANCED = 0.25, 0.9


@dataclass(frozen=True)
class LiverSlice:
    """One image of the experiment.

    Attributes:
        file: PNG below the folder.
        patient: name of the patient.
        part: "department" or "clean".
        phase: what the image shows: "venous", or "unenhanced" under the name of the venous phase.
        twice: whether it was imported a second time.
        lesion_mm: diameter of the largest lesion in it, as a circle of its area; 0 without one.
    """

    file: str
    patient: str
    part: str
    phase: str
    twice: bool
    lesion_mm: float


def write_liver_slices(folder: str | Path) -> Iterator[list[LiverSlice]]:
    """Write the images below `folder`; yields those of one patient after another.

    Example:
        >>> from itertools import islice
        >>> images = next(islice(write_liver_slices("slices"), 1))
        >>> images[0].part, images[0].file.split("/")[0]
        ('department', 'department')
    """
    faults = _deal_faults()
    for number in range(DEPARTMENT + CLEAN):
        anatomy = draw_anatomy(number) if number < PATIENTS else _draw_other(number)
        yield list(_write_patient(anatomy, number, faults, Path(folder)))


def _draw_other(number: int) -> AbdomenPatient:
    return AbdomenPatient.draw(np.random.default_rng([ARCHIVE_VERSION, SEED, number]))


def _deal_faults() -> Mapping[str, frozenset[int]]:
    """Patients whose series were imported twice; patients who, if they have no lesion, had no contrast medium."""
    rng = np.random.default_rng([ARCHIVE_VERSION, SEED, 6])
    twice = rng.permutation(DEPARTMENT)[: round(_SHARE_TWICE * DEPARTMENT)]
    unenhanced = rng.permutation(DEPARTMENT)[: round(_SHARE_UNENHANCED * DEPARTMENT)]
    return {"twice": frozenset(twice.tolist()), "unenhanced": frozenset(unenhanced.tolist())}


def _write_patient(
    anatomy: AbdomenPatient, number: int, faults: Mapping[str, frozenset[int]], folder: Path
) -> Iterator[LiverSlice]:
    from PIL import Image

    part = "department" if number < DEPARTMENT else "clean"
    geometry = _geometry(anatomy)
    liver = label_map(anatomy, geometry=geometry).values == LABELS["liver"]
    lesions = lesion_map(anatomy, geometry=geometry).values
    shown = [index for index in range(_SLICES) if liver[index].sum() * _PIXEL_MM**2 > _FEWEST_LIVER_MM2]
    plain = part == "department" and number in faults["unenhanced"] and not lesions[shown].any()
    phase = "unenhanced" if plain else "portal"
    volume = simulate_ct(anatomy, phase=phase, geometry=geometry)
    twice = part == "department" and number in faults["twice"]
    (folder / part).mkdir(parents=True, exist_ok=True)
    for index in shown:
        file = f"{part}/{number:03d}-{index}.png"
        Image.fromarray(_cut_to_liver(volume, liver, index)).save(folder / file)
        name = "unenhanced" if plain else "venous"
        yield LiverSlice(file, f"PH-liver-{number:03d}", part, name, twice, _largest_mm(lesions[index]))


def _geometry(anatomy: AbdomenPatient) -> Geometry:
    size, spacing = (_SLICES, _MATRIX, _MATRIX), (_SPACING_MM, _PIXEL_MM, _PIXEL_MM)
    origin = np.asarray(anatomy.geometry(size, spacing_mm_zyx=spacing).origin_mm_lps) + _SHIFT_MM
    return Geometry.from_spacing(size, spacing_mm_zyx=spacing, origin_mm_lps=origin.tolist())


def _cut_to_liver(volume: Volume, liver: np.ndarray, index: int) -> np.ndarray:
    """The square around the liver in one slice: (SIZE, SIZE) uint8."""
    from PIL import Image

    rows, columns = np.flatnonzero(liver[index].any(axis=1)), np.flatnonzero(liver[index].any(axis=0))
    middle_y, middle_x = (rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2
    half = max(rows[-1] - rows[0], columns[-1] - columns[0]) / 2 + _MARGIN_PIXELS
    box = [round(float(value)) for value in (middle_x - half, middle_y - half, middle_x + half, middle_y + half)]
    shown = apply_window(volume.values[index].astype(float), center=_WINDOW[0], width=_WINDOW[1])
    picture = Image.fromarray(shown).crop((box[0], box[1], box[2], box[3]))
    return np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def _largest_mm(lesions: np.ndarray) -> float:
    """Diameter of a circle of the area of the largest lesion in a slice; 0 without one."""
    areas = np.bincount(lesions.ravel())[1:]
    return round(float(2 * np.sqrt(areas.max() * _PIXEL_MM**2 / np.pi)), 1) if areas.any() else 0.0
