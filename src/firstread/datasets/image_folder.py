"""A folder as a cohort: one folder a class, or train, validation and test folders with the classes in them.

```
mine/                     mine/                       mine/
  abdomen/ a.png ...        train/  abdomen/ chest/     anything/ IM0001 ...   (DICOM, names as they come)
  chest/   b.dcm ...        val/    abdomen/ chest/     labels.csv             (file, label, ...)
                            test/   abdomen/ chest/
```

Classes are in alphabetical order, so with two the alphabetically second is the positive one. Images that lie outside
of any class folder are kept without a label.
"""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from natsort import natsorted, ns

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.splits import split_name
from firstread.datasets.archives import is_stray
from firstread.datasets.file_scan import Gathered, as_cohort, gather
from firstread.datasets.frames import means_image

#: a folder with more files was hardly meant: the root of a disk, or a home folder
LARGEST_FILES = 1_000_000


@dataclass
class _Listing:
    images: list[Path]
    folders: list[Path]
    stray: list[str]
    other: list[str]


def open_folder(folder: Path, *, window: Any = None) -> Cohort:
    """The images under `folder` with the classes and splits that their folders say.

    Raises:
        DataError: no images, an empty class, a single class, or most of the images broken.
    """
    folder = Path(folder)
    base = _innermost(folder)
    listing = _list(base)
    if not listing.images:
        raise DataError(
            "The folder holds no images",
            where=folder,
            expected="one folder of images for each class",
            do="check the path; PNG, JPEG, TIFF, BMP, DICOM and NIfTI files are found, also in folders within it",
        )
    with_splits = _has_splits(base, listing)
    placed = [(path, _place(path.relative_to(base).parts[:-1], with_splits)) for path in listing.images]
    classes = natsorted({known["label"] for _, known in placed if known["label"]}, alg=ns.IGNORECASE)
    _check_classes(base, listing, classes, with_splits)
    found = gather(placed, base=base)
    if _folders_are_patients(found, classes):
        classes = []
        for row in found.rows:
            row["label"] = None
        warnings.warn(
            "Every folder holds the DICOM files of one patient, so the folders were not taken for classes. "
            "Labels can come from a table beside them.",
            UserWarning,
            stacklevel=4,
        )
    _check_left(found, classes, base)
    facts = {
        "folder": folder.name,
        "stray_files": len(listing.stray),
        "stray_names": listing.stray[:50],
        "other_files": listing.other[:50],
        "unlabelled": sum(row.get("label") is None for row in found.rows),
    }
    return as_cohort(
        found,
        classes=classes,
        name=folder.name,
        window=window,
        facts=facts,
        description="images in a folder of your own",
    )


def _list(base: Path) -> _Listing:
    listing = _Listing([], [], [], [])
    seen: set[str] = set()
    count = 0
    for current, folders, names in os.walk(base, followlinks=True):
        real = os.path.realpath(current)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        here = Path(current)
        for name in natsorted(names, alg=ns.IGNORECASE):
            count += 1
            if count > LARGEST_FILES:
                raise DataError(
                    f"The folder holds more than {LARGEST_FILES:,} files",
                    where=base,
                    do="choose the folder of the images",
                )
            _sort_file(here / name, base, listing)
        hidden = [name for name in folders if name.startswith(".") or name == "__MACOSX"]
        listing.stray += [(here / name).relative_to(base).as_posix() + "/" for name in hidden]
        folders[:] = natsorted((name for name in folders if name not in hidden), alg=ns.IGNORECASE)
        listing.folders += [here / name for name in folders]
    return listing


def _sort_file(path: Path, base: Path, listing: _Listing) -> None:
    relative = path.relative_to(base).as_posix()
    if is_stray(relative) or path.name.startswith("."):
        listing.stray.append(relative)
    elif path.name.upper() != "DICOMDIR" and path.is_file() and means_image(path):
        listing.images.append(path)
    else:
        listing.other.append(relative)


def _innermost(folder: Path) -> Path:
    """Step into a folder that holds nothing but one folder of folders, as archives often unpack."""
    for _ in range(4):
        inside = [path for path in folder.iterdir() if not is_stray(path.name) and not path.name.startswith(".")]
        if len(inside) != 1 or not inside[0].is_dir() or split_name(inside[0].name):
            return folder
        if not any(path.is_dir() for path in inside[0].iterdir()):
            return folder
        folder = inside[0]
    return folder


def _has_splits(base: Path, listing: _Listing) -> bool:
    top = {split_name(path.name) for path in listing.folders if path.parent == base}
    return "train" in top or len(top - {None}) > 1


def _place(parts: tuple[str, ...], with_splits: bool) -> dict[str, Any]:
    if with_splits:
        split = split_name(parts[0]) if parts else None
        label = parts[1] if split and len(parts) > 1 else None
        return {"label": label, "split": split}
    split = split_name(parts[1]) if len(parts) > 1 else None  # class/train as well as train/class
    return {"label": parts[0] if parts else None, "split": split}


def _check_classes(base: Path, listing: _Listing, classes: list[str], with_splits: bool) -> None:
    depth = 2 if with_splits else 1
    holders = {path.relative_to(base).parts[:depth] for path in listing.images}
    for folder in listing.folders:
        parts = folder.relative_to(base).parts
        if len(parts) == depth and parts not in holders and (not with_splits or split_name(parts[0])):
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


def _folders_are_patients(found: Gathered, classes: list[str]) -> bool:
    """Whether this is an export with one folder a patient, and not one folder a class."""
    pairs = {(row.get("label"), row.get("patient")) for row in found.rows if row.get("series")}
    whole = all(row.get("series") and row.get("patient") and row.get("split") is None for row in found.rows)
    return whole and len(classes) > 2 and len(pairs) == len(classes) == len({patient for _, patient in pairs})


def _check_left(found: Gathered, classes: list[str], base: Path) -> None:
    labels = {row.get("label") for row in found.rows}
    for name in classes:
        if name not in labels:
            raise DataError(
                f'No image of the class "{name}" can be read', where=base / name, do="mend or replace its images"
            )
    splits = {row.get("split") for row in found.rows}
    trained = {row.get("label") for row in found.rows if row.get("split") == "train"}
    missing = [name for name in classes if name not in trained]
    if "train" in splits and missing:
        raise DataError(
            f'The class "{missing[0]}" has no images to train on',
            where=base,
            expected="the same class folders under train, validation and test",
            do="check the spelling of the class folders",
        )
