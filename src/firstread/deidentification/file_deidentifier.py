"""De-identification of one DICOM file: read, rules, written atomically under a name made of pseudonyms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from firstread.core.errors import DataError
from firstread.core.files import write_atomically
from firstread.deidentification.dataset_deidentifier import deidentify_dataset
from firstread.deidentification.identity_index import IdentityIndex
from firstread.deidentification.profile import Profile
from firstread.deidentification.pseudonym_keys import PseudonymKeys
from firstread.deidentification.storage_classes import MEDIA_DIRECTORY, reason_to_hold_class
from firstread.dicom.headers import convert_dicom_errors, open_dicom_object
from firstread.dicom.raw_elements import read_texts, save_dataset

if TYPE_CHECKING:
    from pydicom import Dataset

_STUDY, _SERIES, _INSTANCE = 0x0020000D, 0x0020000E, 0x00080018


@dataclass(frozen=True)
class FileResult:
    """What became of one file.

    Args:
        source: the original; its name may name a patient, so it is not shown when the result is printed.
        output: path below the output folder, of pseudonyms only; None where the file is held back.
        held: why it is held back, a sentence; None where it was written.
        existed: an earlier run had written it.
        actions: rule -> number of elements.
    """

    source: Path = field(repr=False)
    output: Path | None
    held: str | None = None
    existed: bool = False
    actions: Mapping[str, int] = field(default_factory=dict)


def deidentify_file(
    source: str | Path,
    folder: str | Path,
    *,
    profile: Profile,
    keys: PseudonymKeys,
    identities: IdentityIndex | None = None,
    rewrite: frozenset[str] = frozenset(),
) -> FileResult:
    """De-identify a file into `folder/P…/T…/S…/I….dcm`. A file that cannot be is held back, not raised.

    Args:
        identities: what is known of the patients from all of their files.
        rewrite: pseudonyms whose files are written again where they exist.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    source, folder = Path(source), Path(folder)
    try:
        dataset = open_dicom_object(source)
        with convert_dicom_errors(source):
            return _deidentify_open_file(dataset, source, folder, profile, keys, identities or IdentityIndex(), rewrite)
    except DataError as error:
        return FileResult(source, None, reason_not_opened(source, error, profile))


def reason_not_opened(source: Path, error: DataError, profile: Profile) -> str:
    """Why a file that could not be opened is held back: what the error says, or that it is a DICOMDIR."""
    directory = reason_to_hold_class(MEDIA_DIRECTORY, profile) if _is_media_directory(source) else None
    return directory or error.what


def deidentify_shard(
    files: Iterable[str | Path],
    folder: str | Path,
    *,
    profile: Profile,
    keys: PseudonymKeys,
    identities: IdentityIndex,
) -> tuple[FileResult, ...]:
    """De-identify a shard of an archive's files; `identities` come from the whole archive."""
    return tuple(deidentify_file(file, folder, profile=profile, keys=keys, identities=identities) for file in files)


def output_path(dataset: "Dataset", pseudonym: str, keys: PseudonymKeys) -> Path:
    """Path of an instance below the output folder: patient, study, series, instance, all pseudonyms."""
    names = (("T", _STUDY), ("S", _SERIES), ("I", _INSTANCE))
    study, series, instance = (
        keys.file_name(prefix, "\\".join(read_texts(dataset, tag)) or "None") for prefix, tag in names
    )
    return Path(pseudonym, study, series, f"{instance}.dcm")


def _deidentify_open_file(
    dataset: "Dataset",
    source: Path,
    folder: Path,
    profile: Profile,
    keys: PseudonymKeys,
    identities: IdentityIndex,
    rewrite: frozenset[str],
) -> FileResult:
    identity = identities.identity(dataset)
    pseudonym = keys.patient(identity.key)
    path = output_path(dataset, pseudonym, keys)
    if (folder / path).is_file() and identity.reason_to_hold():  # what another file says now makes it doubtful
        (folder / path).unlink()
    if pseudonym not in rewrite and identity.key and (folder / path).is_file():
        return FileResult(source, path, existed=True)
    found = deidentify_dataset(dataset, profile=profile, keys=keys, identity=identity)
    if found.dataset is None:
        return FileResult(source, None, found.held, actions=found.actions)
    output = found.dataset
    write_atomically(folder / path, lambda temporary: save_dataset(output, temporary))
    return FileResult(source, path, actions=found.actions)


def _is_media_directory(path: Path) -> bool:
    """Whether a file is a DICOMDIR, whatever its name."""
    from pydicom.filereader import read_file_meta_info

    try:
        with convert_dicom_errors(path):
            return str(read_file_meta_info(path).get("MediaStorageSOPClassUID")) == MEDIA_DIRECTORY
    except DataError:
        return False
