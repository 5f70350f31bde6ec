"""A project whose curation is done, by tables made by hand: for tests of the steps after it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from firstread.project.project import Project
from firstread.project.step_states import now
from readers.dicom_files import save_series

ELIGIBILITY = """
title = "Liver metastases"

[[include]]
name = "Venous CT"
needs = "imaging"
where = "series.modality == 'CT' and series.phase == 'venous'"

[[exclude]]
name = "Under 18 years"
needs = "clinical"
where = "study.age_years < 18"

[target]
name = "metastasis"
where = "clinical.metastases > 0"
"""


def make_project(base, *, patients=40, slices=0):
    """A project with a CT of two phases and a radiograph of each patient.

    Every eighth patient has no known phase, every tenth is a child, every third has a metastasis, and the last one is
    not in the clinical table. Patients 0 and 1 share a study. With `slices` the CT series are DICOM files.
    """
    archive = base / "archive"
    archive.mkdir(parents=True)
    (archive / "a.txt").write_text("nothing")
    project, _ = Project.create(base / "liver", archive=archive, vault=base / "vault", deidentified=True)
    write_curated(project, patients=patients)
    write_clinical(project, patients=patients)
    if slices:
        write_images(project, patients=patients, slices=slices)
    finish_curation(project)
    return project


def finish_curation(project):
    """Record that the step is done."""
    project.paths["excluded"].write_text("id")
    project.states.finish("curate", started=now(), parameters={}, counts={})


def patient(number):
    return f"P{number:04d}"


def write_curated(project, *, patients):
    """Tables of curation."""
    series, studies = [], []
    for number in range(patients):
        study = f"T{0 if number == 1 else number:04d}"
        if number != 1:
            studies.append(
                {
                    "study": study,
                    "patient": patient(number),
                    "day": 0,
                    "age_years": 12 if number % 10 == 9 else 40 + number % 60,
                    "sex": "FM"[number % 2],
                    "site": "North" if number % 4 else "South",
                    "scanner": "A",
                }
            )
        for phase in ("arterial", "venous", None):
            place = len(series)
            known = phase if number % 8 != 7 or phase is None else "unknown"
            series.append(
                {
                    "series": f"S{place:04d}",
                    "stack": 0,
                    "study": study,
                    "patient": patient(number),
                    "modality": "CT" if phase else "CR",
                    "phase": known or "none",
                    "plane": "axial" if phase else "none",
                    "first_file": f"{patient(number)}/S{place:04d}/0.dcm",
                    "selected": number != 2 or phase != "venous",
                    "is_volume": phase is not None,
                }
            )
    folder = project.paths["curated"]
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(series), folder / "series.parquet")
    pq.write_table(pa.Table.from_pylist(studies), folder / "studies.parquet")


def write_clinical(project, *, patients, metastases=1):
    """A clinical table of all but the last patient."""
    numbers = range(patients - 1)
    project.paths["clinical"].parent.mkdir(exist_ok=True)
    table = pa.table(
        {
            "patient": [patient(number) for number in numbers],
            "metastases": [metastases if number % 3 == 0 else 0 for number in numbers],
            "year": [2010 + number // 4 for number in numbers],
        }
    )
    pq.write_table(table, project.paths["clinical"])


def write_images(project, *, patients, slices):
    """DICOM files of the CT series, and the table of instances."""
    rows = []
    for row in pq.read_table(project.paths["curated series"]).to_pylist():
        if row["modality"] != "CT":
            continue
        folder = project.image_folder / row["patient"] / row["series"]
        values = np.zeros((slices, 8, 8), np.int16) + int(row["series"][1:])
        uids = {"SeriesInstanceUID": f"1.2.{int(row['series'][1:])}", "PatientID": row["patient"]}
        save_series(folder, values, **uids)
        for path in sorted(folder.glob("*.dcm")):
            name = path.relative_to(project.image_folder).as_posix()
            own = {key: row[key] for key in ("series", "stack", "study", "patient")}
            rows.append(own | {"file": name, "status": "ok", "pixel_sha256": None})
    folder = project.paths["curated"] / "instances"
    folder.mkdir(exist_ok=True)
    schema = pa.schema({**dict.fromkeys(("series", "study", "patient", "file", "status", "pixel_sha256"), pa.string())})
    pq.write_table(pa.Table.from_pylist(rows, schema.append(pa.field("stack", pa.int64()))), folder / "part-0.parquet")
