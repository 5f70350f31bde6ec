"""Data that a lesson is to run on: refused before anything runs if they cannot work, with their classes renamed."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from firstread.core.errors import DataError, SettingError, suggest
from firstread.lessons.lesson_info import LessonInfo

if TYPE_CHECKING:
    from firstread.core.cohort import Cohort

#: of each class: fewer cannot be divided, or show nothing
FEWEST_TRAINING_CASES, FEWEST_VALIDATION_CASES = 5, 1
#: shortest side of an image that a network of a lesson can tell anything from, in pixels
SMALLEST_SIDE_PIXELS = 16


def prepare_data(info: LessonInfo, data: str, *, classes: Mapping[str, str], folder: Path) -> str:
    """What the lesson opens: the name or the absolute path of its data, or a copy of their table with other class names.

    Args:
        info: the lesson.
        data: name or path.
        classes: name of a class in the data -> name that it gets; several may get the same one.
        folder: where the copy of the table goes; the images stay where they are.

    Raises:
        SettingError: no such data, or no such class.
        DataError: the lesson cannot run on them.
    """
    if data == info.values["data"] and not classes:
        return data  # simulated where they are missing; the lesson was written for them
    if classes and (info.is_on_dicom or info.is_on_archive):
        raise SettingError("This lesson has no classes", where="--classes", do="leave it out")
    if info.is_on_dicom:
        from firstread.lessons.patient_files import PatientFiles

        return str(PatientFiles.open(find_dicom_folder(data)).folder)
    if info.is_on_archive:
        from firstread.lessons.pile import Pile

        return str(Pile.open(archive_folder(data)).folder)
    from firstread.datasets.dataset import open_dataset

    path = Path(data).expanduser()
    cohort = open_dataset(path if path.exists() else data)
    if classes:
        cohort = rename_classes(cohort, classes)
    check_for_lesson(info, cohort)
    if classes:
        return str(cohort.save(folder / "data").resolve())
    return str(path.resolve()) if path.exists() else data


def find_dicom_folder(data: str) -> Path:
    """Folder of DICOM files: that of a path, or of a named data set.

    Raises:
        SettingError: no such data.
        DataError: the named data set is not of DICOM files.
    """
    from firstread.datasets.dataset import open_dataset

    path = Path(data).expanduser()
    if path.is_dir():
        return path.resolve()
    files = [str(file) for file, _ in open_dataset(data).tables.first_images()]
    return Path(os.path.commonpath(files)).parent if len(files) > 1 else Path(files[0]).parent


def archive_folder(data: str) -> Path:
    """Folder of the DICOM files of many patients: that of a path, or of a named data set.

    Raises:
        SettingError: no such data.
    """
    from firstread.datasets.dataset import open_dataset

    path = Path(data).expanduser()
    if path.is_dir():
        return path.resolve()
    return Path(os.path.commonpath([str(file) for file, _ in open_dataset(data).tables.first_images()]))


def rename_classes(cohort: "Cohort", names: Mapping[str, str]) -> "Cohort":
    """A cohort whose classes have other names, in their order; classes that get one name become one.

    Raises:
        SettingError: the cohort has no such class.
    """
    from firstread.core.cohort import Cohort
    from firstread.core.provenance import Step

    for name in names:
        if name not in cohort.classes:
            raise SettingError(f'There is no class "{name}".{suggest(name, cohort.classes)}', where="--classes")
    classes = tuple(dict.fromkeys(names.get(name, name) for name in cohort.classes))
    table = cohort.table
    table["label"] = [None if label is None else names.get(label, label) for label in table["label"]]
    steps = (*cohort.steps, Step("renamed classes", dict(names)))
    return Cohort.from_table(table, classes, cohort.origin, steps, window=cohort.window)


def check_for_lesson(info: LessonInfo, cohort: "Cohort") -> None:
    """Refuse data that the lesson cannot run on.

    Raises:
        DataError: another kind of task, another number of classes, too few images, or none to measure on.
    """
    where = f"{info.name} on {cohort.origin.name}"
    wanted = info.values.get("classes")
    if len(cohort.classes) < 2 or (wanted and len(cohort.classes) != wanted):
        found = f"{len(cohort.classes)} classes ({', '.join(cohort.classes)})" if cohort.classes else "no classes"
        raise DataError(
            f"These data have {found}",
            where=where,
            expected=f"{wanted or 'two or more'} classes, each a folder of images or a label in a table",
            do='join or rename classes: --classes "name=new name,other=new name"',
        )
    counts = {
        split: {name: int((cohort.subset(split).targets == k).sum()) for k, name in enumerate(cohort.classes)}
        for split in ("train", "validation")
    }
    for split, fewest in (("train", FEWEST_TRAINING_CASES), ("validation", FEWEST_VALIDATION_CASES)):
        if min(counts[split].values()) < fewest:
            listed = ", ".join(f"{name} {count}" for name, count in counts[split].items())
            raise DataError(
                f"There are too few images in the {split} split: {listed}",
                where=where,
                expected=f"at least {fewest} of each class",
                do="add images, or check the names of the folders (train, val, test) and of the classes",
            )
    if any(target < 0 for target in cohort.train.targets):
        raise DataError("Some training images have no label", where=where, expected="a label for each")
    smallest = min(min(case.image().shape[:2]) for case in cohort[:20])
    if smallest < SMALLEST_SIDE_PIXELS:
        raise DataError(
            f"An image has a side of {smallest} pixels", where=where, expected=f"{SMALLEST_SIDE_PIXELS} or more"
        )
