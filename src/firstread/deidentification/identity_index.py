"""Identities of all patients of an archive, gathered file by file before the first output is written."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from firstread.core.errors import DataError
from firstread.deidentification.identity import Identity
from firstread.dicom.headers import convert_dicom_errors, open_dicom_object

if TYPE_CHECKING:
    from pydicom import Dataset

TWO_PATIENTS = "One study states two PatientIDs: say whose it is, and correct the identifier"


@dataclass
class IdentityIndex:
    """Identities by patient key; studies that state two patients make a conflict of both.

    Example:
        >>> from pydicom import Dataset
        >>> index = IdentityIndex()
        >>> for patient in ("A", "B"):
        ...     dataset = Dataset()
        ...     dataset.PatientID, dataset.StudyInstanceUID = patient, "1.2.3"
        ...     index.add(dataset)
        >>> index.identity(dataset).reason_to_hold()
        'One study states two PatientIDs: say whose it is, and correct the identifier'
    """

    identities: dict[str, Identity] = field(default_factory=dict)
    _study_patients: dict[str, str] = field(default_factory=dict, repr=False)

    def add(self, dataset: "Dataset") -> None:
        """Add what a dataset states of its patient.

        Raises:
            DataError: the dataset cannot be decoded.
        """
        with convert_dicom_errors(Path("dataset")):
            self._add(Identity.of(dataset), str(dataset.get("StudyInstanceUID") or ""))

    def merge(self, other: "IdentityIndex") -> None:
        """Add what another index holds, such as another shard's."""
        for identity in other.identities.values():
            self._add(identity, "")
        for study, key in other._study_patients.items():
            self._link(study, key)

    def identity(self, dataset: "Dataset") -> Identity:
        """Identity of a dataset's patient from all files added; from the dataset alone where none was."""
        stated = Identity.of(dataset)
        return self.identities.get(stated.key, stated)

    def _add(self, identity: Identity, study: str) -> None:
        if identity.key:
            known = self.identities.get(identity.key)
            self.identities[identity.key] = known.merged(identity) if known else identity
            if study:
                self._link(study, identity.key)

    def _link(self, study: str, key: str) -> None:
        first = self._study_patients.setdefault(study, key)
        if first != key:
            for patient in (first, key):
                self.identities[patient] = replace(self.identities[patient], conflict=TWO_PATIENTS)


def gather_identities(files: Iterable[Path]) -> IdentityIndex:
    """Read the headers of files and gather whose they are; files that are not DICOM are left out."""
    index = IdentityIndex()
    for _, dataset in readable_datasets(files):
        with suppress(DataError):
            index.add(dataset)
    return index


def readable_datasets(files: Iterable[Path]) -> Iterator[tuple[Path, "Dataset"]]:
    """Files that are DICOM, opened; large elements stay on disk."""
    for path in files:
        try:
            yield path, open_dicom_object(path)
        except DataError:
            continue
