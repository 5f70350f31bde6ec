"""Teaching data sets of phantom patients, each with its cohort."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.columns import SPLITS, make_table
from firstread.core.files import atomic_folder
from firstread.core.progress_bar import ProgressBar
from firstread.core.provenance import Origin, Step
from firstread.core.tables import Tables
from firstread.core.tasks import Segmentation
from firstread.phantoms import MEDNIST_CLASSES, VERSION
from firstread.phantoms.abdomen import ABDOMEN_VERSION
from firstread.phantoms.ct_patients import simulate_ct_patients
from firstread.phantoms.patients import ORIGIN, make_images

#: images per class of hello-world; training and validation as in the published set, which has no test set
HELLO_WORLD_COUNTS = {
    "train": {"abdomen": 32, "chest": 33},
    "validation": {"abdomen": 5, "chest": 5},
    "test": {"abdomen": 20, "chest": 20},
}
SLICES_PER_PATIENT = 10


class PlannedPatient(NamedTuple):
    """A patient to simulate: `kind` is a key of `patients.KINDS`, `image_count` the number of its images."""

    split: str
    label: str
    kind: str
    image_count: int


def make_hello_world(folder: str | Path, *, seed: int = 0, size: int = 256) -> Cohort:
    """Make chest and abdominal radiographs, one per patient: 65 to train, 10 to validate, 40 to test."""
    plan = []
    for split, classes in HELLO_WORLD_COUNTS.items():
        for label, count in classes.items():
            plan += [PlannedPatient(split, label, f"{label} radiograph", 1)] * count
    return _simulate(folder, plan, classes=("abdomen", "chest"), name="hello-world", seed=seed, size=size)


def make_mednist(folder: str | Path, *, seed: int = 0, size: int = 64, per_class: int = 300) -> Cohort:
    """Make six kinds of images, ten slices or one radiograph per patient, split by patient about 70/15/15."""
    plan = []
    for label in MEDNIST_CLASSES:
        per_patient = 1 if label == "chest radiograph" else SLICES_PER_PATIENT
        remainder = per_class % per_patient
        counts = [per_patient] * (per_class // per_patient) + ([remainder] if remainder else [])
        for number, count in enumerate(counts):
            position = (number + 0.5) / len(counts)
            split = "train" if position < 0.7 else "validation" if position < 0.85 else "test"
            plan.append(PlannedPatient(split, label, label, count))
    return _simulate(folder, plan, classes=MEDNIST_CLASSES, name="mednist", seed=seed, size=size)


def make_liver_phantoms(folder: str | Path, *, seed: int = 0, count: int = 100) -> Cohort:
    """Make abdominal CT volumes in the portal phase, with masks of the liver and its lesions; 70/15/15 by patient.

    A volume is a file of a few hundred bytes, from which it is simulated when it is read.
    """
    cases, images, targets = [], [], []
    with atomic_folder(Path(folder)) as work:
        patients = simulate_ct_patients(work, count=count, seed=seed, structures=("liver", "lesion"))
        for number, patient in enumerate(patients):
            split = SPLITS[np.searchsorted((0.7, 0.85), (number + 0.5) / count, side="right")]
            case = {"case": patient["patient"]}
            cases.append({**case, "patient": patient["patient"], "unit": "series", "split": split})
            images += [
                {**case, "name": phase, "files": [file], "modality": "CT", "unit": "HU"}
                for phase, file in patient["images"].items()
            ]
            targets += [{**case, **row} for row in _list_targets(patient)]
        step = Step("simulate liver-phantoms", {"count": count}, seed=seed, version=str(ABDOMEN_VERSION))
        origin = Origin("liver-phantoms", ORIGIN.description, ORIGIN.license, ORIGIN.citation)
        tables = Tables.from_rows(cases, images, targets)
        Cohort(tables, Segmentation(("liver",)), origin, (step,), window="abdomen").save(work)
    return Cohort.load(folder)


def make_dicom_patient(folder: str | Path) -> Cohort:
    """Make the DICOM files of one invented patient, and a cohort of their pictures, which have no classes."""
    from firstread.phantoms.archive.teaching_patient import SEED, write_teaching_patient

    with atomic_folder(Path(folder)) as work:
        files = write_teaching_patient(work / "dicom")
        rows = [
            {"case": f"image-{number:02d}", "file": str(work / "dicom" / file.path), "patient": "PH-dicom-patient"}
            for number, file in enumerate(file for file in files if "PixelData" in file.instance.dataset)
        ]
        step = Step("simulate dicom-patient", {}, seed=SEED, version=str(ABDOMEN_VERSION))
        origin = Origin("dicom-patient", ORIGIN.description, ORIGIN.license, ORIGIN.citation)
        Cohort.from_table(make_table(rows), (), origin, (step,)).save(work)
    return Cohort.load(folder)


def make_archive_pile(folder: str | Path) -> Cohort:
    """Make the pile of lesson 4, and a cohort of one picture a series, which have no classes.

    `dicom/` holds the pile, `truth.csv` what was planted in each series, `clinical.csv` a hospital's table, `slices/`
    the images of the lesson's experiment with their table `slices.csv`.
    """
    from firstread.phantoms.archive.teaching_pile import PATIENTS, SEED, clinical_rows, write_teaching_pile
    from firstread.phantoms.archive.teaching_slices import CLEAN, DEPARTMENT, write_liver_slices

    with (
        atomic_folder(Path(folder)) as work,
        ProgressBar("Simulating archive-pile", PATIENTS + DEPARTMENT + CLEAN, unit="patient") as bar,
    ):
        stacks, images = [], []
        for found in write_teaching_pile(work / "dicom"):
            stacks += found
            bar.update()
        for shown in write_liver_slices(work / "slices"):
            images += shown
            bar.update()
        truth = [{"series": one.series, "fault": one.fault, "person": one.person} for one in stacks]
        _write_csv(work / "truth.csv", truth)
        _write_csv(work / "clinical.csv", list(clinical_rows()))
        _write_csv(work / "slices" / "slices.csv", [vars(image) for image in images])
        rows = [
            {
                "case": f"series-{number:02d}",
                "file": str(work / "dicom" / one.files[len(one.files) // 2]),
                "patient": one.patient,
            }
            for number, one in enumerate(stacks, start=1)
        ]
        step = Step("simulate archive-pile", {}, seed=SEED, version=str(ABDOMEN_VERSION))
        origin = Origin("archive-pile", ORIGIN.description, ORIGIN.license, ORIGIN.citation)
        Cohort.from_table(make_table(rows), (), origin, (step,)).save(work)
    return Cohort.load(folder)


def _write_csv(file: Path, rows: list[dict[str, Any]]) -> None:
    import pandas as pd

    pd.DataFrame(rows).to_csv(file, index=False)


def _list_targets(patient: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of `targets` of a phantom patient: masks, and a box in millimetres for each lesion."""
    for mask in patient["masks"]:
        lesion = {} if mask["lesion"] is None else {"lesion": str(mask["lesion"])}
        row = {"kind": "mask", "name": mask["structure"], "value": str(mask["value"]), "file": mask["file"]}
        yield {**row, "image": next(iter(patient["images"])), **lesion}
    for lesion in patient["lesions"]:
        corners = {name: lesion[f"{name}_mm"] for name in ("x0", "y0", "z0", "x1", "y1", "z1")}
        yield {"kind": "box", "name": lesion["kind"], "space": "mm", "lesion": str(lesion["lesion"]), **corners}
    yield {"kind": "number", "name": "liver_volume_ml", "value": str(patient["liver_volume_ml"])}


def _simulate(
    folder: str | Path, plan: list[PlannedPatient], *, classes: tuple[str, ...], name: str, seed: int, size: int
) -> Cohort:
    """Simulate the planned patients into `folder`, atomically, with their cohort table."""
    folder, rows, numbers = Path(folder), [], dict.fromkeys(classes, 0)
    total = sum(patient.image_count for patient in plan)
    with atomic_folder(folder) as work, ProgressBar(f"Simulating {name}", total) as bar:
        for split, label, kind, count in plan:
            numbers[label] += 1
            patient_name = f"{label.replace(' ', '-')}-{numbers[label]:04d}"
            patient = {"label": label, "patient": f"PH-{patient_name}", "split": split}
            for index, image in enumerate(make_images(kind, seed=seed, patient=numbers[label], count=count, size=size)):
                case = patient_name + (f"-{index:02d}" if count > 1 else "")
                file = _save_png(work / split / label.replace(" ", "-") / f"{case}.png", image.pixels)
                rows.append({"case": case, "file": str(file), **patient, **image.metadata})
                bar.update()
        step = Step(f"simulate {name}", {"size": size}, seed=seed, version=str(VERSION))
        origin = Origin(name, ORIGIN.description, ORIGIN.license, ORIGIN.citation)
        Cohort.from_table(make_table(rows), classes, origin, (step,)).save(work)
    return Cohort.load(folder)


def _save_png(path: Path, pixels: np.ndarray) -> Path:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path
