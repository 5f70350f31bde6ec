"""Settings of a phantom archive: how many patients, which seed, how large the CT, how many of each fault."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

import numpy as np

from firstread.core.errors import SettingError, suggest
from firstread.phantoms.archive.ct_series import ScanGrid
from firstread.phantoms.archive.studies import ARCHIVE_VERSION

#: fault of a real archive -> share of patients that have it; at least one patient has each
FAULT_RATES: Mapping[str, float] = MappingProxyType(
    {
        "missing_slices": 0.04,
        "two_patients_one_id": 0.01,
        "one_patient_two_ids": 0.02,
        "two_ids_in_one_study": 0.01,
        "blank_patient_id": 0.01,
        "localizer_among_axials": 0.05,
        "wrong_laterality": 0.03,
        "unenhanced_called_venous": 0.03,
        "several_passes": 0.06,
        "truncated_file": 0.02,
        "duplicate_same_content": 0.03,
        "duplicate_other_content": 0.02,
        "duplicate_position": 0.02,
        "instance_number_absent": 0.02,
        "exposure_varies": 0.04,
        "gantry_tilt": 0.04,
        "derived_same_number": 0.06,
        "split_study": 0.03,
        "over_midnight": 0.03,
        "age_over_89": 0.03,
        "character_set_misspelt": 0.02,
        "value_too_long": 0.02,
        "low_coverage": 0.03,
        "noise": 0.02,
        "truncated_field_of_view": 0.02,
        "wrong_body_part": 0.02,
        "overlapping_slices": 0.02,
        "images_under_two_ids": 0.01,
    }
)


@dataclass(frozen=True)
class ArchiveSettings:
    """What an archive is made from: the same settings give the same bytes.

    Attributes:
        patients: from 1.
        seed: from 0.
        matrix, slices: of each phase of the CT.
        faults: kind -> how many patients have it; all kinds of FAULT_RATES.

    Raises:
        SettingError: a value is out of range.
    """

    patients: int
    seed: int
    matrix: int
    slices: int
    faults: Mapping[str, int]

    def __post_init__(self) -> None:
        for name, low, high in (("patients", 1, 100_000), ("seed", 0, 2**32), ("matrix", 32, 512), ("slices", 8, 300)):
            if not low <= getattr(self, name) <= high:
                raise SettingError(f"{name}={getattr(self, name)} is not possible", expected=f"{low:,} to {high:,}")

    @property
    def grid(self) -> ScanGrid:
        """Voxels of each phase."""
        return ScanGrid(self.matrix, self.slices)

    def faults_of(self, number: int) -> frozenset[str]:
        """Kinds of faults that one patient has, the same whatever else is made."""
        return frozenset(kind for kind, count in self.faults.items() if number in self._dealt(kind, count))

    def _dealt(self, kind: str, count: int) -> set[int]:
        rng = np.random.default_rng([ARCHIVE_VERSION, self.seed, 2, list(FAULT_RATES).index(kind)])
        return set(rng.permutation(self.patients)[:count].tolist())

    def as_json(self) -> dict[str, object]:
        """For the file that names an archive."""
        return {"firstread": "phantom archive", "version": ARCHIVE_VERSION, **asdict(self), "faults": dict(self.faults)}


def count_faults(faults: Mapping[str, float] | None, patients: int) -> dict[str, int]:
    """Number of patients with each fault: rates below 1 and whole numbers from 1 replace those of FAULT_RATES.

    Raises:
        SettingError: an unknown fault, a negative number, or more than there are patients.

    Example:
        >>> count_faults({"truncated_file": 3, "gantry_tilt": 0}, 50)["truncated_file"]
        3
    """
    counts = {}
    for kind in faults or {}:
        if kind not in FAULT_RATES:
            raise SettingError(f'There is no fault "{kind}".{suggest(kind, FAULT_RATES)}', where="faults")
    for kind, rate in {**FAULT_RATES, **(faults or {})}.items():
        count = math.ceil(rate * patients) if rate < 1 else int(rate)
        if rate < 0 or count > patients or (rate >= 1 and count != rate):
            raise SettingError(
                f'"{kind}" cannot be planted {rate:g} times',
                where="faults",
                expected=f"a share below 1, or a whole number up to the {patients} patients",
            )
        counts[kind] = 0 if kind == "two_patients_one_id" and patients < 2 else count
    return counts
