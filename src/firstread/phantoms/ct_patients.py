"""Phantom patients with abdominal CT volumes: small files that are simulated when they are read, and their tables."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from firstread.core.errors import SettingError, suggest
from firstread.core.progress_bar import track
from firstread.phantoms.abdomen import LABELS, AbdomenPatient
from firstread.phantoms.contrast_phases import PHASES
from firstread.phantoms.lesion_table import list_lesions
from firstread.phantoms.liver import SEGMENTS
from firstread.phantoms.phantom_file import PhantomScan, write_phantom_file

#: structures that a mask can be asked for: organs, each lesion by its number, Couinaud's segments
STRUCTURES = (*LABELS, "lesion", *(f"segment {name}" for name in SEGMENTS))


def simulate_ct_patients(
    folder: str | Path,
    *,
    count: int,
    seed: int = 0,
    phases: Sequence[str] = ("portal",),
    structures: Sequence[str] = ("liver",),
    scan: PhantomScan | None = None,
) -> list[dict[str, Any]]:
    """Simulate patients with abdominal CT: writes phantom files of a few hundred bytes and lists what they hold.

    Args:
        folder: for the files, one folder a patient.
        count: number of patients.
        seed: the same seed gives the same patients; another seed other ones.
        phases: of each patient's scans.
        structures: that masks are wanted of; see STRUCTURES.
        scan: size and spacing of the voxels, and the number of lesions; its seed, phase and `shows` are not used.

    Returns:
        One dictionary a patient: `patient`, `seed`, `liver_volume_ml`, `images` (phase -> file), `masks` (a list of
        structure, file, value and lesion, which is None or the lesion's number), `lesions` (rows of `list_lesions` as
        dictionaries, boxes in millimetres).

    Raises:
        SettingError: unknown phase or structure, or no patients.
    """
    if count < 1 or seed < 0 or not phases:
        raise SettingError(f"count={count}, seed={seed} is not possible", expected="1 patient and 1 phase or more")
    for names, known in ((phases, PHASES), (structures, STRUCTURES)):
        for name in names:
            if name not in known:
                raise SettingError(f'There is no "{name}" in a phantom.{suggest(name, known)}')
    scan = scan or PhantomScan(0)
    numbers = track(range(count), "Simulating patients", unit="patient")
    return [_write_patient(Path(folder), number, [seed, number], phases, structures, scan) for number in numbers]


def _write_patient(
    folder: Path, number: int, seeds: list[int], phases: Sequence[str], structures: Sequence[str], scan: PhantomScan
) -> dict[str, Any]:
    patient = AbdomenPatient.draw(np.random.default_rng(seeds), lesion_count=scan.lesion_count)
    name = f"PH-abdomen-{number:05d}"
    scan = replace(scan, seed=patient.seed)
    lesions = [row._asdict() for row in list_lesions(patient)]
    images = {
        phase: str(write_phantom_file(folder / name / f"{phase}.phantom", replace(scan, shows="ct", phase=phase)))
        for phase in phases
    }
    masks = []
    for structure in structures:
        shows, values = _find_mask(structure, len(lesions))
        file = write_phantom_file(folder / name / f"{shows}.phantom", replace(scan, shows=shows, phase="portal"))
        masks += [
            {"structure": structure, "file": str(file), "value": value, "lesion": value if shows == "lesions" else None}
            for value in values
        ]
    return {
        "patient": name,
        "seed": patient.seed,
        "liver_volume_ml": round(patient.liver_volume_ml, 1),
        "images": images,
        "masks": masks,
        "lesions": lesions,
    }


def _find_mask(structure: str, lesion_count: int) -> tuple[str, list[int]]:
    """Which mask holds a structure, and its values there."""
    if structure == "lesion":
        return "lesions", list(range(1, lesion_count + 1))
    if structure in LABELS:
        return "labels", [LABELS[structure]]
    return "segments", [SEGMENTS.index(structure.removeprefix("segment ")) + 1]
