"""Open an image folder as a Cohort: one folder per class, or train, validation and test folders of such folders.

```
mine/                     mine/                       mine/
  abdomen/ a.png ...        train/  abdomen/ chest/     anything/ IM0001 ...   (DICOM, names as they come)
  chest/   b.dcm ...        val/    abdomen/ chest/     labels.csv             (file, label, ...)
                            test/   abdomen/ chest/
```

Classes are in alphabetical order, so with two the alphabetically second is the positive one. Images outside any
class folder are kept without a label.
"""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from natsort import natsorted, ns

from firstread.core.class_names import class_spellings, describe_spellings
from firstread.core.cohort import Cohort
from firstread.core.columns import parse_split_name
from firstread.core.errors import DataError
from firstread.core.windows import WindowLike
from firstread.datasets.archives import is_stray_file
from firstread.datasets.file_scan import FileScan, build_cohort, scan_files
from firstread.datasets.frames import is_image_file
from firstread.datasets.nifti_pairs import find_pairs, open_pairs
from firstread.datasets.patient_evidence import are_patient_folders

#: more files than this mean that the path is wrong: the root of a disk, or a home folder
MAX_FILES = 1_000_000


@dataclass
class _Listing:
    images: list[Path]
    folders: list[Path]
    stray_files: list[str]
    other_files: list[str]
    repeated: list[tuple[Path, Path]]


def open_folder(folder: Path, *, window: WindowLike = None) -> Cohort:
    """Open an image folder as a Cohort; class and split come from the names of the folders.

    NIfTI volumes with label maps of matching names are opened as pairs, see `firstread.datasets.nifti_pairs`.

    Raises:
        DataError: no images, an empty class, a single class, or most of the images broken.
    """
    folder = Path(folder)
    base = _find_data_root(folder)
    listing = _list_files(base)
    if not listing.images:
        raise DataError(
            "The folder holds no images",
            where=folder,
            expected="one folder of images for each class",
            do="check the path; PNG, JPEG, TIFF, BMP, DICOM and NIfTI files are found, also in folders within it",
        )
    if pairs := find_pairs(base, listing.images):
        return open_pairs(base, pairs, window=window)
    has_split_folders = _has_split_folders(base, listing)
    labeled = [
        (path, _label_and_split(path.relative_to(base).parts[:-1], has_split_folders)) for path in listing.images
    ]
    _check_links(base, listing)
    names = [known["label"] for _, known in labeled if known["label"]]
    if are_patient_folders(sorted(set(names))):
        for _, known in labeled:
            known["label"] = None
        names = []
        _warn_of_patient_folders("by their names one for each patient")
    spellings = class_spellings(names)
    if text := describe_spellings(spellings):
        warnings.warn(text, UserWarning, stacklevel=4)
    for _, known in labeled:
        known["label"] = spellings.get(known["label"])
    classes = natsorted(set(spellings.values()), alg=ns.IGNORECASE)
    _check_classes(base, listing, classes, has_split_folders)
    scan = scan_files(labeled, base=base)
    if _hold_one_patient_each(scan, classes):
        classes = []
        for row in scan.rows:
            row["label"] = None
        _warn_of_patient_folders("each the DICOM files of one patient")
    _check_classes_readable(scan, classes, base)
    parameters = {
        "folder": folder.name,
        "stray_files": len(listing.stray_files),
        "stray_names": listing.stray_files[:50],
        "other_files": listing.other_files,
        "unlabeled": sum(row.get("label") is None for row in scan.rows),
    }
    return build_cohort(
        scan,
        classes=classes,
        name=folder.name,
        window=window,
        parameters=parameters,
        description="images in a folder of your own",
    )


def _warn_of_patient_folders(why: str) -> None:
    warnings.warn(
        f"The folders are {why}, so they were not taken for classes, and the images have no labels. Labels can come "
        "from a table beside them; folders that are classes need names that say so.",
        UserWarning,
        stacklevel=5,
    )


def list_image_files(folder: Path) -> list[Path]:
    """Images below a folder, in natural order."""
    return _list_files(folder).images


def _list_files(base: Path) -> _Listing:
    listing = _Listing([], [], [], [], [])
    visited: dict[str, Path] = {}
    count = 0
    for current, folders, names in os.walk(base, followlinks=True):
        real_path, folder = os.path.realpath(current), Path(current)
        if real_path in visited:  # by a symbolic link
            folders.clear()
            if not folder.is_relative_to(visited[real_path]):  # else the link leads to a folder above
                listing.repeated.append((visited[real_path], folder))
            continue
        visited[real_path] = folder
        for name in natsorted(names, alg=ns.IGNORECASE):
            count += 1
            if count > MAX_FILES:
                raise DataError(
                    f"The folder holds more than {MAX_FILES:,} files",
                    where=base,
                    do="choose the folder of the images",
                )
            _classify_file(folder / name, base, listing)
        hidden = [name for name in folders if name.startswith(".") or name == "__MACOSX"]
        listing.stray_files += [(folder / name).relative_to(base).as_posix() + "/" for name in hidden]
        folders[:] = natsorted((name for name in folders if name not in hidden), alg=ns.IGNORECASE)
        listing.folders += [folder / name for name in folders]
    return listing


def _classify_file(path: Path, base: Path, listing: _Listing) -> None:
    relative = path.relative_to(base).as_posix()
    if is_stray_file(relative) or path.name.startswith("."):
        listing.stray_files.append(relative)
    elif path.name.upper() != "DICOMDIR" and path.is_file() and is_image_file(path):
        listing.images.append(path)
    else:
        listing.other_files.append(relative)


def _find_data_root(folder: Path) -> Path:
    """Descend while a folder holds nothing but one folder of folders, as after unpacking an archive."""
    for _ in range(4):
        children = [path for path in folder.iterdir() if not is_stray_file(path.name) and not path.name.startswith(".")]
        if len(children) != 1 or not children[0].is_dir() or parse_split_name(children[0].name):
            return folder
        if not any(path.is_dir() for path in children[0].iterdir()):
            return folder
        folder = children[0]
    return folder


def _has_split_folders(base: Path, listing: _Listing) -> bool:
    top = {parse_split_name(path.name) for path in listing.folders if path.parent == base}
    return "train" in top or len(top - {None}) > 1


def _label_and_split(parts: tuple[str, ...], has_split_folders: bool) -> dict[str, Any]:
    if has_split_folders:
        split = parse_split_name(parts[0]) if parts else None
        label = parts[1] if split and len(parts) > 1 else None
        return {"label": label, "split": split}
    split = parse_split_name(parts[1]) if len(parts) > 1 else None  # class/train as well as train/class
    return {"label": parts[0] if parts else None, "split": split}


def _check_classes(base: Path, listing: _Listing, classes: list[str], has_split_folders: bool) -> None:
    depth = 2 if has_split_folders else 1
    non_empty = {path.relative_to(base).parts[:depth] for path in listing.images}
    for folder in listing.folders:
        parts = folder.relative_to(base).parts
        if len(parts) == depth and parts not in non_empty and (not has_split_folders or parse_split_name(parts[0])):
            raise DataError(
                "A class folder holds no images",
                where=folder,
                expected="images in every class folder",
                do="put images into it, or remove it",
            )
    if len(classes) == 1:
        raise DataError(
            f'There is only one class, "{classes[0]}"',
            where=base,
            expected="one folder for each of at least two classes",
            do="add a folder with images of another class; to open images without classes, give their own folder",
        )


def _check_links(base: Path, listing: _Listing) -> None:
    if listing.repeated:
        first, second = (path.relative_to(base).as_posix() for path in listing.repeated[0])
        raise DataError(
            f'"{first}" and "{second}" are one folder, by a link, so its images would be there twice',
            where=base,
            expected="each folder of images once",
            do="remove the link, or put a copy of the other images in its place",
        )


def _hold_one_patient_each(scan: FileScan, classes: list[str]) -> bool:
    """Whether this is a DICOM export with one folder a patient (or study), and not one folder a class."""
    complete = all(row.get("series") and row.get("component") and row.get("split") is None for row in scan.rows)
    pairs = {(row.get("label"), row.get("component")) for row in scan.rows}
    return complete and len(classes) > 2 and len(pairs) == len(classes) == len({component for _, component in pairs})


def _check_classes_readable(scan: FileScan, classes: list[str], base: Path) -> None:
    labels = {row.get("label") for row in scan.rows}
    for name in classes:
        if name not in labels:
            raise DataError(
                f'No image of the class "{name}" can be read', where=base / name, do="mend or replace its images"
            )
    splits = {row.get("split") for row in scan.rows}
    trained_classes = {row.get("label") for row in scan.rows if row.get("split") == "train"}
    missing = [name for name in classes if name not in trained_classes]
    if "train" in splits and missing:
        raise DataError(
            f'The class "{missing[0]}" has no images to train on',
            where=base,
            expected="the same class folders under train, validation and test",
            do="check the spelling of the class folders",
        )
