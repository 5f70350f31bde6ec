"""Layouts of data sets in use, each with the true patient of every file: who is on two sides after `open_dataset`?"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image

from readers.dicom_files import save_dicom

#: (relative file name, class or None, true patient)
Files = Iterator[tuple[str, str | None, str]]


@dataclass(frozen=True)
class Layout:
    """One way in which images of patients lie on a disk.

    Attributes:
        name: in the table.
        build: writes the files into a folder and returns file -> true patient.
        source: what is known of the patients after opening: `patient_source`, or "refused".
        has_labels: whether the images have classes after opening.
    """

    name: str
    build: Callable[[Path], dict[str, str]]
    source: str
    has_labels: bool = True


def _pixels(name: str) -> np.ndarray:
    return np.random.default_rng(abs(hash(name)) % 2**32).integers(0, 256, (16, 16), dtype=np.uint8)


def _write_picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_pixels(path.name)).save(path)


def pictures(pattern: str, *, patients: int = 8, images: int = 3) -> Callable[[Path], dict[str, str]]:
    """Pictures by a pattern with {label}, {p} (patient), {i} (image), {n} (running number)."""

    def build(folder: Path) -> dict[str, str]:
        owners = {}
        for p in range(patients):
            for i in range(images):
                name = pattern.format(label="ab"[p % 2], p=p, i=i, n=p * images + i, flip="ab"[i % 2])
                _write_picture(folder / name)
                owners[name] = f"{p}"
        return owners

    return build


def table(
    header: str,
    cell: Callable[[int, int], str],
    *,
    name: str = "img/{n:03d}.png",
    file: str = "{file}",
    **more: Callable[[int, int], str],
) -> Callable[[Path], dict[str, str]]:
    """Pictures in one folder and a table of `file,label` and further columns; functions give the values."""

    def build(folder: Path) -> dict[str, str]:
        owners, rows = {}, [["file", "label", header, *more]]
        for p in range(8):
            for i in range(3):
                path = name.format(n=p * 3 + i, p=p, i=i)
                _write_picture(folder / path)
                owners[path] = f"{p}"
                rows.append([file.format(file=path), "ab"[p % 2], *(value(p, i) for value in (cell, *more.values()))])
        with open(folder / "labels.csv", "w", newline="") as target:
            csv.writer(target).writerows(rows)
        return owners

    return build


def dicom(pattern: str, *, patients: int = 10, images: int = 6, **tags) -> Callable[[Path], dict[str, str]]:
    """DICOM slices; tags may be functions of (patient, image), None leaves the element out."""

    def build(folder: Path) -> dict[str, str]:
        owners = {}
        for p in range(patients):
            for i in range(images):
                name = pattern.format(label="ab"[p % 2], p=p, i=i, n=p * images + i)
                stated = {
                    "StudyInstanceUID": f"1.2.{p + 1}",
                    "SeriesInstanceUID": f"1.2.{p + 1}.1",
                    "InstanceNumber": i + 1,
                }
                stated |= {tag: value(p, i) if callable(value) else value for tag, value in tags.items()}
                pixels = _pixels(name).astype(np.uint16)
                save_dicom(folder / name, pixels, **{k: ("" if v is None else v) for k, v in stated.items()})
                owners[name] = f"{p}"
        return owners

    return build


def stacks(pattern: str, *, kind: str) -> Callable[[Path], dict[str, str]]:
    """Eight multi-page TIFF stacks or NIfTI volumes, one a patient."""

    def build(folder: Path) -> dict[str, str]:
        owners = {}
        for p in range(8):
            name = pattern.format(label="ab"[p % 2], p=p)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            pages = [_pixels(f"{p}{page}") for page in range(6)]
            if kind == "tiff":
                first, *others = [Image.fromarray(page) for page in pages]
                first.save(folder / name, save_all=True, append_images=others)
            else:
                nibabel.save(nibabel.Nifti1Image(np.stack(pages, 2).astype(np.int16), np.eye(4)), folder / name)
            owners[name] = f"{p}"
        return owners

    return build


LAYOUTS = (
    Layout("DICOM with PatientID", dicom("{label}/{n}.dcm", PatientID=lambda p, i: f"P{p}"), "stated"),
    Layout("DICOM, PatientID absent", dicom("{label}/p{p}_{i}.dcm", PatientID=None), "study"),
    Layout("DICOM, PatientID empty, names say nothing", dicom("{label}/{n}.dcm", PatientID=""), "study"),
    Layout("DICOM, PatientID one blank", dicom("{label}/{n}.dcm", PatientID=" "), "study"),
    Layout("DICOM, PatientID ANONYMOUS for all", dicom("{label}/{n}.dcm", PatientID="ANONYMOUS"), "study"),
    Layout(
        "DICOM, PatientID on half of each study",
        dicom("{label}/{n}.dcm", PatientID=lambda p, i: f"P{p}" if i % 2 else None),
        "stated",
    ),
    Layout(
        "DICOM, PatientID differs in case",
        dicom(
            "{label}/{n}.dcm", PatientID=lambda p, i: f"{'Pp'[i % 2]}{p}", StudyInstanceUID=lambda p, i: f"1.{p}.{i}"
        ),
        "stated",
    ),
    Layout(
        "DICOM, PatientID zero-padded in some",
        dicom(
            "{label}/{n}.dcm",
            PatientID=lambda p, i: f"{p}" if i % 2 else f"{p:03d}",
            StudyInstanceUID=lambda p, i: f"1.{p}.{i}",
        ),
        "stated",
    ),
    Layout(
        "DICOM, two issuers of one id",
        dicom(
            "{label}/{n}.dcm",
            PatientID=lambda p, i: f"P{p}",
            IssuerOfPatientID=lambda p, i: "AB"[i % 2],
            StudyInstanceUID=lambda p, i: f"1.{p}.{i}",
        ),
        "stated",
    ),
    Layout(
        "DICOM, no patient, no study",
        dicom("{label}/{n}.dcm", PatientID=None, StudyInstanceUID=None),
        "series",
    ),
    Layout(
        "DICOM, one StudyInstanceUID for all",
        dicom("{label}/{n}.dcm", PatientID=lambda p, i: f"P{p}", StudyInstanceUID="1.2.3"),
        "stated",
    ),
    Layout(
        "DICOM without any identifier, folder a patient",
        dicom("{label}/case{p}/{i}.dcm", PatientID=None, StudyInstanceUID=None, SeriesInstanceUID=None),
        "folder",
    ),
    Layout(
        "PACS export, folder a patient", dicom("PAT{p:03d}/{i}.dcm", PatientID=lambda p, i: f"P{p}"), "stated", False
    ),
    Layout("anonymised export, folder a patient", dicom("ANON{p:04d}/{i}.dcm", PatientID=None), "study", False),
    Layout("anonymised export, two patients", dicom("ANON{p:04d}/{i}.dcm", patients=2, PatientID=None), "study", False),
    Layout("anonymised export, folders are numbers", dicom("{p:05d}/{i}.dcm", PatientID=None), "study", False),
    Layout("multi-page TIFF", stacks("{label}/vol{p}.tif", kind="tiff"), "file"),
    Layout("NIfTI, one name in many folders", stacks("{label}/s{p:04d}/ct.nii.gz", kind="nifti"), "folder"),
    Layout("NIfTI, one file a patient", stacks("{label}/scan-{p}.nii.gz", kind="nifti"), "file"),
    Layout("class/patientNNN/*.png", pictures("{label}/patient{p:03d}/{i}.png"), "folder"),
    Layout("class/NNN/*.png", pictures("{label}/{p:03d}/{i}.png"), "folder"),
    Layout("class/name/*.png", pictures("{label}/{p}-Doe/{i}.png"), "folder"),
    Layout("class/patient/study/*.png", pictures("{label}/patient{p:05d}/study{i}/view1.png"), "folder"),
    Layout("class/images/patient/*.png", pictures("{label}/images/p{p}/{i}.png"), "folder"),
    Layout("patient/*.png (no class)", pictures("patient{p:02d}/{i}.png"), "folder", False),
    Layout("patient folders under both classes", pictures("{flip}/P{p:02d}/{i}.png"), "folder"),
    Layout("BraTS-00012-000, -001 (time points)", pictures("{label}/BraTS-{p:05d}-00{i}/t1.png"), "folder"),
    Layout("person1_bacteria_2.jpeg (Kaggle)", pictures("{label}/person{p}_bacteria_{n}.jpeg"), "name"),
    Layout("00000012_003.png (NIH)", pictures("{label}/{p:08d}_{i:03d}.png"), "name"),
    Layout("CNV-1016042-1.jpeg (OCT2017)", pictures("{label}/CNV-101604{p}-{i}.jpeg"), "name"),
    Layout("IM-0115-0001.jpeg", pictures("{label}/IM-{p:04d}-{i:04d}.jpeg"), "name"),
    Layout("p0001s02.png", pictures("{label}/p{p:04d}s{i:02d}.png"), "name"),
    Layout("P_00012_LEFT_CC.png (mammography)", pictures("{label}/P_{p:05d}_LEFT_{i}.png"), "name"),
    Layout("case001_slice_012.png", pictures("{label}/case{p:03d}_slice_{i:03d}.png"), "name"),
    Layout("patient001_frame01.png (ACDC)", pictures("{label}/patient{p:03d}_frame{i:02d}.png"), "name"),
    Layout("patient/class/*.png (IDC)", pictures("{p:05d}/{flip}/{n}.png"), "folder"),
    Layout("train/images/class/*.png", pictures("train/images/{label}/p{p}_{i}.png"), "given"),
    Layout("images/class/patient_i.png", pictures("images/{label}/p{p}_{i}.png"), "name"),
    Layout("names of people", pictures("{label}/Doe^Jane{p}/{i}.png"), "folder"),
    Layout("UUIDs as folders", pictures("{p}f0e8400-e29b-41d4/{i}.png"), "folder", False),
    Layout("copies by Windows", pictures("{label}/person{p} ({i}).png"), "name"),
    Layout("pictures whose names say nothing", pictures("{label}/{n:06d}.png"), "none"),
    Layout("training_set/ and test_set/", pictures("training_set/{label}/{n:06d}.png"), "given"),
    Layout("table, column patient", table("patient", lambda p, i: f"P{p}"), "stated"),
    Layout(
        "table, patient differs in case and blanks",
        table("patient", lambda p, i: (f"P{p}", f"p{p}", f" P{p} ")[i]),
        "stated",
    ),
    Layout("table, patient 007 / 7 / 7.0", table("patient", lambda p, i: (f"{p:03d}", f"{p}", f"{p}.0")[i]), "stated"),
    Layout("table, patient missing in half", table("patient", lambda p, i: f"P{p}" if i % 2 else ""), "none"),
    Layout(
        "table, patient missing in half, names tell",
        table("patient", lambda p, i: f"P{p}" if i % 2 else "", name="img/P{p}_{i}.png"),
        "name",
    ),
    *(
        Layout(f"table, column {name}", table(name, lambda p, i: f"P{p}"), source)
        for name, source in {
            "participant_id": "stated",
            "Patient-ID (anonymised)": "stated",
            "Patientennummer": "stated",
            "subject_no": "stated",
            "mrn": "stated",
            "ptid": "stated",
            "patient_name": "stated",
            "Subject ID": "stated",
            "case_id": "study",
            "study_id": "study",
            "StudyInstanceUID": "study",
            "Accession Number": "study",
            "series_id": "series",
        }.items()
    ),
    Layout(
        "table, no patient, CheXpert's folders",
        table("view", lambda p, i: "AP", name="train/patient{p:05d}/study{i}/v.png"),
        "folder",
    ),
    Layout(
        "table, files without extension",
        table("patient", lambda p, i: f"P{p}", name="img/{n:03d}.png", file="{file:.7}"),
        "stated",
    ),
)
