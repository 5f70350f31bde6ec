"""Masks: which voxels of a scan are a structure; reading, connected pieces, volume, box, surface and distances.

Everything is measured in millimetres in the patient, by the volume's affine: slices that are thicker than pixels are
wide, rotated or tilted ones too. A mask is a `Volume` of bool.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from firstread.core.case import Case
from firstread.core.columns import label_numbers
from firstread.core.errors import DataError, SettingError
from firstread.core.images import read_volume
from firstread.core.volume import Volume

#: of a case and structure whose truth is not known
NO_TRUTH: dict[str, Any] = {"truth_file": None, "truth_value": None}
#: neighbours of a voxel -> scipy's number: faces, edges too, corners too
_CONNECTIVITY = {6: 1, 18: 2, 26: 3}


def read_labels(file: str | Path) -> Volume:
    """Label map of a file: whole numbers, (z, y, x), 0 is the background.

    Raises:
        DataError: the file is broken, or its values are not whole numbers.
    """
    volume = read_volume(file)
    values = volume.values
    if values.dtype.kind == "f":
        whole = np.rint(values)
        if not np.isfinite(values).all() or (np.abs(values - whole) > 1e-3).any():
            raise DataError(
                "The values of this file are not whole numbers, so it is no label map",
                where=file,
                expected="0 for the background, and a whole number for each structure",
                do="name the file of the mask, not the one of the scan or of probabilities",
            )
        values = whole.astype(np.int32)
    return replace(volume, values=values, unit="")


def read_mask(file: str | Path, value: int | str | None = None) -> Volume:
    """Mask of a structure from a label map.

    Args:
        file: NIfTI, or another format that a reader turns into a volume.
        value: number of the structure in the file, or text with those of a region, such as "1 2 3"; None takes
            everything that is not the background.

    Returns:
        Volume of bool on the file's own grid; all False where the structure does not occur.
    """
    return read_labels(file).labelled(label_numbers(value))


def true_masks(
    cases: Iterable[Case], structures: Sequence[str], *, reader: str | None = None
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Reference masks: (case, structure) -> `truth_file` and `truth_value`, for each that has one.

    A case without a mask of a structure, or with those of several readers, has none. `truth_value` is text: the number
    of the structure in the file, or several (a region, numbered lesions) with spaces between them, such as "1 2 3";
    None where no number is stated, which is all that is not the background.

    Args:
        cases: of a cohort.
        structures: names.
        reader: whose masks count; None takes the adjudicated ones, else those of the only reader.
    """
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for case in cases:
        for structure in structures:
            try:
                rows = case.find_masks(structure, reader)
            except DataError:
                continue
            numbers = label_numbers(" ".join(row.get("value", "") for row in rows))
            value = " ".join(map(str, numbers)) or None
            found[case.case, structure] = {"truth_file": rows[0]["file"], "truth_value": value}
    return found


def volume_ml(mask: Volume) -> float:
    """Volume of a mask in millilitres.

    Example:
        >>> from firstread.core.geometry import Geometry
        >>> grid = Geometry.from_spacing((2, 10, 10), spacing_mm_zyx=(5, 1, 1))
        >>> round(volume_ml(Volume(np.ones((2, 10, 10), bool), grid)), 6)
        1.0
    """
    return float(np.count_nonzero(mask.values) * mask.geometry.voxel_volume_ml)


def connected_components(mask: Volume, *, connectivity: int = 26) -> tuple[np.ndarray, int]:
    """Number the connected pieces of a mask: ((z, y, x) int32 labels from 1, count).

    Args:
        connectivity: neighbours that belong together: 26 (faces, edges and corners), 18 (no corners) or 6 (faces).

    Source: Rosenfeld and Pfaltz 1966.
    """
    from scipy.ndimage import generate_binary_structure, label

    if connectivity not in _CONNECTIVITY:
        raise SettingError(f"connectivity={connectivity!r} is not possible", expected="26, 18 or 6")
    labels, count = label(mask.values, generate_binary_structure(3, _CONNECTIVITY[connectivity]))
    return labels.astype(np.int32, copy=False), int(count)


def largest_component(mask: Volume, *, connectivity: int = 26) -> Volume:
    """The largest connected piece of a mask; of equal ones the first; an empty mask stays empty."""
    labels, count = connected_components(mask, connectivity=connectivity)
    if count < 2:
        return mask
    largest = int(np.bincount(labels.ravel())[1:].argmax()) + 1
    return replace(mask, values=labels == largest)


def bounding_box_mm(mask: Volume) -> np.ndarray | None:
    """Box around a mask in the patient: (2, 3) lowest and highest (L, P, S) in millimetres; None for an empty mask.

    The box holds the voxels whole, not their centres only.
    """
    indices = np.argwhere(surface_voxels(mask))
    if not len(indices):
        return None
    centres = mask.geometry.to_mm(indices)
    half_voxel = np.abs(mask.geometry.affine_lps[:3, :3]).sum(axis=1) / 2
    return np.stack([centres.min(axis=0) - half_voxel, centres.max(axis=0) + half_voxel])


def bounding_slices(mask: np.ndarray, *, margin: int = 0) -> tuple[slice, ...] | None:
    """Smallest part of an array that holds all True voxels, with a margin of voxels; None where there is none.

    Args:
        mask: (z, y, x) bool.
    """
    slices = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        occupied = np.flatnonzero(mask.any(axis=others))
        if not len(occupied):
            return None
        slices.append(slice(max(0, int(occupied[0]) - margin), int(occupied[-1]) + 1 + margin))
    return tuple(slices)


def surface_voxels(mask: Volume) -> np.ndarray:
    """Voxels of a mask with a face towards the outside: (z, y, x) bool. The edge of the scan counts as outside."""
    from scipy.ndimage import binary_erosion

    values = mask.values.astype(bool, copy=False)
    surface = np.zeros(values.shape, bool)
    part = bounding_slices(values)
    if part is not None:
        surface[part] = values[part] & ~binary_erosion(values[part])
    return surface


def surface_distances_mm(from_mask: Volume, to_mask: Volume) -> np.ndarray:
    """Distance of each surface voxel of a mask to the nearest surface voxel of another, in millimetres: (N,).

    Centres of voxels are compared in the patient, so spacing, rotation and tilt of the gantry are honoured, and the
    order of axes cannot be mistaken. Nothing to measure from gives no distances, nothing to measure to infinite ones.

    Example:
        >>> from firstread.core.geometry import Geometry
        >>> grid = Geometry.from_spacing((3, 4, 4), spacing_mm_zyx=(5, 0.8, 0.8))
        >>> low, high = np.zeros((2, 3, 4, 4), bool)
        >>> low[0], high[1] = True, True
        >>> float(surface_distances_mm(Volume(low, grid), Volume(high, grid)).max())
        5.0
    """
    from scipy.spatial import KDTree

    start, end = (mask.geometry.to_mm(np.argwhere(surface_voxels(mask))) for mask in (from_mask, to_mask))
    if not len(start) or not len(end):
        return np.full(len(start), np.inf)
    distances: np.ndarray = KDTree(end).query(start)[0]
    return distances
