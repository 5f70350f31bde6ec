"""One patient of a phantom archive on disk: files named as hospitals name them, and the patient's part of the truth."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from firstread.phantoms.archive.discs import write_disc
from firstread.phantoms.archive.identities import Identity
from firstread.phantoms.archive.studies import ArchivePatient, Instance, Series, Study
from firstread.phantoms.archive.truth import Action, Truth, list_actions

_IMPLEMENTATION_UID = "2.25.150931286540186208893817217343126432717"


class WrittenFile(NamedTuple):
    """One file of a patient, its path below the archive's DICOM folder, and what must happen to it."""

    path: str
    instance: Instance
    series: Series
    study: Study
    actions: tuple[Action, ...]


def encode(instance: Instance) -> bytes:
    """Bytes of a DICOM file, with what the instance says of its preamble, meta information, trailing bytes and end."""
    dataset = instance.dataset
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = instance.transfer_syntax
    meta.ImplementationClassUID = UID(_IMPLEMENTATION_UID)
    meta.ImplementationVersionName = "FIRSTREAD_PH_1"
    for keyword, value in instance.meta.items():
        setattr(meta, keyword, value)
    buffer = BytesIO()
    file = FileDataset(buffer, dataset, preamble=instance.preamble, file_meta=meta)
    dcmwrite(buffer, file, enforce_file_format=True)
    data = buffer.getvalue() + instance.trailing
    return data if instance.cut >= 1 else data[: int(len(data) * instance.cut)]


def write_patient(patient: ArchivePatient, folder: Path) -> Iterator[WrittenFile]:
    """Write all studies of a patient below `folder`, which is that of the whole archive's DICOM."""
    root = name_folder(patient.home)
    for number, study in enumerate(patient.studies, start=1):
        for series, instance, path in _write_study(study, folder, root, number):
            yield WrittenFile(str(path), instance, series, study, tuple(file_actions(instance, study, path)))


def _write_study(
    study: Study, folder: Path, root: PurePosixPath, number: int
) -> Iterator[tuple[Series, Instance, PurePosixPath]]:
    if study.on_disc:
        disc = root / f"CD{number:02d}"
        files = [encode(instance) for series in study.series for instance in series.instances]
        for name, series, instance in write_disc(folder / disc, study, files):
            yield series, instance, disc / name
        return
    for series in study.series:
        for index, instance in enumerate(series.instances, start=1):
            path = root / _name_file(study, series, instance, number, index)
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(encode(instance))
            yield series, instance, path


def _name_file(study: Study, series: Series, instance: Instance, number: int, index: int) -> PurePosixPath:
    """Path of a file in the folder of its patient, in the style of the patient's hospital."""
    style = study.patient.home.number % 4
    if style == 1:
        path = PurePosixPath(f"ST{number:06d}/SE{series.number:06d}/IM{index:06d}")
    elif style == 2:
        path = PurePosixPath(study.uid) / series.uid / f"{instance.dataset.SOPInstanceUID}.dcm"
    else:
        day = study.when.strftime("%Y%m%d")
        path = PurePosixPath(f"{day}_{study.accession}/S{series.number:03d}/{series.modality}^{index:04d}.dcm")
    return path.parent / instance.name if instance.name else path


def name_folder(identity: Identity) -> PurePosixPath:
    """Folder of a patient: many hospitals' exports name it after the patient."""
    family, given = identity.latin_family, identity.latin_given
    names = (
        f"{family}_{given}_{identity.patient_id}",
        f"PA{identity.number:06d}",
        f"{identity.patient_id}",
        f"{family.upper()}^{given.upper()} {identity.birth_date:%d.%m.%Y} {identity.number}",
    )
    return PurePosixPath(names[identity.number % 4].replace("/", "-"))


def file_actions(instance: Instance, study: Study, path: PurePosixPath) -> Iterator[Action]:
    """Everything that must happen to one file: header, pixels, meta information, name."""
    if instance.cut < 1:
        return
    truth = Truth(study_values(study), instance.cases, instance.kept)
    yield from list_actions(instance.dataset, truth)
    yield from instance.actions
    yield Action(
        "(0002,0003)", "MediaStorageSOPInstanceUID", "uid_changed", str(instance.dataset.SOPInstanceUID), note=_META
    )
    for text in truth.identity_values:
        if truth.contains(str(path), text):
            yield Action("path", "", "text_removed", text, note=_PATHS)


_META = "case 12: file meta information keeps UIDs and AE titles (deid 183, 72; slicebox 200)"
_PATHS = "case 31: identity in names of files and folders (shanoir 2800; pynetdicom 911)"


def study_values(study: Study) -> tuple[str, ...]:
    """Every identity value of a study's patient, and the study's own numbers."""
    values = study.identity_values()
    return (*dict.fromkeys(value.value for value in values), study.accession, study.study_id)
