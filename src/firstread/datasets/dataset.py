"""Open a data set as a Cohort: a named data set, a folder, a CSV table or an image file."""

import warnings
from dataclasses import replace
from pathlib import Path

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError, SettingError, suggest
from firstread.core.images import sniff_format
from firstread.core.patient_sources import describe_patient_sources, patient_unit
from firstread.core.splits import split_by_groups, split_by_patient, split_contiguous, split_name, split_random
from firstread.core.windows import WindowLike, check_window
from firstread.datasets.catalogue import CATALOGUE, find_named_dataset
from firstread.datasets.coco import is_coco_file, open_coco
from firstread.datasets.csv_table import is_cohort_table, open_table
from firstread.datasets.file_scan import build_cohort, scan_files
from firstread.datasets.image_folder import open_folder
from firstread.datasets.named_datasets import open_named_dataset
from firstread.datasets.nnunet import is_nnunet_dataset, open_nnunet
from firstread.datasets.series_scan import open_series

SPLIT_METHODS = ("patient", "random", "contiguous")
UNITS = ("frame", "series")


def open_dataset(
    name_or_path: str | Path,
    *,
    unit: str = "frame",
    split: str | None = None,
    seed: int = 0,
    window: WindowLike = None,
) -> Cohort:
    """Open images and their classes as a Cohort, by name or by path.

    Args:
        name_or_path: a name of the catalogue ("hello-world", "mednist", "hello-world/openi", "mednist/rsna",
            "mednist/monai"), or a path: a folder with one folder a class, train/validation/test folders with the
            classes in them, a CSV of paths and labels, a saved cohort, or one image file. PNG, JPEG, TIFF, BMP,
            DICOM and NIfTI may be mixed. A stack gives one row for each frame or axial slice. NIfTI volumes with label
            maps (pairs by name, or in nnU-Net's format) give one row a volume, a COCO file boxes.
        unit: what is one row of DICOM files: "frame" (each image or frame), or "series" (a whole series is one volume).
        split: None keeps the split the data come with and otherwise splits by patient where patients are known,
            else at random; "patient", "random" or "contiguous" (by file order) makes a new split.
        seed: of a random split.
        window: how 12 or 16 bits become 8, see `firstread.core.windows`; None uses the window in each file.

    Returns:
        A Cohort. Files that were left out (broken images, stray files) are in its first step and in a warning.

    Raises:
        SettingError: unknown name, split or window; the most similar known one is suggested.
        DataError: no images, an empty class, a single class, a table without paths or labels, a broken saved cohort.
        NetworkError: a published set is not on this computer yet and cannot be fetched.

    Example:
        >>> saved = fr.simulate_patients(3, size=32).save("my data")   # stands for a folder of your own
        >>> cohort = fr.open_dataset(saved, split="patient")
        >>> len(cohort), cohort.classes
        (6, ('abdomen radiograph', 'chest radiograph'))
    """
    if split is not None and split not in SPLIT_METHODS:
        raise SettingError(f'There is no split called "{split}".{suggest(split, SPLIT_METHODS)}')
    if unit not in UNITS:
        raise SettingError(f'unit="{unit}" is not possible.{suggest(unit, UNITS)}')
    check_window(window)
    name = str(name_or_path)
    if name in CATALOGUE:
        entry = find_named_dataset(name)
        cohort = open_named_dataset(entry, split=split, seed=seed)
        if split is not None and not (entry.fractions and split != "patient"):
            cohort = _split_cohort(cohort, split, seed)
        return replace(cohort, window=window) if window is not None else cohort
    path = Path(name_or_path).expanduser()
    try:
        if not path.exists():
            find_named_dataset(name)
        cohort = open_series(path, window=window) if unit == "series" else _open_path(path, window)
    except (PermissionError, NotADirectoryError) as error:
        raise DataError("This cannot be read", where=error.filename or path, do="check that it is yours") from error
    _warn_of_patient_leakage(cohort)
    if split is not None:
        return _split_cohort(cohort, split, seed)
    return cohort if cohort.table["split"].notna().any() else _split_by_default(cohort, seed)


def _open_path(path: Path, window: WindowLike) -> Cohort:
    if path.is_file():
        if path.suffix.lower() in (".csv", ".tsv"):
            return open_table(path, window=window)
        return open_coco(path, window=window) if is_coco_file(path) else _open_file(path, window)
    return _open_folder(path, window)


def _open_folder(path: Path, window: WindowLike) -> Cohort:
    """Open a folder by what describes it: a saved cohort, dataset.json, a table, COCO, else by its images."""
    if (path / "cohort.json").is_file():
        saved = Cohort.load(path)
        return saved if window is None else replace(saved, window=window)
    if is_nnunet_dataset(path):
        return open_nnunet(path, window=window)
    tables = [file for file in sorted(path.glob("*.csv")) if is_cohort_table(file)]
    if len(tables) > 1:
        raise DataError(
            f"The folder holds {len(tables)} tables of images and labels", where=path, do="give the path of one of them"
        )
    if tables:
        return open_table(tables[0], window=window)
    described = [file for file in sorted(path.glob("*.json")) if is_coco_file(file)]
    if len(described) == 1:
        return open_coco(described[0], window=window)
    return open_folder(path, window=window)


def _open_file(path: Path, window: WindowLike) -> Cohort:
    if path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        raise DataError("This is a spreadsheet", where=path, do="save it as CSV (UTF-8) and give the path of that file")
    if sniff_format(path) == "zip":
        raise DataError("This is a ZIP archive", where=path, do="unpack it and give the path of the folder")
    scan = scan_files([(path, {})], base=path.parent)
    parameters = {"stray_files": 0}
    return build_cohort(
        scan, classes=(), name=path.name, window=window, parameters=parameters, description="one file of your own"
    )


def _split_cohort(cohort: Cohort, split: str, seed: int) -> Cohort:
    if split == "patient":
        return split_by_patient(cohort, seed=seed)
    return split_random(cohort, seed=seed) if split == "random" else split_contiguous(cohort)


def _split_by_default(cohort: Cohort, seed: int) -> Cohort:
    """Default split: what belongs together stays together, and a case of which nothing is known is one by itself."""
    if not (cohort.task.strata(cohort.tables) >= 0).any():
        return cohort
    try:
        divided = split_by_groups(cohort, cohort.groups, seed=seed, name=split_name(cohort))
    except DataError as error:
        warnings.warn(f"The cases were not divided: {error}", UserWarning, stacklevel=3)
        return cohort
    if text := describe_patient_sources(cohort.patient_sources):
        warnings.warn(text, UserWarning, stacklevel=3)
    return divided


def _warn_of_patient_leakage(cohort: Cohort) -> None:
    rows = cohort.table.assign(component=cohort.components).dropna(subset=["component", "split"])
    leaked = int((rows.groupby("component")["split"].nunique() > 1).sum())
    if leaked:
        unit = patient_unit(cohort.patient_sources, leaked)
        warnings.warn(
            f"{leaked} {unit} on two sides of the split: a network is tested on what it was trained on. "
            'split="patient" divides anew.',
            UserWarning,
            stacklevel=3,
        )
