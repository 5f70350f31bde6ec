"""A small de-identified archive with faults of several kinds, and the project made of it, for tests of `curate`."""

import numpy as np
from pydicom.uid import generate_uid

from firstread.project.project import Project
from readers.dicom_files import save_dicom, save_series

PATIENTS = ("P1", "P2", "P3")
#: dates that stand in headers and must stand in no table of the project
DATES = ("20190203", "20190310")


def uid(*parts):
    """A UID that is the same whenever it is asked for."""
    return generate_uid(entropy_srcs=[str(part) for part in parts])


def body(slices, *, seed):
    """Slices of a round body in air, in Hounsfield units."""
    rows, columns = np.mgrid[-8:8, -8:8]
    noise = np.random.default_rng(seed).integers(-5, 6, (slices, 16, 16))
    return np.where(np.hypot(rows, columns) < 5, 40 + noise, -1000).astype(np.int16)


def write_curated_archive(folder, *, patients=PATIENTS, slices=5):
    """Two CT studies a patient; the first patient misses a slice; a broken file, and one that is no DICOM."""
    for patient in patients:
        for study, date in enumerate(DATES):
            values = body(slices, seed=10 * PATIENTS.index(patient) + study)
            series = uid(patient, study, "series")
            places = np.array([-100.0, -120.0, 30.0]) + np.outer(np.arange(slices), [0, 0, 5])
            missing = patient == "P1" and study == 0
            kept = [index for index in range(slices) if not (missing and index == 2)]
            save_series(
                folder / patient / f"study{study}",
                values[kept],
                positions=places[kept],
                per_slice=[{"SOPInstanceUID": uid(series, index)} for index in kept],
                PatientID=patient,
                PatientName=patient,
                StudyInstanceUID=uid(patient, study),
                SeriesInstanceUID=series,
                StudyDate=date,
                PatientAge="093Y" if patient == "P2" else "061Y",
                PatientSex="F",
                SliceThickness=5,
                RescaleSlope=1,
                RescaleIntercept=0,
            )
    whole = save_dicom(folder / "whole.dcm", values[0], SeriesInstanceUID=uid("scout"), PatientID="P3")
    (folder / "cut.dcm").write_bytes(whole.read_bytes()[:200])
    whole.unlink()
    (folder / "readme.txt").write_text("no DICOM")
    return folder


def make_curated_project(base, *, name="liver", **settings):
    """The project `base/NAME` on the de-identified archive `base/archive`, its vault in `base/NAME-vault`."""
    archive = base / "archive"
    if not archive.exists():
        write_curated_archive(archive, **settings)
    return Project.create(base / name, archive=archive, vault=base / f"{name}-vault", deidentified=True)[0]
